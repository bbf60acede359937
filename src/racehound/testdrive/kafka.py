"""The Kafka clients of a script."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from racehound.testdrive import extras
from racehound.testdrive.errors import ActionError
from racehound.testdrive.kafka_admin import Admin
from racehound.testdrive.state import Call, State, configured

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer

GROUP = "racehound-testdrive"
"""The consumer group whose offsets record how far scripts have verified a topic."""
ANY_PARTITION = -1
"""librdkafka chooses a record's partition by its key, or at random (`RD_KAFKA_PARTITION_UA`)."""
NOW = 0
"""A record's timestamp is the time at which it is sent."""
Header: TypeAlias = tuple[str, str | bytes | None]
"""Values are bytes, or text that is sent as UTF-8. Headers may share a name."""

_MESSAGE_BYTES_MAX = 15 * 1024 * 1024
# The names are those of librdkafka's CONFIGURATION.md. Logging is off: exceptions say the same.
_COMMON = {"log_level": 0, "message.max.bytes": _MESSAGE_BYTES_MAX}
# Scripts send many small records, so batches are large and the queue is bounded. One request at a time keeps the order, even when
# it is sent again. enable.idempotence does so, too, but takes half a second for the first record.
_PRODUCER = {
    "acks": "all",
    "max.in.flight.requests.per.connection": 1,
    "linger.ms": 5,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    "delivery.report.only.error": True,
}
_CONSUMER = {
    "group.id": GROUP,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
}
_SERVED_EVERY = 1024
"""The broker's delivery reports are read after this number of records."""


def kafka(call: Call, state: State) -> Kafka:
    """The clients of this script. Raises ActionError if no broker is configured, UserError without the package."""
    services = state.context.services
    servers = configured(services.kafka, call, "Kafka", "give --kafka-addr")
    timeout = state.policy.timeout
    return state.resource(f"kafka within {timeout} s", lambda: Kafka(servers, services.kafka_options, timeout))


def real_topic(call: Call, state: State) -> str:
    """The name on the broker of an action's `topic`. It contains the seed, so that each run has its own topics."""
    return f"testdrive-{call['topic']}-{state.variables['testdrive.seed']}"


def wait_for_topic(client: Kafka, topic: str, state: State) -> None:
    """Wait until the topic exists under exactly this name and all its partitions have leaders."""
    state.wait_for(lambda: None if client.admin.replicas(topic) is not None else f"there is no topic {topic}")


class Kafka:
    """A producer, an admin client and consumers, which connect when they are first used.

    `timeout`: seconds for a request or for the delivery of a record. Not thread-safe.
    """

    def __init__(self, servers: str, options: Mapping[str, str], timeout: float) -> None:
        self._library = extras.load("confluent_kafka", "confluent-kafka")
        self._servers = servers
        self._timeout = timeout
        self._options: dict[str, object] = {"bootstrap.servers": servers, **_COMMON, **options}
        self._producer: Producer | None = None
        self._admin: Admin | None = None
        self._undelivered: KafkaError | None = None

    def close(self) -> None:
        """End the connections."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(self._timeout)
        self._producer = self._admin = None

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Turn exceptions of the library into an ActionError that says what was being done."""
        try:
            yield
        except self._library.KafkaException as error:
            raise ActionError(f"cannot {what} at Kafka, {self._servers}: {error.args[0].str()}") from error

    @property
    def admin(self) -> Admin:
        """The client that creates, changes and deletes topics."""
        if self._admin is None:
            self._admin = Admin(self._options, self._timeout, self.doing)
        return self._admin

    def consumer(self) -> Consumer:
        """A new consumer; the caller closes it."""
        with self.doing("connect"):
            consumer: Consumer = self._library.Consumer({**self._options, **_CONSUMER})
        return consumer

    def deliver(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes | None]],
        partition: int = ANY_PARTITION,
        timestamp: int = NOW,
        headers: Sequence[Header] = (),
    ) -> None:
        """Send pairs of key and value in order, and return when the broker has them all. `timestamp` is in milliseconds.

        Few records wait in memory. If the broker dies before it acknowledges stored records, they are stored twice.
        Raises ActionError for the first record that the broker rejects.
        """
        producer = self._connected_producer()
        self._undelivered = None
        with self.doing(f"write to {topic}"):
            try:
                self._enqueue(producer, records, (topic, partition, timestamp, list(headers)))
            finally:
                # Ctrl-C takes effect only between calls, so each is short.
                while producer.flush(0.5):
                    pass
            if self._undelivered is not None:
                raise self._library.KafkaException(self._undelivered)

    def _enqueue(
        self,
        producer: Producer,
        records: Iterable[tuple[bytes | None, bytes | None]],
        where: tuple[str, int, int, list[Header]],
    ) -> None:
        topic, partition, timestamp, headers = where
        produce = producer.produce
        for number, (key, value) in enumerate(records):
            while True:
                try:
                    produce(topic, value, key, partition, None, None, timestamp, headers)
                    break
                except BufferError:
                    producer.poll(0.1)
            if number % _SERVED_EVERY == 0:
                producer.poll(0)
                if self._undelivered is not None:
                    return

    def _connected_producer(self) -> Producer:
        if self._producer is None:
            limit = {"message.timeout.ms": max(1000, int(self._timeout * 1000)), "on_delivery": self._note}
            with self.doing("connect"):
                self._producer = self._library.Producer({**self._options, **_PRODUCER, **limit})
        return self._producer

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._undelivered = self._undelivered or error
