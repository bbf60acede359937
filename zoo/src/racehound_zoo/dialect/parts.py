"""What statements are made of: names, options, queries, types, formats."""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.dialect.names import Reference

Name = tuple[str, ...]
"""A name as it was written, with its qualifiers before it."""

ItemKind = Literal[
    "table", "view", "materialized view", "index", "source", "sink", "connection", "secret", "type"
]  # fmt: skip
ObjectKind = Literal[
    "table", "view", "materialized view", "index", "source", "sink", "connection", "secret", "type",
    "schema", "database", "role", "cluster", "cluster replica",
]  # fmt: skip


def spell(name: Name) -> str:
    """A name as errors write it."""
    return ".".join(name)


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """An option's value. `text` is what it says; `words` the name, for a secret or an object."""

    kind: Literal["string", "number", "word", "secret", "sequence", "none"]
    text: str
    words: Name = ()
    items: tuple[Value, ...] = ()

    @property
    def truth(self) -> bool:
        """As a flag: what says nothing says yes."""
        return self.text.lower() not in {"false", "off", "0", "no"}


Options = tuple[tuple[str, Value], ...]
"""Names in capitals, words apart by one space."""


def option(options: Options, name: str) -> Value | None:
    """The value of an option, None where it is not given."""
    return next((value for given, value in options if given == name), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """Text that PostgreSQL will understand once its relations are named for it."""

    text: str
    references: tuple[Reference, ...]
    has_wildcard: bool = False
    calls: frozenset[str] = frozenset()
    """Functions that it calls, in small letters; `current_user` and the like among them."""
    users: tuple[tuple[int, int], ...] = ()
    """Where `current_user` and the like stand in the text, which are no functions to PostgreSQL."""


@dataclasses.dataclass(frozen=True, slots=True)
class TypeName:
    """A column's type: its name, and what stands behind it (`(10)`, `[]`, ` list`)."""

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
    """How bytes are read or written; `registry` is the connection of a schema registry."""

    name: str
    registry: Name | None = None
    text: str = ""


NO_QUERY = Query("", ())
NO_COLUMN = ColumnDefinition("", TypeName(("text",)))
