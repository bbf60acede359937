"""Reads Parquet rows as Arrow displays them, and writes a file with a column of every type, both by DuckDB."""

from __future__ import annotations

import ctypes
import datetime as dt
import decimal
import math
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from racehound.testdrive.errors import ActionError
from racehound.testdrive.extras import load

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

CODECS = ("uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4")
"""How the pages of a file may be compressed."""


def read_lines(content: bytes) -> list[str]:
    """The rows, their columns separated by one space, as the Arrow library for Rust displays them. NULL is empty.

    Raises `ActionError` if the content is not Parquet.
    """
    duckdb = load("duckdb", "duckdb")
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect(":memory:") as database:
        file.write(content)
        file.flush()
        try:
            database.execute("SET TimeZone = 'UTC'")
            relation = database.from_parquet(file.name)
            types = list(relation.types)
            rows = relation.project(", ".join(map(_without_zone, range(1, len(types) + 1), types))).fetchall()
        except duckdb.Error as error:
            reason = " ".join(str(error).replace(file.name, "of it").split())
            raise ActionError(f"not a Parquet file: {reason}") from error
    return [" ".join(_display(cell, type_) for cell, type_ in zip(row, types, strict=True)) for row in rows]


def _without_zone(position: int, type_: DuckDBPyType) -> str:
    """Cast a column's times to UTC without a zone, since DuckDB's driver may fail to return times with zones."""
    name = str(type_)
    plain = name.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")
    return f"#{position}" if plain == name else f"CAST(#{position} AS {plain})"


def _display(value: object, type_: DuckDBPyType) -> str:
    if value is None:
        return ""
    display = _DISPLAYS.get(type_.id)
    return display(value, type_) if display is not None else str(value)


def _boolean(value: bool, _: DuckDBPyType) -> str:
    return "true" if value else "false"


def _float(value: float, type_: DuckDBPyType) -> str:
    """The shortest digits that identify the number. Large and small ones get scientific notation."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    is_single = type_.id == "float"
    digits, exponent = _shortest(value, is_single=is_single)
    sign = "-" if str(value).startswith("-") else ""
    point = len(digits) + exponent
    lowest, highest = (-6, 13) if is_single else (-5, 16)
    if 0 < point <= highest:
        padded = digits.ljust(point, "0")
        return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
    if lowest < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1}"


def _shortest(value: float, *, is_single: bool) -> tuple[str, int]:
    """The decimal digits without trailing zeros, and the exponent of the last digit."""
    text = repr(value)
    if is_single:
        texts = (f"{value:.{precision}g}" for precision in range(1, 10))
        text = next(text for text in texts if ctypes.c_float(float(text)).value == value)
    _, digits, exponent = decimal.Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int)
    return "".join(map(str, digits)), exponent


def _decimal(value: decimal.Decimal, _: DuckDBPyType) -> str:
    return f"{value:f}"


def _blob(value: bytes, _: DuckDBPyType) -> str:
    return value.hex()


def _uuid(value: uuid.UUID, _: DuckDBPyType) -> str:
    """Write a UUID as sixteen bytes, since Arrow has no such type."""
    return value.hex


def _timestamp(value: dt.datetime, type_: DuckDBPyType) -> str:
    return f"{_grouped(value.isoformat())}{'Z' if type_.id == 'timestamp with time zone' else ''}"


def _time(value: dt.time, _: DuckDBPyType) -> str:
    return _grouped(value.isoformat())


def _grouped(text: str) -> str:
    """Pad fractions of a second to groups of three digits."""
    return text.removesuffix("000") if "." in text else text


def _children(type_: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Names and types of the parts of a list, record or map. For an array its length is included."""
    return cast("list[tuple[str, DuckDBPyType]]", type_.children)


def _list(value: list[object], type_: DuckDBPyType) -> str:
    ((_, child), *_) = _children(type_)
    return f"[{', '.join(_display(item, child) for item in value)}]"


def _struct(value: Mapping[str, object], type_: DuckDBPyType) -> str:
    return f"{{{', '.join(f'{name}: {_display(value[name], child)}' for name, child in _children(type_))}}}"


