"""Access methods."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.lives import Commented, Recreated
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, manipulation


@dataclasses.dataclass(frozen=True)
class AccessMethod(Commented, Recreated):
    """The heap under another name, with a copy of the base in it. Verified: the copy's groups are whole."""

    in_schema: ClassVar[bool] = False
    weight: ClassVar[int] = 5
    noun: ClassVar[str] = "ACCESS METHOD"

    @property
    def using(self) -> str:
        return f" USING {self.name}"

    @property
    def relation(self) -> str:
        return self.carrier

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.carrier}",)

    def building(self) -> Statements:
        created = f"CREATE ACCESS METHOD {self.name} TYPE TABLE HANDLER heap_tableam_handler"
        return created, *self.carrying(using=self.using)

    @manipulation
    def use_by_table(self) -> Fragment:
        table = self.inside(f"{self.name}_new")
        return run(
            f"DROP TABLE IF EXISTS {table} CASCADE",
            f"CREATE TABLE {table} USING {self.name} AS SELECT * FROM {self.carrier}",
            f"DROP TABLE {table} CASCADE",
        )

    @manipulation
    def make_index_method(self) -> Fragment:
        """The hash index under another name, with an operator class and an index: the planner knows no second B-tree."""
        method = f"{self.name}_hash"
        operators = "OPERATOR 1 =, FUNCTION 1 hashtext(text)"
        return run(
            f"DROP ACCESS METHOD IF EXISTS {method} CASCADE",
            f"CREATE ACCESS METHOD {method} TYPE INDEX HANDLER hashhandler",
            f"CREATE OPERATOR CLASS {self.inside(method)} DEFAULT FOR TYPE text USING {method} AS {operators}",
            f"CREATE INDEX {method}_index ON {self.carrier} USING {method} (a)",
            f"DROP ACCESS METHOD {method} CASCADE",
        )

    @manipulation
    def write_copy(self) -> Fragment:
        return run(*[rows.insert(self.carrier)] * 5)

    @manipulation
    def vacuum_copy(self) -> Fragment:
        return run(f"VACUUM FULL {self.carrier}")

    def verify(self) -> Fragment:
        return ask(rows.broken_groups(self.carrier))
