"""Access methods."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import Commented, Recreated
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class AccessMethod(Commented, Recreated):
    """The heap under another name, with a copy of the base in it. Verified: the copy's groups are whole."""

    in_schema: ClassVar[bool] = False
    weight: ClassVar[int] = 5
    noun: ClassVar[str] = "ACCESS METHOD"
    manipulations: ClassVar[Manipulations] = {
        "use_by_table": ("create_table", "drop_table"),
        "make_index_method": ("create_index_method", "drop_index_method"),
        "write_copy": ("insert",) * 5,
        "vacuum_copy": ("vacuum_copy",),
    }

    @property
    def using(self) -> str:
        return f" USING {self.name}"

    @property
    def relation(self) -> str:
        return self.supporting_table

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.supporting_table}",)

    def create_statements(self) -> Statements:
        created = f"CREATE ACCESS METHOD {self.name} TYPE TABLE HANDLER heap_tableam_handler"
        return created, *self.create_supporting_table(using=self.using)

    @property
    def _other_table(self) -> str:
        return self.qualified(f"{self.name}_new")

    @changes
    def create_table(self) -> Fragment:
        table = self._other_table
        return run(
            f"DROP TABLE IF EXISTS {table} CASCADE",
            f"CREATE TABLE {table} USING {self.name} AS SELECT * FROM {self.supporting_table}",
        )

    @changes
    def drop_table(self) -> Fragment:
        return run(f"DROP TABLE {self._other_table} CASCADE")

    @changes
    def create_index_method(self) -> Fragment:
        """The hash index under another name, with an operator class and an index: the planner knows no second B-tree."""
        method = f"{self.name}_hash"
        operators = "OPERATOR 1 =, FUNCTION 1 hashtext(text)"
        return run(
            f"DROP ACCESS METHOD IF EXISTS {method} CASCADE",
            f"CREATE ACCESS METHOD {method} TYPE INDEX HANDLER hashhandler",
            f"CREATE OPERATOR CLASS {self.qualified(method)} DEFAULT FOR TYPE text USING {method} AS {operators}",
            f"CREATE INDEX {method}_index ON {self.supporting_table} USING {method} (a)",
        )

    @changes
    def drop_index_method(self) -> Fragment:
        return run(f"DROP ACCESS METHOD {self.name}_hash CASCADE")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.supporting_table))

    @changes
    def vacuum_copy(self) -> Fragment:
        return run(f"VACUUM FULL {self.supporting_table}")

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.supporting_table))
