"""Avro types as column types, and the values that fastavro returns as PostgreSQL's text (Avro specification, "Logical Types")."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from racehound.testdrive.formats.avro_schema import Array, Enum, Fixed, Map, Node, Primitive, Record, Union
from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import DataType, builtin
from racehound_zoo.errors import unsupported

_PRIMITIVES = {
    "null": "text", "boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double precision",
    "bytes": "bytea", "string": "text",
}  # fmt: skip
_LOGICAL = {
    "date": "date", "time-millis": "time", "time-micros": "time", "decimal": "numeric", "uuid": "uuid",
    "timestamp-millis": "timestamp", "timestamp-micros": "timestamp", "local-timestamp-millis": "timestamp",
    "local-timestamp-micros": "timestamp",
}  # fmt: skip
_NESTED = {Array: "list", Map: "map", Record: "record"}


def known(name: str) -> DataType:
    """The built-in type of that name."""
    found = builtin(name)
    assert found is not None, name
    return found


def columns_of(node: Node, alone: str) -> tuple[Column, ...]:
    """The fields of a record as columns; any other type is one column with the name `alone`.

    SqlError for a union of several types.
    """
    if isinstance(node, Record):
        return tuple(_column(field.name, field.type) for field in node.fields)
    return (_column(alone, node),)


def _column(name: str, node: Node) -> Column:
    if isinstance(node, Union):
        branches = [branch for branch in node.branches if branch != Primitive("null")]
        if len(branches) != 1:
            raise unsupported(f"an Avro union of several types, as {name} is,")
        inner = _column(name, branches[0])
        return Column(name, inner.type, len(branches) < len(node.branches), inner.shown)
    match node:
        case Primitive(kind=kind, logical=logical):
            name_of_type, shown = _LOGICAL.get(logical, _PRIMITIVES[kind]), ""
        case Fixed(logical=logical):
            name_of_type, shown = _LOGICAL.get(logical, "bytea"), ""
        case Enum():
            name_of_type, shown = "text", ""
        case Array() | Map() | Record():
            name_of_type, shown = "jsonb", _NESTED[type(node)]
    return Column(name, known(name_of_type), node == Primitive("null"), shown)


def text(value: Any) -> str | None:  # noqa: ANN401 any value that an Avro schema describes
    """The value in PostgreSQL's text format."""
    return _TEXTS.get(type(value), str)(value)


def _json(value: object) -> str:
    return json.dumps(value, default=text, ensure_ascii=False)


_TEXTS: Mapping[type, Callable[[Any], str | None]] = MappingProxyType(
    {
        type(None): lambda _: None,
        str: str,
        int: str,
        bool: lambda value: "t" if value else "f",
        float: repr,
        bytes: lambda value: f"\\x{value.hex()}",
        decimal.Decimal: lambda value: format(value, "f"),
        dt.date: str,
        dt.time: str,
        dt.datetime: str,
        uuid.UUID: str,
        dict: _json,
        list: _json,
    }
)
