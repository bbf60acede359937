"""The relations of mz_internal about running sources, sinks and clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.model import Item, SourceDefinition, SourceTableDefinition
from racehound_zoo.relations.objects import moment
from racehound_zoo.relations.snapshot import Status, SystemSnapshot

Record = Mapping[str, Any]


def _sources(snapshot: SystemSnapshot) -> Iterator[tuple[Item, str]]:
    """The sources and the tables that they fill, each with its type."""
    for item in snapshot.state.items.values():
        if isinstance(item.definition, SourceDefinition):
            yield item, item.definition.type
        elif isinstance(item.definition, SourceTableDefinition):
            yield item, "table"


def _status(item: Item, kind: str, status: Status) -> Record:
    return {
        "id": item.id, "name": item.name, "type": kind, "last_status_change_at": moment(status.since),
        "status": status.status, "error": status.error, "details": None,
    }  # fmt: skip


def _source_statuses(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item, kind in _sources(snapshot):
        yield _status(item, kind, snapshot.statuses.get(item.id, Status()))


def _sink_statuses(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if item.kind == "sink":
            kind = getattr(getattr(item.definition, "statement", None), "system", "KAFKA").lower()
            yield _status(item, kind, snapshot.statuses.get(item.id, Status("starting")))


def _source_statistics(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item, kind in _sources(snapshot):
        if kind not in {"progress", "subsource"}:
            status = snapshot.statuses.get(item.id, Status())
            yield {
                "id": item.id, "messages_received": status.received, "bytes_received": 0, "updates_staged": status.staged,
                "updates_committed": status.staged, "records_indexed": 0, "bytes_indexed": 0, "snapshot_committed": True,
                "offset_known": status.received, "offset_committed": status.received,
            }  # fmt: skip


def _sink_statistics(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if item.kind == "sink":
            status = snapshot.statuses.get(item.id, Status())
            yield {
                "id": item.id, "messages_staged": status.received, "messages_committed": status.received, "bytes_staged": 0,
                "bytes_committed": 0,
            }  # fmt: skip


def _source_references(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if isinstance(item.definition, SourceDefinition) and item.definition.statement is not None:
            for namespace, name, columns in snapshot.references(item.id):
                yield {
                    "source_id": item.id, "namespace": namespace, "name": name, "updated_at": moment(snapshot.now),
                    "columns": list(columns),
                }  # fmt: skip


def _webhook_sources(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if isinstance(item.definition, SourceDefinition) and item.definition.type == "webhook":
            yield {"id": item.id, "name": item.name, "url": snapshot.webhook_url(item.id)}


def _replica_statuses(snapshot: SystemSnapshot) -> Iterator[Record]:
    for cluster in snapshot.state.clusters.values():
        for replica in cluster.replicas:
            yield {
                "replica_id": replica.id,
                "process_id": 0,
                "status": "online",
                "reason": None,
                "updated_at": moment(snapshot.now),
            }


def _hydrated(snapshot: SystemSnapshot) -> Iterator[tuple[Item, str]]:
    """The objects that clusters compute, once for each replica that computes them."""
    for item in snapshot.state.items.values():
        cluster = snapshot.state.clusters.get(item.cluster or "")
        only = getattr(item.definition, "replica", None)
        for replica in cluster.replicas if cluster is not None else ():
            if only is None or replica.id == only:
                yield item, replica.id


def _hydration_statuses(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item, replica in _hydrated(snapshot):
        yield {"object_id": item.id, "replica_id": replica, "hydrated": True}


def _compute_hydration_statuses(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item, replica in _hydrated(snapshot):
        if item.kind in {"index", "materialized view"}:
            yield {"object_id": item.id, "replica_id": replica, "hydrated": True, "hydration_time": "00:00:00"}


def _frontiers(snapshot: SystemSnapshot) -> Iterator[Record]:
    for item in snapshot.state.items.values():
        if item.is_relation and item.kind != "view":
            yield {"object_id": item.id, "read_frontier": snapshot.changed([item.id]), "write_frontier": snapshot.now}


def _sessions(snapshot: SystemSnapshot) -> Iterator[Record]:
    for session in snapshot.sessions:
        yield {
            "id": session.id, "connection_id": session.number, "role_id": session.role, "client_ip": "127.0.0.1",
            "connected_at": moment(session.connected_at),
        }  # fmt: skip


def _subscriptions(snapshot: SystemSnapshot) -> Iterator[Record]:
    for each in snapshot.subscriptions:
        yield {
            "id": each.id, "session_id": each.session, "cluster_id": each.cluster, "created_at": moment(each.created_at),
            "referenced_object_ids": list(each.relations),
        }  # fmt: skip


RENDERERS: Mapping[str, Callable[[SystemSnapshot], Iterable[Record]]] = MappingProxyType(
    {
        "mz_cluster_replica_statuses": _replica_statuses,
        "mz_compute_hydration_statuses": _compute_hydration_statuses,
        "mz_frontiers": _frontiers,
        "mz_hydration_statuses": _hydration_statuses,
        "mz_sessions": _sessions,
        "mz_sink_statistics": _sink_statistics,
        "mz_sink_statuses": _sink_statuses,
        "mz_source_references": _source_references,
        "mz_source_statistics": _source_statistics,
        "mz_source_statuses": _source_statuses,
        "mz_subscriptions": _subscriptions,
        "mz_webhook_sources": _webhook_sources,
    }
)
