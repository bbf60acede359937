"""Starts and stops what runs between the catalog and the outside, as the catalog says.

It watches the catalog: a source or sink runs while it is there and its cluster has a replica. Nothing here waits, since
watchers are called while the catalog is locked.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from racehound.zoo.catalog.catalog import Catalog
from racehound.zoo.catalog.model import Item, SinkDefinition, SourceDefinition
from racehound.zoo.catalog.state import State
from racehound.zoo.errors import SqlError
from racehound.zoo.relations.snapshot import Status
from racehound.zoo.sources.facts import bases, sink_facts, source_facts, system_of, tables_of
from racehound.zoo.sources.registry import connector, sink_connector
from racehound.zoo.sources.sink import Feed, RelationDroppedError, Row, Running
from racehound.zoo.sources.source import Ingestion
from racehound.zoo.storage import Storage, Update, physical_name

_LOOK = 0.02
_ENDING = 5.0
"""Seconds that what runs may take to end when the server does."""


class SourceTarget:
    """Where one source writes; outlives its ingestion."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        self._progress: Mapping[str, str] = {}

    def apply(self, batch: Sequence[tuple[str, Sequence[Update]]], progress: Mapping[str, str] | None = None) -> None:
        """See `source.Target`."""
        told = [(key, updates) for key, updates in batch if updates]
        if told:
            self._storage.apply(told, lambda key: self._catalog.state.item(key) is not None)
        if progress is not None:
            self._progress = dict(progress)

    @property
    def progress(self) -> Mapping[str, str]:
        return self._progress


@dataclasses.dataclass
class _RunningSource:
    ingestion: Ingestion
    tables: frozenset[str]


@dataclasses.dataclass
class _RunningSink:
    running: Running
    relation: str
    feed: Feed


class Manager:
    """The running sources and sinks. Changed under the catalog's lock only."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        self._sources: dict[str, _RunningSource] = {}
        self._sinks: dict[str, _RunningSink] = {}
        self._targets: dict[str, SourceTarget] = {}
        catalog.watch(self._follow)

    def stop(self) -> None:
        """End all, and wait for them."""
        running: list[Ingestion | Running] = [source.ingestion for source in self._sources.values()]
        running += [sink.running for sink in self._sinks.values()]
        for each in running:
            each.stop()
        self._storage.wake()
        for each in running:
            each.join(_ENDING)

    def statuses(self) -> Mapping[str, Status]:
        """Of sources, their tables and sinks, by id."""
        found = {}
        for key, source in list(self._sources.items()):
            found.update({each: source.ingestion.status(each) for each in (key, *source.tables)})
        found.update({key: sink.running.status() for key, sink in list(self._sinks.items())})
        return found

    def await_snapshots(self, keys: Sequence[str], interrupted: Callable[[], bool]) -> None:
        """Wait until none of these is still being read from outside for the first time."""
        moment = self._storage.changed(keys)
        while not interrupted() and any(self._is_starting(key) for key in keys):
            moment = self._storage.await_change(keys, moment, _LOOK, interrupted)

    def _is_starting(self, key: str) -> bool:
        for source_key, source in list(self._sources.items()):
            if key == source_key or key in source.tables:
                return source.ingestion.status(key).status == "starting"
        return False

    def _follow(self, _: State, after: State) -> None:
        wanted = {item.id: item for item in after.items.values() if _runs(after, item)}
        for key in [*self._sources]:
            if key not in wanted:
                self._sources.pop(key).ingestion.stop()
        for key in [*self._sinks]:
            if key not in wanted:
                self._end_sink(self._sinks.pop(key))
        self._targets = {key: target for key, target in self._targets.items() if key in after.items}
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
            target = self._targets.setdefault(item.id, SourceTarget(self._catalog, self._storage))
            started = connector(system_of(item.definition)).start(source_facts(state, item), [*tables.values()], target)
            self._sources[item.id] = _RunningSource(started, frozenset(tables))
            return
        for key in running.tables - tables.keys():
            running.ingestion.remove_table(key)
        for key in tables.keys() - running.tables:
            running.ingestion.add_table(tables[key])
        running.tables = frozenset(tables)

    def _keep_sink(self, state: State, item: Item) -> None:
        assert isinstance(item.definition, SinkDefinition)
        relation = item.definition.relation
        running = self._sinks.get(item.id)
        if running is None:
            feed = self._feed(state, relation)
            started = sink_connector(item.definition.statement.system).start(sink_facts(state, item), feed)
            self._sinks[item.id] = _RunningSink(started, relation, feed)
        elif running.relation != relation:
            old, running.feed, running.relation = running.feed, self._feed(state, relation), relation
            running.running.switch(running.feed)
            old.close()

    def _end_sink(self, sink: _RunningSink) -> None:
        sink.running.stop()
        sink.feed.close()

    def _feed(self, state: State, relation: str) -> Feed:
        keys = bases(state, relation)
        item = state.known(relation)

        def read() -> tuple[int, Counter[Row]]:
            moment = self._storage.changed(keys)
            try:
                with self._storage.reader() as backend:
                    rows = backend.run(f"SELECT * FROM {physical_name(relation)}").rows
            except SqlError as error:
                if self._catalog.state.item(relation) is not None:
                    raise
                raise RelationDroppedError from error
            return moment, Counter(tuple(None if value is None else value.decode() for value in row) for row in rows)

        def await_change(after: int, timeout: float) -> int:
            return self._storage.await_change(keys, after, timeout, lambda: False)

        return Feed(item.columns, read, await_change)


def _runs(state: State, item: Item) -> bool:
    """Whether it is a source or sink with a replica to run on."""
    cluster = state.clusters.get(item.cluster or "")
    if cluster is None or not cluster.replicas:
        return False
    if isinstance(item.definition, SourceDefinition):
        return bool(system_of(item.definition))
    return item.kind == "sink"
