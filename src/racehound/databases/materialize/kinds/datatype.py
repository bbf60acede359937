"""Types."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.shared_operations import Commented, Owned
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect, run
from racehound.kinds.kind import Fragment, Manipulations, changes, destroys

_DEFINITIONS = {
    "list": "LIST (ELEMENT TYPE = int4)",
    "map": "MAP (KEY TYPE = text, VALUE TYPE = int4)",
    "record": "(x int4, y text)",
}


@dataclasses.dataclass(frozen=True)
class Type(Owned, Commented):
    """A type and a table with a column of it, which goes with it. Verified: the table can be read."""

    form: Literal["list", "map", "record"] = "list"

    noun: ClassVar[str] = "TYPE"
    weight: ClassVar[int] = 4
    manipulations: ClassVar[Manipulations] = {
        "use": ("drop_user", "create_user", "drop_created_user") * TIMES,
        "recreate": ("destroy_if_exists", "create"),
    }

    @property
    def table(self) -> str:
        """The table."""
        return self.qualified(f"{self.name}_table")

    @property
    def relation(self) -> str:
        return self.table

    @property
    def columns(self) -> str:
        return "a, b"

    @property
    def sinkable(self) -> bool:
        return False

    def create_statements(self) -> Statements:
        return (
            f"CREATE TYPE {self.ident} AS {_DEFINITIONS[self.form]}",
            f"CREATE TABLE {self.table} (a TEXT, b TEXT, c {self.ident})",
        )

    @property
    def _user(self) -> str:
        """Another table with a column of the type."""
        return self.qualified(f"{self.name}_new")

    @changes
    def drop_user(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self._user}")

    @changes
    def create_user(self) -> Fragment:
        return run(f"CREATE TABLE {self._user} (a {self.ident})")

    @changes
    def drop_created_user(self) -> Fragment:
        return run(f"DROP TABLE {self._user}")

    @destroys
    def destroy_if_exists(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))

    def verify(self) -> Fragment:
        return expect(f"SELECT count(*), count(c) FROM {self.table}", "0 0")
