"""The parts of statements: names, options, queries, types and formats."""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.dialect.names import Reference

Name = tuple[str, ...]
"""A name as it was written, with its qualifiers first."""

ItemKind = Literal[
    "table", "view", "materialized view", "index", "source", "sink", "connection", "secret", "type"
]  # fmt: skip
ObjectKind = Literal[
    "table", "view", "materialized view", "index", "source", "sink", "connection", "secret", "type",
    "schema", "database", "role", "cluster", "cluster replica",
]  # fmt: skip


def spell(name: Name) -> str:
    """A name as error messages print it."""
    return ".".join(name)


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The value of an option. `text` is its text; `words` is the name of a secret or an object."""

    kind: Literal["string", "number", "word", "secret", "sequence", "none"]
    text: str
    words: Name = ()
    items: tuple[Value, ...] = ()

    @property
    def truth(self) -> bool:
        """The value as a flag. An option without a value is true."""
        return self.text.lower() not in {"false", "off", "0", "no"}


Options = tuple[tuple[str, Value], ...]
"""The names are in capitals, with one space between words."""


def option(options: Options, name: str) -> Value | None:
    """The value of an option; None if the option is not given."""
    return next((value for given, value in options if given == name), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A query. PostgreSQL can execute its text once the names of its relations have been replaced."""

    text: str
    references: tuple[Reference, ...]
    has_wildcard: bool = False
    calls: frozenset[str] = frozenset()
    """The functions that it calls, in lower case, including `current_user` and similar ones."""
    users: tuple[tuple[int, int], ...] = ()
    """The positions of `current_user` and similar words in the text, which are keywords in PostgreSQL."""


@dataclasses.dataclass(frozen=True, slots=True)
class TypeName:
    """The type of a column: its name, and a suffix such as `(10)`, `[]` or ` list`."""

    name: Name
    suffix: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: str
    type: TypeName
    nullable: bool = True
    default: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """The format in which bytes are read or written. `registry` is the connection to a schema registry."""

    name: str
    registry: Name | None = None
    text: str = ""


NO_QUERY = Query("", ())
NO_COLUMN = ColumnDefinition("", TypeName(("text",)))
