"""Kinds of PostgreSQL that are written without Python (docs/kinds.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import OnTable
from racehound.kinds.kind import Fragment
from racehound.kinds.text import run
from racehound.kinds.text_kinds import ReadFact, TextKind

_OF_TABLE = ("table", "insert-group", "update-group", "initial-key")
"""Variables that need a table."""


def _requires(text: str) -> Mapping[str, Any]:
    return {"requires": OnTable.requires | {name.strip() for name in text.split(",")}}


def _since(text: str) -> Mapping[str, Any]:
    if not text.isdecimal():
        raise ValueError(f"a major release is expected, like 16, not {text!r}")
    return {"since": int(text)}


def _scope(text: str) -> Mapping[str, Any]:
    places: dict[str, Mapping[str, Any]] = {
        "schema": {"in_schema": True},
        "database": {"in_schema": False},
        "cluster": {"in_schema": False, "in_cluster": True, "cluster_wide": True},
    }
    if text not in places:
        raise ValueError(f"{', '.join(places)} is expected, not {text!r}")
    return places[text]


class PostgresTextKind(TextKind, OnTable):
    """An object of a PostgreSQL cluster whose operations are sections of a file.

    Where a section uses the table of the object that this one is built over, and that object has none, a supporting table is
    made before `create` and dropped after `destroy`.
    """

    in_schema: ClassVar[bool] = True
    variables: ClassVar[Mapping[str, str]] = {
        "object": "the object as statements spell it, with its schema where that is not public",
        "name": "the object's name without schema",
        "schema": "the schema of the object",
        "table": "a table with the text columns a and b: that of the object below, or else a supporting table",
        "insert-group": "an INSERT of ten rows with one new key into ${table}",
        "update-group": "an UPDATE of ten rows of ${table} that share a key",
        "initial-key": "a key in column a of ${table} that ten rows have from the beginning",
        "query": "a SELECT of text columns a and b in groups of ten, which depends on the object below",
        "type": "the type of the object below, or text",
        "role": "the role that the object below is, or SESSION_USER",
    }
    offers: ClassVar[Mapping[str, str]] = {
        "relation": "something to select text columns a and b from, in groups of ten",
        "table": "a table with text columns a and b that can be written to, indexed, constrained and triggered",
        "type": "a type that columns and arguments can have",
        "function": "an immutable function that takes one text and returns text",
        "role": "a role that can own objects and be granted privileges",
        "server": "a foreign server",
        "language": "a language that takes PL/pgSQL text",
    }
    facts: ClassVar[Mapping[str, ReadFact]] = {"requires": _requires, "since": _since, "scope": _scope}

    @property
    def helpers(self) -> tuple[str, ...]:
        return super().helpers if self.uses(*_OF_TABLE) else ()

    def value(self, variable: str) -> str:
        return {
            "object": self.ident,
            "name": self.bare_name(),
            "schema": self.schema,
            "table": self.on,
            "insert-group": rows.insert(self.on, self.row_prefix),
            "update-group": rows.update(self.on, self.initial_key),
            "initial-key": self.initial_key,
            "query": self.query,
            "type": self.base.type or "text",
            "role": self.base.role or "SESSION_USER",
        }[variable]

    def create(self) -> Fragment:
        return (run(*self.table_statements) if self.helpers else "") + super().create()

    def clear(self) -> Fragment:
        return super().clear() + self._drop_supporting_table()

    def destroy(self) -> Fragment:
        return super().destroy() + self._drop_supporting_table()

    def _drop_supporting_table(self) -> Fragment:
        return run(*(f"DROP {helper.replace(' ', ' IF EXISTS ', 1)} CASCADE" for helper in self.helpers))
