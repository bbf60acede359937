"""Prints objects as SQL, for SHOW CREATE and for the relations of the system catalog. The current names are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from racehound_zoo.catalog.model import (
    Cluster,
    ConnectionDefinition,
    IndexDefinition,
    Item,
    QueryDefinition,
    SecretDefinition,
    SinkDefinition,
    SourceDefinition,
    SourceTableDefinition,
    TableDefinition,
    TypeDefinition,
)
from racehound_zoo.catalog.state import State
from racehound_zoo.datatypes import builtin
from racehound_zoo.dialect.lexer import KEYWORDS
from racehound_zoo.dialect.parts import ColumnDefinition, Format, Name, Options, Query, TypeName, Value
from racehound_zoo.dialect.statements import External, LoadGenerator, Refresh, Webhook

_PLAIN_OPTIONS = frozenset({"SECURITY PROTOCOL"})


def identifier(name: str) -> str:
    """An identifier, in quotes where SQL needs them."""
    if (
        name
        and name == name.lower()
        and name.replace("_", "a").isalnum()
        and not name[0].isdigit()
        and name.upper() not in KEYWORDS
    ):
        return name
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def qualified(parts: Sequence[str]) -> str:
    return ".".join(identifier(part) for part in parts)


def name_of(state: State, key: str) -> str:
    """The full name of an item, or the id if no item has it."""
    item = state.item(key)
    return qualified(state.full_name(item)) if item is not None else f"[{key}]"


def query_text(state: State, query: Query, bound: Sequence[str]) -> str:
    """The text of a query, with the full names of the relations that it reads."""
    pieces, position = [], 0
    for reference, key in zip(query.references, bound, strict=True):
        pieces += [query.text[position : reference.start], name_of(state, key)]
        position = reference.end
    return " ".join("".join([*pieces, query.text[position:]]).split())


def create_sql(state: State, item: Item) -> str:
    """The statement that would create the item."""
    definition, name = item.definition, qualified(state.full_name(item))
    if isinstance(definition, TableDefinition):
        return f"CREATE TABLE {name} ({', '.join(_column(column) for column in definition.columns)});"
    if isinstance(definition, QueryDefinition):
        return _view(state, item, name, definition)
    if isinstance(definition, IndexDefinition):
        cluster = f" IN CLUSTER {_cluster(state, item)}" if item.cluster else ""
        return f"CREATE INDEX {identifier(item.name)}{cluster} ON {name_of(state, definition.on)} ({', '.join(definition.key)});"
    if isinstance(definition, SourceDefinition):
        return _source(state, item, name, definition)
    return _other(state, item, name)


def _other(state: State, item: Item, name: str) -> str:
    definition = item.definition
    if isinstance(definition, SourceTableDefinition):
        statement = definition.statement
        reference = ".".join(identifier(part) for part in definition.outer)
        written = f"CREATE TABLE {name} FROM SOURCE {name_of(state, definition.source)} (REFERENCE = {reference})"
        return written + _encoding(state, statement.key_format, statement.format, statement.envelope, definition.registry) + ";"
    if isinstance(definition, SinkDefinition):
        return _sink(state, item, name, definition)
    if isinstance(definition, ConnectionDefinition):
        return f"CREATE CONNECTION {name} TO {definition.type} ({_options(state, definition.options, dict(definition.bound))});"
    if isinstance(definition, SecretDefinition):
        return f"CREATE SECRET {name} AS '<REDACTED>';"
    assert isinstance(definition, TypeDefinition)
    return f"CREATE TYPE {name} AS {definition.statement.shape} ({_type_fields(definition)});"


def cluster_sql(cluster: Cluster) -> str:
    """The output of SHOW CREATE CLUSTER."""
    if not cluster.managed:
        replicas = ", ".join(f"\"{replica.name}\" (SIZE = '{replica.size}')" for replica in cluster.replicas)
        return f'CREATE CLUSTER "{cluster.name}" REPLICAS ({replicas})'
    return (
        f'CREATE CLUSTER "{cluster.name}" (DISK = true, INTROSPECTION DEBUGGING = false, INTROSPECTION INTERVAL = INTERVAL '
        f"'00:00:01', MANAGED = true, REPLICATION FACTOR = {len(cluster.replicas)}, SIZE = '{cluster.size}', SCHEDULE = MANUAL)"
    )


def _column(column: ColumnDefinition) -> str:
    null = "" if column.nullable else " NOT NULL"
    default = f" DEFAULT {column.default}" if column.default else ""
    return f"{identifier(column.name)} {type_text(column.type)}{null}{default}"


def type_text(name: TypeName) -> str:
    """The name of a type, with its schema."""
    known = builtin(name.name[-1])
    return (f"pg_catalog.{known.canonical}" if known else ".".join(name.name)) + name.suffix


def _type_fields(definition: TypeDefinition) -> str:
    fields = definition.statement.types
    if definition.statement.shape == "RECORD":
        return ", ".join(_column(field) for field in fields)
    return ", ".join(f"{field.name.upper()} TYPE = {type_text(field.type)}" for field in fields)


def _view(state: State, item: Item, name: str, definition: QueryDefinition) -> str:
    columns = f" ({', '.join(map(identifier, definition.columns))})" if definition.columns else ""
    text = query_text(state, definition.query, definition.bound)
    if item.kind == "view":
        return f"CREATE VIEW {name}{columns} AS {text};"
    refreshes = [_refresh(refresh) for refresh in definition.refreshes] or ["REFRESH = ON COMMIT"]
    options = refreshes[0] if len(refreshes) == 1 else "\n        " + ",\n        ".join(refreshes) + "\n    "
    return (
        f"{_creating(state, name, definition)}{columns}\n    IN CLUSTER {_cluster(state, item)}{_only_replica(state, item)}\n"
        f"    WITH ({options})\n    AS {text};"
    )


def _creating(state: State, name: str, definition: QueryDefinition) -> str:
    if definition.replaces is None:
        return f"CREATE MATERIALIZED VIEW {name}"
    return f"CREATE REPLACEMENT MATERIALIZED VIEW {name} FOR {name_of(state, definition.replaces)}"


def _only_replica(state: State, item: Item) -> str:
    cluster, key = state.clusters.get(item.cluster or ""), getattr(item.definition, "replica", None)
    return "".join(f" REPLICA {identifier(each.name)}" for each in (cluster.replicas if cluster else ()) if each.id == key)


def _refresh(refresh: Refresh) -> str:
    if refresh.strategy == "EVERY":
        aligned = f" ALIGNED TO {refresh.aligned_to}" if refresh.aligned_to else ""
        return f"REFRESH = EVERY '{refresh.text}'{aligned}"
    return f"REFRESH = {refresh.strategy}{f' {refresh.text}::mz_catalog.mz_timestamp' if refresh.text else ''}"


def _cluster(state: State, item: Item) -> str:
    cluster = state.clusters.get(item.cluster or "")
    return identifier(cluster.name) if cluster is not None else f"[{item.cluster}]"


def _source(state: State, item: Item, name: str, definition: SourceDefinition) -> str:
    statement = definition.statement
    if statement is None:
        parent = f" OF SOURCE {name_of(state, definition.parent)}" if definition.parent else ""
        return f"CREATE SUBSOURCE {name} ({', '.join(_shape(item))}){parent};"
    connector = statement.connector
    if isinstance(connector, Webhook):
        kind = "TABLE" if statement.is_table else "SOURCE"
        return f"CREATE {kind} {name} IN CLUSTER {_cluster(state, item)} FROM {connector.text};"
    if isinstance(connector, LoadGenerator):
        options = f" ({_options(state, connector.options, {})})" if connector.options else ""
        origin = f"LOAD GENERATOR {connector.generator}{options}"
    else:
        assert isinstance(connector, External)
        connection = name_of(state, definition.connection or "")
        origin = f"{connector.system} CONNECTION {connection} ({_options(state, connector.options, {})})"
    progress = f"\nEXPOSE PROGRESS AS {name_of(state, definition.progress)}" if definition.progress else ""
    encoding = _encoding(state, statement.key_format, statement.format, statement.envelope, definition.registry)
    return f"CREATE SOURCE {name}\nIN CLUSTER {_cluster(state, item)}\nFROM {origin}{encoding}{progress};"


def _shape(item: Item) -> list[str]:
    return [f"{identifier(column.name)} pg_catalog.{column.type.canonical}" for column in item.columns]


def _sink(state: State, item: Item, name: str, definition: SinkDefinition) -> str:
    statement = definition.statement
    encoding = _encoding(state, statement.key_format, statement.format, statement.envelope, definition.registry)
    key = f" KEY ({', '.join(map(identifier, statement.key))})" if statement.key else ""
    options = _options(state, statement.sink_options, {})
    return (
        f"CREATE SINK {name} IN CLUSTER {_cluster(state, item)} FROM {name_of(state, definition.relation)} INTO "
        f"{statement.system} CONNECTION {name_of(state, definition.connection)} ({options}){key}{encoding};"
    )


def _encoding(
    state: State, key_format: Format | None, value_format: Format | None, envelope: str | None, registry: str | None
) -> str:
    written = ""
    for prefix, one in (("KEY FORMAT", key_format), ("VALUE FORMAT" if key_format else "FORMAT", value_format)):
        if one is not None and one.registry is not None and registry is not None:
            written += f" {prefix} {one.name} USING CONFLUENT SCHEMA REGISTRY CONNECTION {name_of(state, registry)}"
        elif one is not None:
            written += f" {prefix} {one.text}"
    return written + (f" ENVELOPE {envelope}" if envelope else "")


def _options(state: State, options: Options, bound: Mapping[Name, str]) -> str:
    return ", ".join(f"{name} = {_value(state, name, value, bound)}" for name, value in options)


def _value(state: State, name: str, value: Value, bound: Mapping[Name, str]) -> str:
    if value.kind == "secret":
        return f"SECRET {name_of(state, bound[value.words]) if value.words in bound else value.text}"
    if value.words in bound:
        return name_of(state, bound[value.words])
    if value.kind == "string":
        escaped = value.text.replace("'", "''")
        return f"'{escaped}'"
    if value.kind == "sequence":
        return f"({', '.join(''.join(item.words) for item in value.items)})"
    return value.text.lower() if name in _PLAIN_OPTIONS else value.text
