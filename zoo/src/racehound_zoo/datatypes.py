"""Data types: the names that a user may write, the names that the catalog shows, and the types that PostgreSQL stores instead."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class DataType:
    """A type.

    `name` is shown by the catalog and SHOW COLUMNS, `canonical` is the name in pg_catalog, `physical` the type in the storage,
    `oid` the OID that clients get.
    """

    name: str
    canonical: str
    physical: str
    oid: int


_TYPES = (
    DataType("boolean", "bool", "boolean", 16),
    DataType("bytea", "bytea", "bytea", 17),
    DataType("text", "text", "text", 25),
    DataType("smallint", "int2", "smallint", 21),
    DataType("integer", "int4", "integer", 23),
    DataType("bigint", "int8", "bigint", 20),
    DataType("real", "float4", "real", 700),
    DataType("double precision", "float8", "double precision", 701),
    DataType("numeric", "numeric", "numeric", 1700),
    DataType("date", "date", "date", 1082),
    DataType("time", "time", "time", 1083),
    DataType("timestamp without time zone", "timestamp", "timestamp", 1114),
    DataType("timestamp with time zone", "timestamptz", "timestamptz", 1184),
    DataType("interval", "interval", "interval", 1186),
    DataType("uuid", "uuid", "uuid", 2950),
    DataType("jsonb", "jsonb", "jsonb", 3802),
    DataType("oid", "oid", "oid", 26),
    DataType("numrange", "numrange", "numrange", 3906),
    DataType("character", "bpchar", "character", 1042),
    DataType("character varying", "varchar", "varchar", 1043),
    DataType("\"char\"", "char", '"char"', 18),
    # PostgreSQL has no unsigned integers, so the next larger type stores them.
    DataType("uint2", "uint2", "integer", 23),
    DataType("uint4", "uint4", "bigint", 20),
    DataType("uint8", "uint8", "numeric(20)", 1700),
    DataType("mz_timestamp", "mz_timestamp", "numeric(20)", 1700),
    DataType("mz_aclitem", "mz_aclitem", "text", 25),
    DataType("mz_aclitem[]", "mz_aclitem[]", "text[]", 1009),
    DataType("text[]", "text[]", "text[]", 1009),
    DataType("list", "list", "text[]", 1009),
)  # fmt: skip
_ALIASES = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean", "string": "text",
    "float": "double precision", "float8": "double precision", "float4": "real", "decimal": "numeric", "dec": "numeric",
    "json": "jsonb", "bytes": "bytea", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "varchar": "character varying", "char": "character", "bpchar": "character",
}  # fmt: skip
_BY_NAME = {each.name: each for each in _TYPES}
_BY_OID = {each.oid: each for each in reversed(_TYPES)}

TEXT = _BY_NAME["text"]
PHYSICAL_NAMES = {
    "uint2": "int4",
    "uint4": "int8",
    "uint8": "numeric",
    "mz_timestamp": "numeric",
    "mz_aclitem": "text",
    "string": "text",
}
"""Types that a query may name and that PostgreSQL lacks."""


def builtin(name: str) -> DataType | None:
    """The built-in type with this name or alias; None for a type that only the catalog can know."""
    small = name.lower()
    return _BY_NAME.get(_ALIASES.get(small, small))


def of_oid(oid: int) -> DataType:
    """The type for an OID of PostgreSQL. A type that is not listed here is shown as text."""
    return _BY_OID.get(oid, TEXT)
