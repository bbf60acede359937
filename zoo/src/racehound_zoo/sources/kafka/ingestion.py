"""The ingestion of a Kafka source: a thread that watches the topic, and a reader for each table."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from racehound_zoo.relations.snapshot import Status
from racehound_zoo.sources.kafka.client import Broker
from racehound_zoo.sources.kafka.reader import Offsets, TableReader
from racehound_zoo.sources.kafka.topic_watch import TopicWatch
from racehound_zoo.sources.source import SourceFacts, TableFacts, Target

if TYPE_CHECKING:
    from racehound_zoo.rows import Update
    from racehound_zoo.table_changes import TableChange

_TOPIC = "topic"
"""The key of the topic's id in the saved progress. The keys `table/partition` have the next offsets."""


class KafkaIngestion:
    """See `source.Ingestion`."""

    def __init__(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> None:
        assert source.connection is not None
        self._key = source.id
        self._topic = source.options.get("TOPIC", "")
        self._target = target
        self._stopped = threading.Event()
        self._broker = Broker(source.connection)
        self._watch = TopicWatch(self._broker, self._topic, self._stopped)
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._readers: dict[str, TableReader] = {}
        self._ending: list[TableReader] = []
        self._since: dict[str, tuple[str, str | None, int]] = {}
        self._thread = threading.Thread(target=self._run, name=f"zoo-kafka-{source.id}", daemon=True)
        for table in tables:
            self.add_table(table)
        self._thread.start()

    def _run(self) -> None:
        self._watch.run(self._target.progress.get(_TOPIC, ""))

    def add_table(self, table: TableFacts) -> None:
        reader = TableReader(self._broker, self._watch, self._topic, table, self._target, self)
        reader.other_readers = lambda: self._all_but(reader)
        with self._lock:
            self._readers[table.id] = reader
            self._ending = [each for each in self._ending if each.is_alive]
        reader.start()

    def remove_table(self, key: str) -> None:
        with self._lock:
            reader = self._readers.pop(key, None)
            if reader is not None:
                self._ending.append(reader)
        if reader is not None:
            reader.stop()

    def _all_but(self, reader: TableReader) -> list[TableReader]:
        with self._lock:
            return [each for each in (*self._readers.values(), *self._ending) if each is not reader]

    def status(self, key: str) -> Status:
        reader = self._readers.get(key)
        error = self._watch.error or (reader.error if reader is not None else None)
        ready = reader.is_filled if reader is not None else self._watch.has_looked
        status = "stalled" if error is not None else "running" if ready else "starting"
        with self._lock:
            if self._since.get(key, ("", None, 0))[:2] != (status, error):
                self._since[key] = (status, error, int(time.time() * 1000))
            since = self._since[key][2]
        return Status(status, error, since, *((reader.received, reader.staged) if reader is not None else (0, 0)))

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            readers = [*self._readers.values()]
        for reader in readers:
            reader.stop()

    def join(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        self._thread.join(timeout)
        for reader in (*self._readers.values(), *self._ending):
            reader.join(max(0.0, deadline - time.monotonic()))

    # Methods of OffsetStore, for the readers

    def offsets(self, key: str) -> Offsets | None:
        """See `reader.OffsetStore`."""
        prefix = f"{key}/"
        saved = {
            int(name.removeprefix(prefix)): int(offset)
            for name, offset in self._target.progress.items()
            if name.startswith(prefix)
        }
        return saved or None

    def save(self, key: str, change: TableChange | list[Update], offsets: Mapping[int, int]) -> None:
        """See `reader.OffsetStore`."""
        with self._saving:
            # Forget the offsets of removed tables.
            kept = {name: value for name, value in self._target.progress.items() if name.partition("/")[0] in self._readers}
            mine = {f"{key}/{number}": str(offset) for number, offset in offsets.items()}
            self._target.apply([(key, change)], {**kept, **mine, _TOPIC: self._watch.known_id})
