"""Starts and stops sources and sinks, as the catalog says.

It watches the catalog: a source or sink runs while it exists and its cluster has a replica. Nothing here waits, because watchers
are called under the catalog's lock.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Item, SinkDefinition, SourceDefinition
from racehound_zoo.catalog.state import State
from racehound_zoo.defect_hooks import SeededDefects
from racehound_zoo.errors import SqlError
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.rows import physical_name
from racehound_zoo.sources.facts import sink_facts, source_facts, system_of, tables_of
from racehound_zoo.sources.registry import connector, sink_connector
from racehound_zoo.sources.sink import Feed, RelationDroppedError, Row, RunningSink, SentRows, new_sent_rows
from racehound_zoo.sources.source import Connector, Ingestion, SourceFacts
from racehound_zoo.sources.target import ProgressRelation, SourceTarget
from racehound_zoo.sources.upstream_cleanup import UpstreamCleanup
from racehound_zoo.storage import Storage

_POLL = 0.02
_ENDING = 5.0
"""The time, in seconds, that sources and sinks have to end when the server stops."""


@dataclasses.dataclass(frozen=True)
class _KnownSource:
    """What outlives an ingestion of a source. `last` is the newest ingestion, which may have ended."""

    target: SourceTarget
    connector: Connector
    facts: SourceFacts
    last: Ingestion


@dataclasses.dataclass
class _SourceEntry:
    ingestion: Ingestion
    tables: frozenset[str]
    replica: str
    """The id of the replica that the source runs on."""


@dataclasses.dataclass
class _SinkEntry:
    running: RunningSink
    relation: str
    feed: Feed
    replica: str


class Manager:
    """The running sources and sinks. They are changed under the catalog's lock only."""

    def __init__(self, catalog: Catalog, storage: Storage, defects: SeededDefects) -> None:
        self._catalog = catalog
        self._storage = storage
        self._defects = defects
        self._sources: dict[str, _SourceEntry] = {}
        self._sinks: dict[str, _SinkEntry] = {}
        self._known: dict[str, _KnownSource] = {}
        self._cleanup = UpstreamCleanup()
        self._sent: dict[str, SentRows] = {}
        catalog.watch(self._follow)

    def stop(self) -> None:
        """Stop all sources and sinks, and wait for them."""
        running: list[Ingestion | RunningSink] = [source.ingestion for source in self._sources.values()]
        running += [sink.running for sink in self._sinks.values()]
        for each in running:
            each.stop()
        self._storage.wake()
        for each in running:
            each.join(_ENDING)
        for kept in self._known.values():
            self._cleanup.add(kept.connector, kept.facts, kept.target, kept.last)
        self._cleanup.finish(_ENDING)

    def statuses(self) -> Mapping[str, Status]:
        """The statuses of sources, their tables and sinks, by id."""
        found = {}
        for key, source in list(self._sources.items()):
            found.update({each: source.ingestion.status(each) for each in (key, *source.tables)})
        found.update({key: sink.running.status() for key, sink in list(self._sinks.items())})
        return found

    def await_snapshots(self, keys: Sequence[str], interrupted: Callable[[], bool]) -> None:
        """Wait until these relations have their snapshots.

        SqlError for a relation whose source has failed for good (status "ceased").
        """
        moment = self._storage.changed(keys)
        while not interrupted() and any(self._status(key).status == "starting" for key in keys):
            moment = self._storage.await_change(keys, moment, _POLL, interrupted)
        for error in (status.error for status in map(self._status, keys) if status.status == "ceased"):
            _, _, text = (error or "").partition(": ")
            raise SqlError(f"Source error: source must be dropped and recreated due to failure: {text}")

    def _status(self, key: str) -> Status:
        """The status of a relation; "running" for one that no source fills."""
        for source_key, source in list(self._sources.items()):
            if key == source_key or key in source.tables:
                return source.ingestion.status(key)
        return Status()

    def _follow(self, _: State, after: State) -> None:
        wanted = {item.id: item for item in after.items.values() if _replicas(after, item)}
        for key, source in [*self._sources.items()]:
            if key not in wanted or source.replica not in _replicas(after, wanted[key]):
                self._known[key].target.revoke()
                self._sources.pop(key).ingestion.stop()
        for key, sink in [*self._sinks.items()]:
            if key not in wanted or sink.replica not in _replicas(after, wanted[key]):
                self._end_sink(self._sinks.pop(key))
        for key in self._known.keys() - after.items.keys():
            gone = self._known.pop(key)
            self._cleanup.add(gone.connector, gone.facts, gone.target, gone.last)
        self._sent = {key: sent for key, sent in self._sent.items() if key in after.items}
        for item in wanted.values():
            if item.kind == "sink":
                self._keep_sink(after, item)
            else:
                self._keep_source(after, item)

    def _keep_source(self, state: State, item: Item) -> None:
        tables = tables_of(state, item)
        running = self._sources.get(item.id)
        if running is None:
            assert isinstance(item.definition, SourceDefinition)
            target = self._known[item.id].target if item.id in self._known else self._new_target(item)
            upstream, facts = connector(system_of(item.definition)), source_facts(state, item)
            started = upstream.start(facts, [*tables.values()], target.lease())
            self._known[item.id] = _KnownSource(target, upstream, facts, started)
            self._sources[item.id] = _SourceEntry(started, frozenset(tables), _replicas(state, item)[0])
            return
        for key in running.tables - tables.keys():
            running.ingestion.remove_table(key)
        for key in tables.keys() - running.tables:
            running.ingestion.add_table(tables[key])
        running.tables = frozenset(tables)

    def _new_target(self, item: Item) -> SourceTarget:
        assert isinstance(item.definition, SourceDefinition)
        progress_relation = ProgressRelation(system_of(item.definition), item.definition.progress)
        return SourceTarget(self._catalog, self._storage, self._defects, progress_relation)

    def _keep_sink(self, state: State, item: Item) -> None:
        assert isinstance(item.definition, SinkDefinition)
        relation = item.definition.relation
        running = self._sinks.get(item.id)
        if running is None:
            feed = self._feed(state, relation)
            sent = self._sent.setdefault(item.id, new_sent_rows(self._defects))
            started = sink_connector(item.definition.statement.system).start(sink_facts(state, item), feed, sent)
            self._sinks[item.id] = _SinkEntry(started, relation, feed, _replicas(state, item)[0])
        elif running.relation != relation:
            old, running.feed, running.relation = running.feed, self._feed(state, relation), relation
            running.running.switch(running.feed)
            old.close()

    def _end_sink(self, sink: _SinkEntry) -> None:
        sink.running.stop()
        sink.feed.close()

    def _feed(self, state: State, relation: str) -> Feed:
        item = state.known(relation)

        def read() -> tuple[int, Counter[Row]]:
            moment = self._storage.changed(self._catalog.state.stored_inputs(relation))
            try:
                with self._storage.reader() as backend:
                    rows = backend.run(f"SELECT * FROM {physical_name(relation)}").rows
            except SqlError as error:
                if self._catalog.state.item(relation) is not None:
                    raise
                raise RelationDroppedError from error
            return moment, Counter(tuple(None if value is None else value.decode() for value in row) for row in rows)

        def await_change(after: int, timeout: float) -> int:
            return self._storage.await_change(self._catalog.state.stored_inputs(relation), after, timeout, lambda: False)

        return Feed(item.columns, read, await_change)


def _replicas(state: State, item: Item) -> list[str]:
    """The ids of the replicas that a source or sink may run on; none for other items."""
    cluster = state.clusters.get(item.cluster or "")
    is_source = isinstance(item.definition, SourceDefinition) and bool(system_of(item.definition))
    return [replica.id for replica in cluster.replicas] if cluster is not None and (is_source or item.kind == "sink") else []
