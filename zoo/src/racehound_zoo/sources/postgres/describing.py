"""Describes the tables of a publication."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from racehound_zoo.datatypes import DataType, builtin
from racehound_zoo.errors import SqlError
from racehound_zoo.sources.postgres.replication import ReplicationConnection
from racehound_zoo.sources.postgres.spelling import literal
from racehound_zoo.sources.source import Shape
from racehound_zoo.sources.upstream import UpstreamColumn, UpstreamError, UpstreamTable

_TABLES = """
SELECT c.oid::text, p.schemaname, p.tablename, (c.relreplident = 'f')::text,
  (SELECT coalesce(json_agg(json_build_array(a.attnum, a.attname, t.typname, a.atttypid::text || ':' || a.atttypmod,
      NOT a.attnotnull) ORDER BY a.attnum), '[]')
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (p.attnames)),
  (SELECT coalesce(json_agg(k.names ORDER BY k.is_primary DESC, k.id), '[]') FROM (
    SELECT i.indisprimary AS is_primary, i.indexrelid AS id, json_agg(a.attname ORDER BY x.n) AS names
    FROM pg_index AS i, unnest(i.indkey) WITH ORDINALITY AS x(number, n), pg_attribute AS a
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND x.n <= i.indnkeyatts
      AND a.attrelid = c.oid AND a.attnum = x.number
    GROUP BY i.indisprimary, i.indexrelid HAVING bool_and(a.attnotnull)) AS k)
FROM pg_publication_tables AS p JOIN pg_namespace AS n ON n.nspname = p.schemaname
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE p.pubname = {publication} ORDER BY 2, 3
"""
_SETTINGS = """
SELECT current_setting('wal_level'), current_setting('max_wal_senders'),
  current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)
"""
_PUBLICATION = "SELECT 1 FROM pg_publication WHERE pubname = {publication}"
_SLOTS = 2
"""One slot for the stream and one for a snapshot."""
_SAME = {
    "bool", "bytea", "text", "int2", "int4", "int8", "float4", "float8", "numeric", "date", "time", "timestamp", "timestamptz",
    "interval", "uuid", "jsonb", "oid", "bpchar", "varchar", "json",
}  # fmt: skip
_ALSO = {"name": "text", "_text": "text[]", "char": '"char"'}


def check_settings(link: ReplicationConnection) -> None:
    """SqlError if the server's settings do not allow logical replication."""
    [(level, senders, slots)] = link.rows(_SETTINGS)
    if level != "logical":
        raise SqlError(f"server must have wal_level >= logical, but has {level}")
    if int(senders or 0) < 1:
        raise SqlError("replication disabled on server")
    if int(slots or 0) < _SLOTS:
        raise SqlError(
            "PostgreSQL server has insufficient number of replication slots available",
            detail=f"executing this statement requires {_SLOTS} replication slots",
            hint="you might be able to wait for other sources to finish snapshotting and try again",
        )


def check_publication(link: ReplicationConnection, publication: str) -> None:
    """UpstreamError if there is no publication with this name."""
    if not link.rows(_PUBLICATION.format(publication=literal(publication))):
        raise UpstreamError(f"publication {publication} does not exist")


def tables_of(link: ReplicationConnection, publication: str) -> list[UpstreamTable]:
    """The tables of a publication."""
    return [_table(row) for row in link.rows(_TABLES.format(publication=literal(publication)))]


def _table(row: Sequence[str | None]) -> UpstreamTable:
    number, namespace, name, full, columns, keys = (value or "" for value in row)
    return UpstreamTable(
        number, namespace, name, tuple(UpstreamColumn(*column) for column in json.loads(columns)),
        tuple(tuple(key) for key in json.loads(keys)), full == "true",
    )  # fmt: skip


def shape_of(table: UpstreamTable, database: str) -> Shape:
    """The columns of a table in the zoo. SqlError, with Materialize's message, if the table cannot be read."""
    if not table.full_identity:
        raise SqlError(
            "referenced items not tables with REPLICA IDENTITY FULL", detail=f"referenced items: {table.namespace}.{table.name}"
        )
    types = {column.name: type_of(column.kind) for column in table.columns}
    unknown = [column for column in table.columns if types[column.name] is None]
    if unknown:
        qualified = f"{database}.{table.namespace}.{table.name}"
        listed = [f"{qualified}.{each.name} (OID {each.type.partition(':')[0]})" for each in unknown]
        raise SqlError(
            "referenced tables use unsupported types",
            detail="\n".join(["the following columns contain unsupported types:", *listed]),
            hint="Use the TEXT COLUMNS option naming the listed columns, and Materialize can ingest their values as text.",
        )
    return table.shape(_known(types))


def type_of(kind: str) -> DataType | None:
    """The type of the zoo for a type of PostgreSQL; None if there is none."""
    found = builtin(_ALSO.get(kind, kind)) if kind in _SAME or kind in _ALSO else None
    # In the storage, `character` without a length has length 1.
    return dataclasses.replace(found, physical=kind) if found is not None and kind == "bpchar" else found


def _known(types: Mapping[str, DataType | None]) -> dict[str, DataType]:
    return {name: each for name, each in types.items() if each is not None}