def _map(value: Mapping[object, object], type_: DuckDBPyType) -> str:
    (_, key_type), (_, value_type) = _children(type_)
    pairs = (f"{_display(key, key_type)}: {_display(item, value_type)}" for key, item in value.items())
    return f"{{{', '.join(pairs)}}}"


_DISPLAYS: Mapping[str, Callable[[Any, Any], str]] = MappingProxyType(
    {
        "boolean": _boolean,
        "float": _float,
        "double": _float,
        "decimal": _decimal,
        "blob": _blob,
        "uuid": _uuid,
        "timestamp": _timestamp,
        "timestamp_s": _timestamp,
        "timestamp_ms": _timestamp,
        "timestamp_ns": _timestamp,
        "timestamp with time zone": _timestamp,
        "time": _time,
        "list": _list,
        "array": _list,
        "struct": _struct,
        "map": _map,
    }
)
"""Converters by DuckDB's type names. For other types, Python's text equals Arrow's."""

_COLUMNS: tuple[tuple[str, str, tuple[str, str, str]], ...] = (
    ("int8_col", "TINYINT", ("-1", "2", "3")),
    ("uint8_col", "UTINYINT", ("10", "20", "255")),
    ("int16_col", "SMALLINT", ("-32768", "200", "32767")),
    ("uint16_col", "USMALLINT", ("100", "200", "65535")),
    ("int32_col", "INTEGER", ("-2147483648", "2000", "2147483647")),
    ("uint32_col", "UINTEGER", ("1000", "2000", "4294967295")),
    ("int64_col", "BIGINT", ("-9223372036854775808", "20000", "9223372036854775807")),
    ("uint64_col", "UBIGINT", ("10000", "20000", "18446744073709551615")),
    ("float32_col", "FLOAT", ("1.25", "-2.5", "NULL")),
    ("float64_col", "DOUBLE", ("0.1", "1e300", "NULL")),
    ("bool_col", "BOOLEAN", ("true", "false", "NULL")),
    ("string_col", "VARCHAR", ("'fish'", "''", "'това е'")),
    ("binary_col", "BLOB", (r"'\x00\xFF'", "'raw'", "NULL")),
    ("date32_col", "DATE", ("'1970-01-01'", "'2024-02-29'", "NULL")),
    ("timestamp_ms_col", "TIMESTAMP_MS", ("'2024-02-29 10:10:10.123'", "'1970-01-01 00:00:00'", "NULL")),
    ("time32_col", "TIME", ("'10:10:10'", "'23:59:59'", "NULL")),
    ("list_col", "BIGINT[]", ("[1, 2]", "[]", "[3, NULL]")),
    ("decimal_col", "DECIMAL(20, 5)", ("1.23456", "-123456789.12345", "NULL")),
    ("json_col", "JSON", ("""'{"a": 5}'""", """'{"b": [1]}'""", "NULL")),
    (
        "record_col",
        "STRUCT(name VARCHAR, age INTEGER, avg DOUBLE)",
        ("('Taco', 3, 2.25)", "('Burger', 7, NULL)", "('SlimJim', 11, 0.5)"),
    ),
    ("uuid_col", "UUID", ("'85907cb9-ac9b-4e35-84b8-60dc69368aca'", "'00000000-0000-0000-0000-000000000001'", "NULL")),
)
"""Name, type and the values of three rows."""


def every_type(codec: str) -> bytes:
    """A file of three rows with a column of every type that scripts of this action expect. `codec`: one of `CODECS`."""
    names, types, values = zip(*_COLUMNS, strict=True)
    rows = ", ".join(f"({', '.join(map(_cast, row, types))})" for row in zip(*values, strict=True))
    with tempfile.TemporaryDirectory() as directory, load("duckdb", "duckdb").connect(":memory:") as database:
        path = Path(directory) / "types.parquet"
        query = f"SELECT * FROM (VALUES {rows}) AS rows({', '.join(names)})"
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, CODEC '{codec}')")
        return path.read_bytes()


def _cast(value: str, type_: str) -> str:
    return f"CAST({value} AS {type_})"
