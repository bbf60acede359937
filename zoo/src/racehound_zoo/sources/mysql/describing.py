"""Describes the tables of a MySQL server."""

from __future__ import annotations

from racehound_zoo.datatypes import DataType, builtin
from racehound_zoo.dialect.parts import Name
from racehound_zoo.errors import SqlError
from racehound_zoo.sources.mysql.session import Connection, rows
from racehound_zoo.sources.source import Offer, Shape
from racehound_zoo.sources.upstream import UpstreamColumn, UpstreamTable

_SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys')"
_OFFERS = f"""
SELECT c.table_schema, c.table_name, c.column_name
FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN {_SYSTEM}
ORDER BY 1, 2, c.ordinal_position
"""
_COLUMNS = """
SELECT ordinal_position, column_name, data_type, column_type, is_nullable
FROM information_schema.columns WHERE table_schema = %(schema)s AND table_name = %(table)s ORDER BY 1
"""
_KEYS = """
SELECT index_name, column_name FROM information_schema.statistics
WHERE table_schema = %(schema)s AND table_name = %(table)s AND non_unique = 0
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index
"""
_NEEDED = {
    "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "gtid_mode": "ON", "enforce_gtid_consistency": "ON",
}  # fmt: skip
_METADATA, _FULL = "binlog_row_metadata", "FULL"
_TYPES = {
    "tinyint": "smallint", "smallint": "smallint", "mediumint": "integer", "int": "integer", "bigint": "bigint",
    "tinyint unsigned": "uint2", "smallint unsigned": "uint2", "mediumint unsigned": "uint4", "int unsigned": "uint4",
    "bigint unsigned": "uint8", "bit": "uint8", "float": "real", "double": "double precision", "decimal": "numeric",
    "date": "date", "time": "time", "datetime": "timestamp", "timestamp": "timestamp", "json": "jsonb",
    "char": "varchar", "varchar": "varchar", "tinytext": "text", "text": "text", "mediumtext": "text", "longtext": "text",
    "binary": "bytea", "varbinary": "bytea", "tinyblob": "bytea", "blob": "bytea", "mediumblob": "bytea", "longblob": "bytea",
}  # fmt: skip


def check_settings(connection: Connection) -> None:
    """SqlError if the server's settings do not allow its binary log to be read."""
    found = dict(rows(connection, "SHOW GLOBAL VARIABLES"))
    wrong = [(name, want, found.get(name, "")) for name, want in _NEEDED.items() if found.get(name, "").upper() != want]
    if wrong:
        listed = "; ".join(f"{name}: expected {want}, got {value}" for name, want, value in wrong)
        raise SqlError(
            "Invalid MySQL system replication settings",
            detail=f"Invalid MySQL system replication settings: {listed}",
            hint="Set the necessary MySQL database system settings.",
        )


def check_metadata(connection: Connection) -> None:
    """SqlError if the binary log does not contain the names of columns."""
    value = dict(rows(connection, f"SHOW GLOBAL VARIABLES LIKE '{_METADATA}'")).get(_METADATA, "")
    if value.upper() != _FULL:
        raise SqlError(f"invalid mysql system setting '{_METADATA}'. Expected '{_FULL}'. Got '{value}'.")


def offers_of(connection: Connection) -> list[Offer]:
    """The tables of all databases but the system's."""
    columns: dict[Name, list[str]] = {}
    for schema, table, column in rows(connection, _OFFERS):
        columns.setdefault((schema, table), []).append(column)
    return [Offer(name, tuple(of)) for name, of in columns.items()]


def described(connection: Connection, schema: str, table: str) -> UpstreamTable | None:
    """The current definition of a table; None if it does not exist."""
    position = {"schema": schema, "table": table}
    columns = []
    for number, name, kind, written, nullable in rows(connection, _COLUMNS, position):
        unsigned = " unsigned" if "unsigned" in written else ""
        columns.append(UpstreamColumn(int(number), name, f"{kind}{unsigned}", written, nullable == "YES"))
    if not columns:
        return None
    keys: dict[str, list[str]] = {}
    for index, column in rows(connection, _KEYS, position):
        keys.setdefault(index, []).append(column)
    total = {column.name for column in columns if not column.nullable}
    return UpstreamTable(
        identity(schema, table), schema, table, tuple(columns), tuple(tuple(key) for key in keys.values() if {*key} <= total)
    )


def identity(schema: str, table: str) -> str:
    """A substitute for the id of a table: MySQL has no id that every user may read."""
    return f"{schema}.{table}"


def type_of(column: UpstreamColumn) -> DataType | None:
    """The type of the zoo for a type of MySQL; None if there is none."""
    name = _TYPES.get(column.kind.removesuffix(" unsigned")) if column.kind not in _TYPES else _TYPES[column.kind]
    return builtin(name) if name is not None else None


def shape_of(table: UpstreamTable) -> Shape:
    """The columns of a table in the zoo. SqlError, with Materialize's message, if the table cannot be read."""
    types, unknown = {}, []
    for column in table.columns:
        found = type_of(column)
        if found is None:
            unknown.append(f"'{column.type}' for {column.name}.{table.name}")
        else:
            types[column.name] = found
    if unknown:
        raise SqlError(
            "referenced tables use unsupported types",
            detail="\n".join(["the following columns contain unsupported types:", *unknown]),
            hint="Check the docs -- some types can be supported using the TEXT COLUMNS option to ingest their values as text, "
            "or ignored using EXCLUDE COLUMNS.",
        )
    return table.shape(types)
