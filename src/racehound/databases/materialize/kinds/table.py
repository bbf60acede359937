"""Tables that statements of the target write to, or nobody does."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.shared_operations import Commented, Owned, Renamed
from racehound.databases.materialize.kinds.text import TIMES, TRUE, Statements, expect, expect_none, run, set_variable
from racehound.kinds.kind import Fragment, Manipulations, changes

_GROUP = 10


@dataclasses.dataclass(frozen=True)
class Table(MaterializeKind):
    """A table that nobody writes to. Verified: it is empty."""

    noun: ClassVar[str] = "TABLE"
    weight: ClassVar[int] = 6

    @property
    def relation(self) -> str:
        return self.ident

    def create_statements(self) -> Statements:
        return (f"CREATE TABLE {self.ident} (a TEXT, b TEXT)",)

    def verify(self) -> Fragment:
        return expect(f"SELECT count(*) FROM {self.ident}", "0")


@dataclasses.dataclass(frozen=True)
class WrittenTable(Owned, Commented, Renamed):
    """A table whose rows come and go in groups of ten that share a key. Verified: groups are whole, what was written is there.

    Each INSERT adds ten rows of one key, each UPDATE and DELETE acts on all rows of one: so the groups are whole in any snapshot.
    """

    noun: ClassVar[str] = "TABLE"
    short: ClassVar[str] = "table"
    weight: ClassVar[int] = 26
    manipulations: ClassVar[Manipulations] = {
        "rename": ("drop_renamed", "rename", "rename_back", "insert_and_read", "drop_renamed", "rename", "rename_back"),
        "insert": ("insert_and_read",) * TIMES,
        "update": ("update",) * TIMES,
        "insert_and_delete": ("insert_new", "delete_new") * TIMES,
        "copy": ("copy",) * TIMES,
        "add_column": ("add_column", "insert_and_read"),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def columns(self) -> str:
        return "a, b"

    @property
    def only_grows(self) -> bool:
        return False

    def _insert(self, key: str) -> str:
        rows = ", ".join(f"('{key}', 'b{number}')" for number in range(_GROUP))
        return f"INSERT INTO {self.ident} (a, b) VALUES {rows}"

    def create_statements(self) -> Statements:
        return f"CREATE TABLE {self.ident} (a TEXT, b TEXT)", self._insert("0")

    @changes
    def insert_and_read(self) -> Fragment:
        """A group, and whether it is there: nobody else writes here."""
        key = f"${{{self.name}-key}}"
        there = expect(f"SELECT count(*) > 0 FROM {self.ident} WHERE a = '{key}'", TRUE)
        return set_variable(f"{self.name}-key", "SELECT now()::text") + run(self._insert(key)) + there

    @changes
    def update(self) -> Fragment:
        return run(f"UPDATE {self.ident} SET b = b || '.' WHERE a = '0'")

    @changes
    def insert_new(self) -> Fragment:
        return run(self._insert("new"))

    @changes
    def delete_new(self) -> Fragment:
        return run(f"DELETE FROM {self.ident} WHERE a = 'new'")

    @changes
    def copy(self) -> Fragment:
        """What is read and what is written are of one moment."""
        return run(f"INSERT INTO {self.ident} (a, b) SELECT 'new', b FROM {self.ident} WHERE a = '0'")

    @changes
    def add_column(self) -> Fragment:
        """There is no way back, so further times find the column there."""
        return run(f"ALTER TABLE {self.ident} ADD COLUMN IF NOT EXISTS c INT")

    def verify(self) -> Fragment:
        broken = expect_none(f"SELECT a, count(*) FROM {self.ident} GROUP BY a HAVING count(*) % {_GROUP} <> 0")
        return broken + expect(f"SELECT count(*) FROM {self.ident} WHERE a = '0'", str(_GROUP))
