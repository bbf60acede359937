"""Encodes rows as JSON and Avro, as Materialize's sinks do.

Source: Materialize's documentation, "CREATE SINK: Kafka", "JSON" and "Avro" under "Format details".
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from psycopg import pq
from psycopg.adapt import Transformer

from racehound.testdrive.formats import avro, confluent
from racehound.testdrive.formats.avro_schema import Names, Node
from racehound_zoo.catalog.model import Column
from racehound_zoo.sources.sink import Row

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TEXT_ARRAY = 1009
_DECIMAL_SCALE = 39
"""The number of decimal places of a number whose type has no scale."""
_DECIMAL_PRECISION = 81
_NAMESPACE = "com.materialize.sink"
_UNSIGNED = {"uint2": 2, "uint4": 4, "uint8": 8, "oid": 4}
_INTEGERS = {"smallint", "integer", "bigint", *_UNSIGNED}
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")


class Encoder(Protocol):
    """Encodes messages."""

    def envelope(self, before: Row | None, after: Row | None) -> bytes: ...

    def row(self, row: Row) -> bytes: ...


class JsonEncoder:
    """Encodes rows as JSON objects."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [(column.name, _json_reader(column)) for column in columns]

    def envelope(self, before: Row | None, after: Row | None) -> bytes:
        return _dump({"before": self._object(before), "after": self._object(after)})

    def row(self, row: Row) -> bytes:
        return _dump(self._object(row))

    def _object(self, row: Row | None) -> object:
        if row is None:
            return None
        return {name: None if value is None else read(value) for (name, read), value in zip(self._columns, row, strict=True)}


class AvroEncoder:
    """Encodes rows as records in Confluent's wire format. `register` registers a schema and returns its id."""

    def __init__(self, columns: Sequence[Column], schema: Mapping[str, Any], register: Callable[[str], int]) -> None:
        text = json.dumps(schema)
        self._node: Node = Names().read(text)
        self._columns = [_AvroField(column, name) for column, name in zip(columns, field_names(columns), strict=True)]
        self._header = confluent.header(register(text))

    def envelope(self, before: Row | None, after: Row | None) -> bytes:
        sides = {"before": self._branch(before), "after": self._branch(after)}
        return self._header + avro.encode(self._node, sides)

    def row(self, row: Row) -> bytes:
        return self._header + avro.encode(self._node, self._record(row))

    def _branch(self, row: Row | None) -> object:
        return None if row is None else {"row": self._record(row)}

    def _record(self, row: Row) -> dict[str, object]:
        return {field.name: field.value(value) for field, value in zip(self._columns, row, strict=True)}


class _AvroField:
    """A column as a field of a record."""

    def __init__(self, column: Column, name: str) -> None:
        self.name = name
        self._branch = _branch_name(column) if column.nullable else ""
        self._read = _avro_reader(column)

    def value(self, text: str | None) -> object:
        if text is None:
            return None
        value = self._read(text)
        return {self._branch: value} if self._branch else value


def row_schema(columns: Sequence[Column], name: str) -> dict[str, Any]:
    """The schema of a record with these columns."""
    seen: set[str] = set()
    fields = [
        {"name": called, "type": ["null", kind] if column.nullable else kind}
        for column, called in zip(columns, field_names(columns), strict=True)
        for kind in (_avro_type(column, seen),)
    ]
    return {"type": "record", "name": name, "fields": fields}


def envelope_schema(columns: Sequence[Column]) -> dict[str, Any]:
    """The schema of Debezium's envelope, with the fields before and after."""
    sides = [
        {"name": "before", "type": ["null", row_schema(columns, "row")]},
        {"name": "after", "type": ["null", "row"]},
    ]
    return {"type": "record", "name": "envelope", "fields": sides}


def field_names(columns: Sequence[Column]) -> list[str]:
    """Field names for the columns: Avro allows letters, digits and underscores only. A duplicate gets a number."""
    names: list[str] = []
    for column in columns:
        base = _NO_NAME.sub("_", column.name)
        base = f"_{base}" if not base or base[0].isdigit() else base
        name, number = base, 0
        while name in names:
            number += 1
            name = f"{base}{number}"
        names.append(name)
    return names


# Types


def _kind(column: Column) -> str:
    shown = column.shown or column.type.name
    return "array" if shown.endswith("[]") or shown in {"list"} else column.type.name


def _avro_type(column: Column, seen: set[str]) -> Any:  # noqa: ANN401 any JSON value
    kind = _kind(column)
    if kind in _UNSIGNED:
        size = _UNSIGNED[kind]
        return _named({"type": "fixed", "size": size, "name": f"{_NAMESPACE}.uint{size}"}, seen)
    if kind == "interval":
        return _named({"type": "fixed", "size": 16, "name": f"{_NAMESPACE}.interval"}, seen)
    return _AVRO_TYPES.get(kind, "string")


