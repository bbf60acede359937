"""Extended statistics."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import OnTable, SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Statistics(SchemaObject, OnTable):
    """Extended statistics of the base. Verified: a query that they help to plan gives whole groups."""

    over: Literal["columns", "expression"] = "columns"

    can_be_referenced: ClassVar[bool] = False
    in_schema: ClassVar[bool] = True
    noun: ClassVar[str] = "STATISTICS"
    manipulations: ClassVar[Manipulations] = {
        "analyze": ("analyze",) * 3,
        "set_target": ("set_no_target", "set_high_target", "set_default_target"),
        "write_and_analyze": ("insert", "analyze") * 2,
    }

    @property
    def what(self) -> str:
        """The columns or expressions."""
        return "a, b" if self.over == "columns" else f"a, ({self.base.function or 'lower'}(a))"

    def create_statements(self) -> Statements:
        return (
            *self.table_statements,
            f"CREATE STATISTICS {self.ident} (ndistinct, dependencies, mcv) ON {self.what} FROM {self.on}",
        )

    @changes
    def analyze(self) -> Fragment:
        return run(f"ANALYZE {self.on}")

    def _targeting(self, target: int) -> Fragment:
        return run(f"ALTER STATISTICS {self.ident} SET STATISTICS {target}")

    @changes
    def set_no_target(self) -> Fragment:
        return self._targeting(0)

    @changes
    def set_high_target(self) -> Fragment:
        return self._targeting(1000)

    @changes
    def set_default_target(self) -> Fragment:
        return self._targeting(-1)

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    def verify(self) -> Fragment:
        helped = f"{self.base.function or 'lower'}(a) >= ''" if self.over == "expression" else "b >= ''"
        return expect(f"SELECT count(*) % {rows.GROUP} FROM {self.on} WHERE a = '{self.initial_key}' AND {helped}", "0")
