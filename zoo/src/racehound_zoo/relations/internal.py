"""The relations of mz_internal that follow from the catalog alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.model import QueryDefinition, SourceDefinition, SourceTableDefinition
from racehound_zoo.dialect.statements import External
from racehound_zoo.relations.objects import everything, moment, shown_kind, topic_of
from racehound_zoo.relations.snapshot import SystemSnapshot

Record = Mapping[str, Any]


def _comments(snapshot: SystemSnapshot) -> Iterator[Record]:
    for place, text in snapshot.state.comments.items():
        kind = shown_kind(snapshot.state.known(place.id)) if place.kind == "item" else place.kind.replace(" ", "-")
        yield {"id": place.id, "object_type": kind, "object_sub_id": place.column, "comment": text}


def _dependencies(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        for used in item.uses:
            yield {"object_id": item.id, "referenced_object_id": used}


def _transitive_dependencies(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        seen: set[str] = set()
        waiting = [*item.uses]
        while waiting:
            used = waiting.pop()
            if used not in seen:
                seen.add(used)
                further = snapshot.state.item(used)
                waiting += further.uses if further is not None else ()
        yield from ({"object_id": item.id, "referenced_object_id": used} for used in sorted(seen))


def _full_names(snapshot: SystemSnapshot) -> Iterator[Record]:
    state = snapshot.state
    for item in everything(snapshot):
        schema = state.schemas.get(item.schema)
        if schema is not None:
            yield {
                "id": item.id, "name": item.name, "object_type": shown_kind(item), "schema_id": schema.id,
                "schema_name": schema.name, "database_id": schema.database, "cluster_id": item.cluster,
                "database_name": getattr(state.databases.get(schema.database or ""), "name", None),
            }  # fmt: skip


def _lifetimes(snapshot: SystemSnapshot) -> Iterator[Record]:
    for event in snapshot.events:
        if event.event in {"create", "drop"}:
            yield {
                "id": event.id, "previous_id": None, "object_type": event.object_type.replace(" ", "-"),
                "event_type": event.event, "occurred_at": moment(event.at),
            }  # fmt: skip


def _refresh_strategies(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if item.kind != "materialized view" or not isinstance(item.definition, QueryDefinition):
            continue
        for refresh in item.definition.refreshes:
            kind = {"EVERY": "every", "ON COMMIT": "on-commit"}.get(refresh.strategy, "at")
            at = moment(int(refresh.text)) if kind == "at" and refresh.text.isdigit() else None
            yield {
                "materialized_view_id": item.id, "type": kind, "interval": refresh.text if kind == "every" else None,
                "aligned_to": moment(int(refresh.aligned_to)) if refresh.aligned_to and refresh.aligned_to.isdigit() else None,
                "at": at,
            }  # fmt: skip
        if not item.definition.refreshes:
            yield {"materialized_view_id": item.id, "type": "on-commit"}


def _network_policies(_: SystemSnapshot) -> Iterator[Record]:
    yield {"id": "u1", "name": "default", "owner_id": "s1", "privileges": ["=U/s1", "s1=U/s1"], "oid": 20_000}


def _source_tables(system: str) -> Callable[[SystemSnapshot], Iterable[Record]]:
    """The tables of sources on PostgreSQL or MySQL, each with its upstream table."""

    def render(snapshot: SystemSnapshot) -> Iterator[Record]:
        for item in snapshot.state.items.values():
            definition = item.definition
            if isinstance(definition, SourceTableDefinition) and _system(snapshot, definition.source) == system:
                schema, table = (("", "", *definition.outer))[-2:]
                yield {"id": item.id, "schema_name": schema, "table_name": table}

    return render


def _kafka_source_tables(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        definition = item.definition
        if isinstance(definition, SourceTableDefinition) and _system(snapshot, definition.source) == "KAFKA":
            source = snapshot.state.known(definition.source)
            statement = definition.statement
            yield {
                "id": item.id, "topic": topic_of(source), "envelope_type": (statement.envelope or "none").lower(),
                "key_format": statement.key_format.name.lower() if statement.key_format else None,
                "value_format": statement.format.name.lower() if statement.format else None,
            }  # fmt: skip


def _system(snapshot: SystemSnapshot, source: str) -> str:
    item = snapshot.state.item(source)
    definition = item.definition if item is not None else None
    statement = definition.statement if isinstance(definition, SourceDefinition) else None
    return statement.connector.system if statement is not None and isinstance(statement.connector, External) else ""


RENDERERS: Mapping[str, Callable[[SystemSnapshot], Iterable[Record]]] = MappingProxyType(
    {
        "mz_comments": _comments,
        "mz_kafka_source_tables": _kafka_source_tables,
        "mz_materialized_view_refresh_strategies": _refresh_strategies,
        "mz_mysql_source_tables": _source_tables("MYSQL"),
        "mz_network_policies": _network_policies,
        "mz_object_dependencies": _dependencies,
        "mz_object_fully_qualified_names": _full_names,
        "mz_object_lifetimes": _lifetimes,
        "mz_object_transitive_dependencies": _transitive_dependencies,
        "mz_postgres_source_tables": _source_tables("POSTGRES"),
    }
)