def _named(schema: dict[str, Any], seen: set[str]) -> Any:  # noqa: ANN401 any JSON value
    """The type, or its name alone if it has a name and has occurred before."""
    name: str = schema["name"]
    if name in seen:
        return name
    seen.add(name)
    return schema


def _branch_name(column: Column) -> str:
    kind = _avro_type(column, set())
    if isinstance(kind, str):
        return kind
    named: str = kind.get("name", kind["type"])
    return named


_AVRO_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "boolean": "boolean",
        "smallint": "int",
        "integer": "int",
        "bigint": "long",
        "real": "float",
        "double precision": "double",
        "bytea": "bytes",
        "date": {"type": "int", "logicalType": "date"},
        "time": {"type": "long", "logicalType": "time-micros"},
        "timestamp without time zone": {"type": "long", "logicalType": "timestamp-micros"},
        "timestamp with time zone": {"type": "long", "logicalType": "timestamp-micros"},
        "jsonb": {"type": "string", "connect.name": "io.debezium.data.Json"},
        "uuid": {"type": "string", "logicalType": "uuid"},
        "numeric": {
            "type": "bytes", "logicalType": "decimal", "precision": _DECIMAL_PRECISION, "scale": _DECIMAL_SCALE,
        },
        "array": {"type": "array", "items": ["null", "string"]},
    }
)  # fmt: skip


def _json_reader(column: Column) -> Callable[[str], Any]:
    kind = _kind(column)
    return int if kind in _INTEGERS else _JSON_READERS.get(kind, str)


def _avro_reader(column: Column) -> Callable[[str], Any]:
    kind = _kind(column)
    if kind in _UNSIGNED:
        size = _UNSIGNED[kind]
        return lambda text: list(int(text).to_bytes(size, "big"))
    return int if kind in _INTEGERS else _AVRO_READERS.get(kind, str)


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _truth(text: str) -> bool:
    return text == "t"


def _bytes(text: str) -> list[int]:
    return list(bytes.fromhex(text.removeprefix("\\x")))


def _array(text: str) -> list[str | None]:
    loader = Transformer().get_loader(_TEXT_ARRAY, pq.Format.TEXT)
    found: list[str | None] = loader.load(text.encode())
    return found


def _microseconds(text: str) -> int:
    """Microseconds since 1970, from PostgreSQL's text of a timestamp with or without a time zone."""
    moment = dt.datetime.fromisoformat(f"{text}:00" if re.search(r"[+-]\d\d$", text) else text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _milliseconds(text: str) -> str:
    """Milliseconds since 1970, with the microseconds as decimal places."""
    whole, rest = divmod(_microseconds(text), 1000)
    return f"{whole}.{rest:03}"


def _days(text: str) -> int:
    return (dt.date.fromisoformat(text) - _EPOCH.date()).days


def _of_day(text: str) -> int:
    clock = dt.time.fromisoformat(text)
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def _decimal(text: str) -> list[int]:
    """The number as two's complement, in as few bytes as possible."""
    scaled = int(decimal.Decimal(text).scaleb(_DECIMAL_SCALE, decimal.Context(prec=_DECIMAL_PRECISION * 2)))
    return list(scaled.to_bytes(scaled.bit_length() // 8 + 1, "big", signed=True))


def _interval(text: str) -> list[int]:
    """Months, days and microseconds in four, four and eight bytes, in little-endian order."""
    loaded: dt.timedelta = Transformer().get_loader(1186, pq.Format.TEXT).load(text.encode())
    microseconds = (loaded - dt.timedelta(days=loaded.days)) // dt.timedelta(microseconds=1)
    parts = ((0, 4), (loaded.days, 4), (microseconds, 8))
    return [byte for number, size in parts for byte in number.to_bytes(size, "little", signed=True)]


def _array_items(text: str) -> list[object]:
    return [None if item is None else {"string": item} for item in _array(text)]


_JSON_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "boolean": _truth,
        "real": float,
        "double precision": float,
        "bytea": _bytes,
        "jsonb": json.loads,
        "timestamp without time zone": _milliseconds,
        "timestamp with time zone": _milliseconds,
        "array": _array,
    }
)
_AVRO_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "boolean": _truth,
        "real": float,
        "double precision": float,
        "bytea": _bytes,
        "date": _days,
        "time": _of_day,
        "timestamp without time zone": _microseconds,
        "timestamp with time zone": _microseconds,
        "numeric": _decimal,
        "interval": _interval,
        "array": _array_items,
    }
)
