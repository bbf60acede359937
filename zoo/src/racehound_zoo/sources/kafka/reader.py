"""Reads one table of a Kafka source, with a consumer of its own: first the content of the topic, then new messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from racehound.testdrive.errors import ActionError
from racehound_zoo.errors import SqlError
from racehound_zoo.sources.kafka.client import Broker, message_of
from racehound_zoo.sources.kafka.decoding import DecodeError
from racehound_zoo.sources.kafka.layout import Layout, Raw
from racehound_zoo.sources.kafka.topic_watch import TopicWatch
from racehound_zoo.sources.source import TableFacts, Target

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from racehound_zoo.rows import Update
    from racehound_zoo.table_changes import Staging, TableChange

_AT_ONCE = 10_000
"""The largest number of messages that are read together."""
_GATHERED_MAX = 100_000
"""The largest number of messages of a snapshot that are kept in memory, one for each key."""
_LOOK_S = 0.1
_ANSWER_S = 2.0
_PAUSE_S = 0.5

Offsets = dict[int, int]
"""The next offset of each partition."""


class OffsetStore(Protocol):
    """Stores how far each table has been read."""

    def offsets(self, key: str) -> Offsets | None:
        """The next offsets; None for a table that has not been read yet."""

    def save(self, key: str, change: TableChange | list[Update], offsets: Mapping[int, int]) -> None:
        """Write to the table, together with the offsets."""


class TableReader:
    """A thread that reads one table. `highs` has the end of its snapshot while the snapshot is read."""

    def __init__(
        self, broker: Broker, watch: TopicWatch, topic: str, table: TableFacts, target: Target, book: OffsetStore
    ) -> None:
        self.table = table
        self._broker = broker
        self._watch = watch
        self._topic = topic
        self._target = target
        self._store = book
        self._stopped = threading.Event()
        self.error: str | None = None
        self.is_filled = False
        self.highs: Offsets = {}
        self.received = 0
        self.staged = 0
        self.other_readers: Callable[[], list[TableReader]] = list
        """Returns the other readers of the source."""
        self._thread = threading.Thread(target=self._run, name=f"zoo-kafka-{table.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _goes_on(self) -> bool:
        return not self._stopped.is_set() and not self._watch.is_lost

    def _run(self) -> None:
        """Read until stopped. An error of the broker is retried; a message that cannot be decoded ends the reader."""
        while self._goes_on():
            try:
                self._read()
            except (self._broker.library.KafkaException, ActionError) as error:
                self.error = message_of(error)
                self._stopped.wait(_PAUSE_S)
            except (DecodeError, SqlError) as error:
                self.error = str(error)
                return

    def _read(self) -> None:
        if not self._watch.await_topic():
            return
        layout = Layout(self.table)
        consumer = self._broker.consumer()
        try:
            known = self._store.offsets(self.table.id)
            if known is None:
                known = self._snapshot(consumer, layout)
            self._follow(consumer, layout, known)
        finally:
            self.highs = {}
            consumer.close()
            layout.close()

    def _assign(self, consumer: Consumer, offsets: Mapping[int, int]) -> None:
        partition = self._broker.library.TopicPartition
        consumer.assign([partition(self._topic, number, offset) for number, offset in offsets.items()])

    def _watermarks(self, consumer: Consumer) -> dict[int, tuple[int, int]]:
        """The first and the next offset of each partition."""
        partition = self._broker.library.TopicPartition
        return {
            number: consumer.get_watermark_offsets(partition(self._topic, number), timeout=_ANSWER_S)
            for number in range(self._watch.partitions)
        }

    def _snapshot(self, consumer: Consumer, layout: Layout) -> Offsets:
        """Write all messages that are in the topic now, as one transaction.

        Returns the next offsets, which are smaller if it was stopped.
        """
        marks = self._watermarks(consumer)
        at = self._beginning({number: low for number, (low, _) in marks.items()})
        self.highs = {number: high for number, (_, high) in marks.items()}
        self._assign(consumer, at)
        with self._target.staging(self.table.id) as staging:
            gathered = _Batch(layout)
            while self._goes_on() and any(at[number] < high for number, high in self.highs.items()):
                self._take(consumer.consume(_AT_ONCE, _LOOK_S), gathered, at)
                if len(gathered) >= _GATHERED_MAX:
                    gathered.flush(staging)
            gathered.flush(staging)
            if self._goes_on():
                self.staged += len(staging)
                self._store.save(self.table.id, staging, at)
                self.is_filled, self.error = True, None
        return at

    def _beginning(self, lows: Offsets) -> Offsets:
        """The offsets at which the snapshot begins.

        With the defect `shared-snapshot`, it begins where the snapshot of another table ends.
        """
        if self._target.has_defect("shared-snapshot"):
            for other in self.other_readers():
                if other.highs and not other.is_filled:
                    return {**lows, **other.highs}
        return lows

    def _follow(self, consumer: Consumer, layout: Layout, at: Offsets) -> None:
        self._assign(consumer, at)
        self.is_filled, self.error = True, None
        while self._goes_on():
            if self._watch.partitions > len(at):
                at |= dict.fromkeys(range(len(at), self._watch.partitions), 0)
                self._assign(consumer, at)
            first = consumer.poll(_LOOK_S)
            if first is None:
                continue
            gathered = _Batch(layout)
            self._take([first, *consumer.consume(_AT_ONCE, 0)], gathered, at)
            if len(gathered):
                self.staged += len(gathered)
                self._store.save(self.table.id, gathered.change(), at)

    def _take(self, messages: list[Message], gathered: _Batch, at: Offsets) -> None:
        ended = self._broker.library.KafkaError._PARTITION_EOF  # noqa: SLF001 a public name of the library
        for message in messages:
            error: Any = message.error()
            number, offset = message.partition(), message.offset()
            if error is None:
                gathered.add(message)
                self.received += 1
                at[number or 0] = (offset or 0) + 1
            elif error.code() == ended:
                # There may be transaction markers after the last message.
                at[number or 0] = max(at.get(number or 0, 0), offset or 0)


class _Batch:
    """Messages that are written together: with keys, only the last message of each key."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._by_key: dict[bytes, Raw] = {}
        self._all: list[Raw] = []

    def __len__(self) -> int:
        return len(self._by_key) + len(self._all)

    def add(self, message: Message) -> None:
        raw = self._layout.raw(message)
        if self._layout.is_keyed:
            self._by_key[self._layout.key_identity(raw[0])] = raw
        else:
            self._all.append(raw)

    def change(self) -> TableChange | list[Update]:
        if self._layout.is_keyed:
            return self._layout.replacement(self._by_key.values())
        return [(row, 1) for row in self._layout.rows(self._all)]

    def flush(self, staging: Staging) -> None:
        """Move the messages from memory to the staging table."""
        if self._layout.is_keyed:
            staging.replace(self._layout.replacement(self._by_key.values()))
        else:
            staging.append(self._layout.rows(self._all))
        self._by_key.clear()
        self._all.clear()
