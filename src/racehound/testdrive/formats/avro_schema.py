"""Avro schemas, read from JSON into a tree whose names are resolved (Avro specification, "Schema Declaration", "Names")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NO_DEFAULT = object()
"""The value of `Field.default` if the schema has none, since a default may be null."""


@dataclass(frozen=True)
class Primitive:
    """One of `PRIMITIVES`, perhaps with a logical type, which does not change its bytes."""

    kind: str
    logical: str = ""


@dataclass(frozen=True)
class Fixed:
    """A fixed number of bytes."""

    name: str
    size: int
    logical: str = ""


@dataclass(frozen=True)
class Enum:
    """One of the symbols, encoded as its index."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Array:
    """Items of one type."""

    items: Node


@dataclass(frozen=True)
class Map:
    """Values of one type; the keys are strings."""

    values: Node


@dataclass(frozen=True)
class Union:
    """A value of one of several types."""

    branches: tuple[Node, ...]


@dataclass(frozen=True)
class Field:
    """A field of a record. `default` is the schema's JSON; a union's default belongs to its first branch."""

    name: str
    type: Node
    default: object = NO_DEFAULT


@dataclass(eq=False)
class Record:
    """Fields in order. They are set after construction, since a record may contain itself."""

    name: str
    fields: list[Field] = field(default_factory=list)


Node: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record


class Names:
    """The types that schemas define, by full name. Schemas are read after those that they depend on."""

    def __init__(self) -> None:
        self._known: dict[str, Node] = {}

    def read(self, text: str) -> Node:
        """Read a schema and return its type. It may refer to types read before. Raises ValueError."""
        try:
            return self._type(json.loads(text), "")
        except json.JSONDecodeError as error:
            raise ValueError(f"the Avro schema is not JSON: {error}") from error

    def _type(self, schema: object, space: str) -> Node:
        match schema:
            case str():
                return self._referred(schema, space)
            case list():
                return Union(tuple(self._type(branch, space) for branch in schema))
            case dict():
                return self._described(schema, space)
            case _:
                raise ValueError(f"not an Avro type: {json.dumps(schema)}")

    def _described(self, schema: Mapping[str, object], space: str) -> Node:
        match _attribute(schema, "type"):
            case "array":
                return Array(self._type(_attribute(schema, "items"), space))
            case "map":
                return Map(self._type(_attribute(schema, "values"), space))
            case "record" | "error" | "enum" | "fixed":
                return self._named(schema, space)
            case str() as kind if kind in PRIMITIVES:
                return Primitive(kind, str(schema.get("logicalType", "")))
            case inner:
                return self._type(inner, space)

    def _referred(self, name: str, space: str) -> Node:
        if name in PRIMITIVES:
            return Primitive(name)
        known = self._known.get(full_name(name, space)) or self._known.get(name)
        if known is None:
            raise ValueError(f"unknown Avro type {name}")
        return known

    def _named(self, schema: Mapping[str, object], space: str) -> Node:
        name = full_name(str(_attribute(schema, "name")), str(schema.get("namespace", space)))
        if name in self._known:
            raise ValueError(f"the Avro type {name} is defined twice")
        match schema["type"]:
            case "enum":
                self._known[name] = Enum(name, tuple(map(str, _list(schema, "symbols"))))
            case "fixed":
                self._known[name] = Fixed(name, _size(schema), str(schema.get("logicalType", "")))
            case _:
                self._known[name] = record = Record(name)
                record.fields.extend(self._field(item, name.rpartition(".")[0]) for item in _list(schema, "fields"))
        return self._known[name]

    def _field(self, schema: object, space: str) -> Field:
        if not isinstance(schema, dict):
            raise ValueError(f"not a field of an Avro record: {json.dumps(schema)}")
        name, type_ = str(_attribute(schema, "name")), self._type(_attribute(schema, "type"), space)
        return Field(name, type_, schema.get("default", NO_DEFAULT))


def full_name(name: str, space: str) -> str:
    """The name with its namespace. A name with a dot contains one already."""
    return name if "." in name or not space else f"{space}.{name}"


def branch_names(branch: Node) -> tuple[str, ...]:
    """The names that JSON may use for a branch of a union, the canonical one first.

    The namespace of a named type may be omitted. A logical type may be named alone or after its primitive type, as other
    encoders write it.
    """
    match branch:
        case Primitive(kind=kind, logical=logical):
            return (kind, logical, f"{kind}.{logical}") if logical else (kind,)
        case Array():
            return ("array",)
        case Map():
            return ("map",)
        case Fixed() | Enum() | Record():
            return tuple(dict.fromkeys((branch.name, branch.name.rpartition(".")[2])))
        case Union():
            raise ValueError("an Avro union must not hold a union")


def _attribute(schema: Mapping[str, object], name: str) -> object:
    if name not in schema:
        raise ValueError(f"an Avro schema lacks {name!r} here: {json.dumps(schema)}")
    return schema[name]


def _list(schema: Mapping[str, object], name: str) -> list[object]:
    items = _attribute(schema, name)
    if not isinstance(items, list):
        raise ValueError(f"{name!r} of an Avro {schema['type']} must be a list: {json.dumps(items)}")
    return items


def _size(schema: Mapping[str, object]) -> int:
    size = _attribute(schema, "size")
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"the size of an Avro fixed must be a number of bytes: {json.dumps(size)}")
    return size
