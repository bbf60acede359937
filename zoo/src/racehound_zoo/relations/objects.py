"""The relations of mz_catalog."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.model import (
    ConnectionDefinition,
    IndexDefinition,
    Item,
    QueryDefinition,
    SinkDefinition,
    SourceDefinition,
    SourceTableDefinition,
)
from racehound_zoo.catalog.printing import create_sql, query_text
from racehound_zoo.catalog.privileges import NAMES
from racehound_zoo.dialect.parts import option
from racehound_zoo.dialect.statements import External
from racehound_zoo.relations.snapshot import SystemSnapshot
from racehound_zoo.sizes import SIZES

Record = Mapping[str, Any]


def moment(milliseconds: int | None) -> str | None:
    """A time as text for JSON."""
    if milliseconds is None:
        return None
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).isoformat()


def everything(snapshot: SystemSnapshot) -> Iterator[Item]:
    """All items, of users and of the system, including temporary ones."""
    yield from snapshot.state.items.values()
    yield from snapshot.state.system.values()


def _base(item: Item) -> dict[str, Any]:
    return {"id": item.id, "oid": item.oid, "schema_id": item.schema, "name": item.name, "owner_id": item.owner}


def _of_kind(snapshot: SystemSnapshot, *kinds: str) -> Iterator[Item]:
    yield from (item for item in everything(snapshot) if item.kind in kinds)


def _written(snapshot: SystemSnapshot, item: Item) -> dict[str, Any]:
    text = None if item.is_system else create_sql(snapshot.state, item)
    return {"create_sql": text, "redacted_create_sql": text}


def _tables(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "table"):
        definition = item.definition
        source = definition.source if isinstance(definition, SourceTableDefinition) else None
        yield {**_base(item), **_written(snapshot, item), "privileges": item.acls, "source_id": source}


def _views(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "view"):
        yield {**_base(item), **_written(snapshot, item), "privileges": item.acls, "definition": _definition(snapshot, item)}


def _definition(snapshot: SystemSnapshot, item: Item) -> str:
    definition = item.definition
    if not isinstance(definition, QueryDefinition):
        return ""
    return query_text(snapshot.state, definition.query, definition.bound) + ";"


def _materialized_views(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "materialized view"):
        yield {
            **_base(item), **_written(snapshot, item), "privileges": item.acls, "cluster_id": item.cluster,
            "definition": _definition(snapshot, item),
        }  # fmt: skip


def _indexes(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "index"):
        assert isinstance(item.definition, IndexDefinition)
        yield {**_base(item), **_written(snapshot, item), "on_id": item.definition.on, "cluster_id": item.cluster}


def _index_columns(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "index"):
        assert isinstance(item.definition, IndexDefinition)
        on = snapshot.state.item(item.definition.on)
        names = [column.name for column in on.columns] if on is not None else []
        for position, key in enumerate(item.definition.key, start=1):
            plain = key.strip('"')
            position_on = names.index(plain) + 1 if plain in names else None
            yield {
                "index_id": item.id, "index_position": position, "on_position": position_on,
                "on_expression": key if position_on is None else None, "nullable": True,
            }  # fmt: skip


def _sources(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "source"):
        definition = item.definition
        assert isinstance(definition, SourceDefinition)
        statement = definition.statement
        yield {
            **_base(item), **_written(snapshot, item), "privileges": item.acls, "type": definition.type,
            "connection_id": definition.connection, "cluster_id": item.cluster,
            "envelope_type": statement.envelope.lower() if statement is not None and statement.envelope else None,
            "key_format": statement.key_format.name.lower() if statement is not None and statement.key_format else None,
            "value_format": statement.format.name.lower() if statement is not None and statement.format else None,
        }  # fmt: skip


def _sinks(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "sink"):
        definition = item.definition
        assert isinstance(definition, SinkDefinition)
        statement = definition.statement
        form = statement.format.name.lower() if statement.format else "parquet"
        key_format = statement.key_format.name.lower() if statement.key_format else None
        yield {
            **_base(item), **_written(snapshot, item), "type": statement.system.lower(), "connection_id": definition.connection,
            "envelope_type": (statement.envelope or "").lower() or None, "format": form, "key_format": key_format,
            "value_format": form, "cluster_id": item.cluster,
        }  # fmt: skip


def _connections(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "connection"):
        assert isinstance(item.definition, ConnectionDefinition)
        kind = item.definition.type.lower().replace(" ", "-")
        yield {**_base(item), **_written(snapshot, item), "privileges": item.acls, "type": kind}


def _kafka_connections(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "connection"):
        assert isinstance(item.definition, ConnectionDefinition)
        if item.definition.type == "KAFKA":
            broker = option(item.definition.options, "BROKER")
            yield {
                "id": item.id,
                "brokers": [broker.text] if broker else [],
                "sink_progress_topic": f"_materialize-progress-{item.id}",
            }


def _kafka_sources(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "source"):
        topic = topic_of(item)
        if topic is not None:
            yield {"id": item.id, "group_id_prefix": f"materialize-{item.id}-", "topic": topic}


def topic_of(item: Item) -> str | None:
    """The topic of a Kafka source; None for other items."""
    definition = item.definition
    statement = definition.statement if isinstance(definition, SourceDefinition) else None
    if statement is None or not isinstance(statement.connector, External) or statement.connector.system != "KAFKA":
        return None
    topic = option(statement.connector.options, "TOPIC")
    return topic.text if topic is not None else None


def _kafka_sinks(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "sink"):
        assert isinstance(item.definition, SinkDefinition)
        topic = option(item.definition.statement.sink_options, "TOPIC")
        if topic is not None:
            yield {"id": item.id, "topic": topic.text}


def _secrets(snapshot: SystemSnapshot) -> Iterator[Record]:
    yield from ({**_base(item), "privileges": item.acls} for item in _of_kind(snapshot, "secret"))


def _types(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in _of_kind(snapshot, "type"):
        category = {"LIST": "list", "MAP": "map"}.get(
            getattr(getattr(item.definition, "statement", None), "shape", ""), "composite"
        )
        yield {**_base(item), **_written(snapshot, item), "privileges": item.acls, "category": category}


def shown_kind(item: Item) -> str:
    """The kind of an item, as the relations name it."""
    return item.kind.replace(" ", "-")


def _objects(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in everything(snapshot):
        acls = item.acls or None
        yield {**_base(item), "type": shown_kind(item), "cluster_id": item.cluster, "privileges": acls}


def _relations(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in everything(snapshot):
        if item.is_relation:
            yield {**_base(item), "type": shown_kind(item), "cluster_id": item.cluster, "privileges": item.acls}


def _columns(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in everything(snapshot):
        for position, column in enumerate(item.columns, start=1):
            yield {
                "id": item.id, "name": column.name, "position": position, "nullable": column.nullable,
                "type": column.shown or column.type.name, "default": None, "type_oid": column.type.oid, "type_mod": -1,
            }  # fmt: skip


def _databases(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.state.databases.values():
        yield {"id": each.id, "oid": each.oid, "name": each.name, "owner_id": each.owner, "privileges": each.acls}


def _schemas(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.state.schemas.values():
        yield {
            "id": each.id, "oid": each.oid, "database_id": each.database, "name": each.name, "owner_id": each.owner,
            "privileges": each.acls,
        }  # fmt: skip


def _roles(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.state.roles.values():
        yield {"id": each.id, "oid": each.oid, "name": each.name, "inherit": True}


def _role_members(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.state.roles.values():
        for parent, grantor in each.memberships:
            yield {"role_id": parent, "member": each.id, "grantor": grantor}


def _default_privileges(snapshot: SystemSnapshot) -> Iterator[Record]:
    for owner, database, schema, kind, grantee, letters in snapshot.state.default_privileges:
        yield {
            "role_id": owner, "database_id": database, "schema_id": schema, "object_type": kind, "grantee": grantee,
            "privileges": "".join(letter for letter in NAMES if letter in letters),
        }  # fmt: skip


def _system_privileges(snapshot: SystemSnapshot) -> Iterator[Record]:
    yield from ({"privileges": acl} for acl in snapshot.state.system_acls)


def _clusters(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.state.clusters.values():
        yield {
            "id": each.id, "name": each.name, "owner_id": each.owner, "privileges": each.acls, "managed": each.managed,
            "size": each.size if each.managed else None, "replication_factor": len(each.replicas) if each.managed else None,
            "disk": True if each.managed else None, "availability_zones": None,
            "introspection_debugging": False if each.managed else None,
            "introspection_interval": "00:00:01" if each.managed else None,
        }  # fmt: skip


def _cluster_replicas(snapshot: SystemSnapshot) -> Iterator[Record]:
    for cluster in snapshot.state.clusters.values():
        for replica in cluster.replicas:
            yield {
                "id": replica.id, "name": replica.name, "cluster_id": cluster.id, "size": replica.size,
                "availability_zone": None, "owner_id": replica.owner, "disk": True,
            }  # fmt: skip


def _sizes(_: SystemSnapshot) -> Iterator[Record]:
    for size in SIZES:
        yield {
            "size": size.name, "processes": size.processes, "workers": size.workers, "cpu_nano_cores": 18446744073709000000,
            "memory_bytes": size.memory_bytes, "disk_bytes": 1 << 30, "credits_per_hour": size.credits,
        }  # fmt: skip


def _audit_events(snapshot: SystemSnapshot) -> Iterator[Record]:
    for number, event in enumerate(snapshot.events, start=1):
        user = snapshot.state.roles.get(event.role)
        yield {
            "id": number, "event_type": event.event, "object_type": event.object_type.replace(" ", "-"),
            "details": json.loads(json.dumps({"id": event.id, "name": event.name})), "user": user.name if user else None,
            "occurred_at": moment(event.at),
        }  # fmt: skip


RENDERERS: Mapping[str, Callable[[SystemSnapshot], Iterable[Record]]] = MappingProxyType(
    {
        "mz_audit_events": _audit_events,
        "mz_cluster_replica_sizes": _sizes,
        "mz_cluster_replicas": _cluster_replicas,
        "mz_clusters": _clusters,
        "mz_columns": _columns,
        "mz_connections": _connections,
        "mz_databases": _databases,
        "mz_default_privileges": _default_privileges,
        "mz_index_columns": _index_columns,
        "mz_indexes": _indexes,
        "mz_kafka_connections": _kafka_connections,
        "mz_kafka_sinks": _kafka_sinks,
        "mz_kafka_sources": _kafka_sources,
        "mz_materialized_views": _materialized_views,
        "mz_objects": _objects,
        "mz_relations": _relations,
        "mz_role_members": _role_members,
        "mz_roles": _roles,
        "mz_schemas": _schemas,
        "mz_secrets": _secrets,
        "mz_sinks": _sinks,
        "mz_sources": _sources,
        "mz_system_privileges": _system_privileges,
        "mz_tables": _tables,
        "mz_types": _types,
        "mz_views": _views,
    }
)
