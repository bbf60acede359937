"""A sink that writes to a topic, exactly once.

Each commit of the relation is written in one Kafka transaction and recorded in `SentRows` when that has succeeded. If a run ends
without knowing the outcome of its last transaction, the next run reads the topic: each message has the time of its commit in the
header `materialize-timestamp`, as Materialize's messages have. An open transaction is aborted when another run uses its identity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from racehound.testdrive.errors import ActionError
from racehound_zoo.catalog.model import Column
from racehound_zoo.errors import SqlError
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.sources.kafka import schemas
from racehound_zoo.sources.kafka.client import Broker, message_of
from racehound_zoo.sources.kafka.messages import MessageWriter, check_format
from racehound_zoo.sources.kafka.schemas import Schemas
from racehound_zoo.sources.sink import CommittedChanges, Feed, RunningSink, SentRows, SinkFacts

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

_HEADER = "materialize-timestamp"
_ANSWER_S = 1.0
_PAUSE_S = 0.5
_LOOK_S = 0.2
_OUTCOME_S = 2.0
"""The time, in seconds, for which a stopped sink still waits for its last transaction."""
_SERVED_EVERY = 1000


class _InterruptedError(Exception):
    """The sink was stopped during a transaction."""


class KafkaSinkConnector:
    """The connector for Kafka. See `sink.SinkConnector`."""

    def check(self, sink: SinkFacts, columns: Sequence[Column]) -> None:
        if not sink.options.get("TOPIC"):
            raise SqlError("KAFKA CONNECTION must specify TOPIC")
        check_format(sink, columns)
        Broker(sink.connection).reach()
        if sink.encoding.registry is not None:
            schemas.validate(sink.encoding.registry)

    def start(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> RunningSink:
        return KafkaSink(sink, feed, sent)


class KafkaSink:
    """A thread that writes to a topic. See `sink.RunningSink`."""

    def __init__(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> None:
        self._sink = sink
        self._topic = sink.options["TOPIC"]
        self._feed = feed
        self._sent = sent
        self._broker = Broker(sink.connection)
        self._stopped = threading.Event()
        self._status = Status("starting", since=_now())
        self._count = 0
        self._thread = threading.Thread(target=self._run, name=f"zoo-kafka-{sink.id}", daemon=True)
        self._thread.start()

    def switch(self, feed: Feed) -> None:
        self._feed = feed

    def status(self) -> Status:
        return self._status

    def stop(self) -> None:
        self._stopped.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _set_status(self, status: str, error: str | None = None) -> None:
        before = self._status
        since = before.since if (before.status, before.error) == (status, error) else _now()
        self._status = Status(status, error, since, self._count, self._count)

    def _run(self) -> None:
        """Run the sink. It waits until the sink's previous run has ended."""
        while not self._sent.lock.acquire(timeout=0.05):
            if self._stopped.is_set():
                return
        try:
            while not self._stopped.is_set():
                try:
                    self._write()
                except (self._broker.library.KafkaException, ActionError) as error:
                    self._set_status("stalled", message_of(error))
                    self._stopped.wait(_PAUSE_S)
        except _InterruptedError:
            return
        except (SqlError, ValueError) as error:
            self._set_status("stalled", str(error))
        finally:
            self._sent.lock.release()

    def _write(self) -> None:
        """Write until the sink is stopped or an error occurs that may be temporary."""
        self._broker.create_topic(self._topic, self._sink.options)
        compression = self._sink.options.get("COMPRESSION TYPE", "lz4")
        identity = f"racehound-zoo-{self._sent.identity}"
        producer = self._broker.producer(identity, {"compression.type": compression}, self._on_error)
        registry = self._sink.encoding.registry
        known = Schemas(registry) if registry is not None else None
        try:
            self._begin(producer)
            while not self._stopped.is_set():
                feed = self._feed
                self._carry(producer, feed, MessageWriter(self._sink, feed.columns, known))
                if feed is self._feed:
                    # The relation was dropped, and the sink will be dropped with it.
                    self._stopped.wait(_PAUSE_S)
        finally:
            producer.purge()
            if known is not None:
                known.close()

    def _on_error(self, error: KafkaError) -> None:
        """Record an error that the client reports in a callback."""
        if error.code() == self._broker.library.KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 a public name of the library
            self._set_status("stalled", message_of(self._broker.library.KafkaException(error)))

    def _begin(self, producer: Producer) -> None:
        """Initialize transactions. This commits or aborts a transaction that an earlier run has left open."""
        while not self._stopped.is_set():
            try:
                producer.init_transactions(_ANSWER_S)
                break
            except self._broker.library.KafkaException as error:
                if not error.args[0].retriable():
                    raise
                self._set_status("stalled", message_of(error))
        if self._sent.uncertain is not None and not self._stopped.is_set():
            if self._has(self._sent.uncertain.moment):
                self._sent.add(self._sent.uncertain, lambda: False)
            self._sent.uncertain = None

    def _carry(self, producer: Producer, feed: Feed, messages: MessageWriter) -> None:
        def is_over() -> bool:
            return self._stopped.is_set() or self._feed is not feed

        self._set_status("running")
        for found in feed.commits(self._sent.rows, is_over, _LOOK_S):
            if found is None:
                self._idle(producer)
            else:
                commit = self._sent.dated(found)
                self._send(producer, commit, messages)
                self._sent.add(commit, is_over)
                self._set_status("running")

    def _idle(self, producer: Producer) -> None:
        """There is nothing to write: poll for errors of the brokers."""
        producer.poll(0)
        if self._status.status == "stalled":
            producer.list_topics(self._topic, timeout=_ANSWER_S)
            self._set_status("running")

    def _send(self, producer: Producer, commit: CommittedChanges, messages: MessageWriter) -> None:
        """Write one transaction.

        KafkaException if it has failed or its outcome is unknown; then it is recorded as `uncertain`.
        """
        headers = [(_HEADER, str(commit.moment).encode())]
        producer.begin_transaction()
        try:
            for number, (key, value) in enumerate(messages.of(commit.changes)):
                self._produce(producer, key, value, headers)
                if number % _SERVED_EVERY == 0:
                    producer.poll(0)
                    self._refuse_stopped()
            self._flush(producer)
        except (self._broker.library.KafkaException, _InterruptedError):
            self._abort(producer)
            raise
        self._sent.uncertain = commit
        self._await_outcome(producer)
        self._sent.uncertain = None
        self._count += sum(abs(count) for _, count in commit.changes)

    def _produce(self, producer: Producer, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        while True:
            try:
                producer.produce(self._topic, value=value, key=key, headers=list(headers))
            except BufferError:
                producer.poll(0.1)
                self._refuse_stopped()
            else:
                return

    def _flush(self, producer: Producer) -> None:
        while producer.flush(0.2):
            self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        """_InterruptedError if the sink was stopped. Its next run sends what has not been committed."""
        if self._stopped.is_set():
            raise _InterruptedError

    def _abort(self, producer: Producer) -> None:
        producer.purge()
        try:
            producer.abort_transaction(_ANSWER_S)
        except self._broker.library.KafkaException as error:
            # The next producer with this identity aborts it.
            self._set_status("stalled", message_of(error))

    def _await_outcome(self, producer: Producer) -> None:
        """Repeat the commit until the outcome is known."""
        deadline: float | None = None
        while True:
            try:
                producer.commit_transaction(_ANSWER_S)
            except self._broker.library.KafkaException as error:
                inner: Any = error.args[0]
                if inner.txn_requires_abort():
                    self._abort(producer)
                    self._sent.uncertain = None
                    raise
                if not inner.retriable():
                    raise
                self._set_status("stalled", message_of(error))
                if self._stopped.is_set():
                    deadline = deadline or time.monotonic() + _OUTCOME_S
                    if time.monotonic() > deadline:
                        raise
            else:
                return

    # Transactions with an unknown outcome

    def _has(self, moment: int) -> bool:
        """Whether the messages of a commit are in the topic."""
        wanted = str(moment).encode()
        return any(dict(headers).get(_HEADER) == wanted for headers in self._headers())

    def _headers(self) -> Iterator[list[tuple[str, str | bytes | None]]]:
        """The headers of all messages in the topic. KafkaException if they cannot be read."""
        library = self._broker.library
        consumer = self._broker.consumer()
        try:
            partitions = consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic].partitions
            consumer.assign([library.TopicPartition(self._topic, number, 0) for number in partitions])
            left = len(partitions)
            while left and not self._stopped.is_set():
                for message in consumer.consume(1000, 0.1):
                    error = message.error()
                    if error is None:
                        yield [*dict(message.headers() or ()).items()]
                    elif error.code() == library.KafkaError._PARTITION_EOF:  # noqa: SLF001 a public name of the library
                        left -= 1
            if left:
                raise _InterruptedError
        finally:
            consumer.close()


def _now() -> int:
    return int(time.time() * 1000)
