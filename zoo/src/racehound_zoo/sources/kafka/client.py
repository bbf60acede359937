"""Kafka clients for a connection of the catalog, and translation of their errors into Materialize's."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from racehound.errors import UserError
from racehound.testdrive import extras
from racehound_zoo.errors import SqlError
from racehound_zoo.sources.source import ConnectionFacts

if TYPE_CHECKING:
    from types import ModuleType

    from confluent_kafka import Consumer, KafkaError, Producer
    from confluent_kafka.admin import AdminClient

UNREACHABLE = "58000"
"""The SQLSTATE for an external system that does not answer."""
_REACH_S = 3.0
_ASK_S = 2.0
_PACKAGE = "confluent-kafka"
# The names are those of librdkafka's CONFIGURATION.md. Nothing is logged, because exceptions say the same.
_COMMON: Mapping[str, object] = {"log_level": 0, "socket.connection.setup.timeout.ms": 5000, "reconnect.backoff.max.ms": 500}
_CONSUMER: Mapping[str, object] = {
    "group.id": "racehound-zoo", "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True,
    "isolation.level": "read_committed", "fetch.wait.max.ms": 100, "queued.max.messages.kbytes": 32 * 1024,
    "fetch.queue.backoff.ms": 20, "fetch.message.max.bytes": 4 * 1024 * 1024,
}  # fmt: skip
_PRODUCER: Mapping[str, object] = {
    "linger.ms": 1, "transaction.timeout.ms": 60_000, "message.max.bytes": 15 * 1024 * 1024,
    "queue.buffering.max.messages": 100_000, "queue.buffering.max.kbytes": 64 * 1024,
}  # fmt: skip
_OPTIONS = {
    "BROKER": "bootstrap.servers", "BROKERS": "bootstrap.servers", "SASL MECHANISMS": "sasl.mechanisms",
    "SASL USERNAME": "sasl.username", "SASL PASSWORD": "sasl.password", "SSL CERTIFICATE AUTHORITY": "ssl.ca.pem",
    "SSL CERTIFICATE": "ssl.certificate.pem", "SSL KEY": "ssl.key.pem",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Topic:
    """An existing topic. When a topic is deleted and created again, its id changes."""

    id: str
    partitions: int


class Broker:
    """The brokers of a connection. A client connects when it is first used."""

    def __init__(self, connection: ConnectionFacts) -> None:
        """SqlError if the package of the client is not installed."""
        self.library = _load("confluent_kafka")
        self._options = dict(_COMMON)
        for name, value in connection.options.items():
            if name in _OPTIONS:
                self._options[_OPTIONS[name]] = value
        protocol = connection.options.get("SECURITY PROTOCOL", "PLAINTEXT")
        self._options["security.protocol"] = protocol.upper()

    def consumer(self) -> Consumer:
        """A new consumer, which the caller must close."""
        consumer: Consumer = self.library.Consumer({**self._options, **_CONSUMER, "error_cb": _ignore})
        return consumer

    def producer(self, identity: str, settings: Mapping[str, object], on_error: Callable[[KafkaError], None]) -> Producer:
        """A new transactional producer. A later one with the same identity aborts the open transaction of this one."""
        options = {**self._options, **_PRODUCER, **settings, "transactional.id": identity, "error_cb": on_error}
        producer: Producer = self.library.Producer(options)
        return producer

    def admin(self) -> AdminClient:
        client: AdminClient = _load("confluent_kafka.admin").AdminClient({**self._options, "error_cb": _ignore})
        return client

    def reach(self) -> None:
        """SqlError if the brokers do not answer."""
        with self.translating_errors():
            self.admin().list_topics(timeout=_REACH_S)

    def topic(self, name: str, admin: AdminClient | None = None) -> Topic | None:
        """The topic of that name; None if it does not exist. KafkaException if the brokers do not answer."""
        asked = self.library.TopicCollection([name])
        # The client is kept in a variable, because its requests are cancelled when it is garbage-collected.
        client = admin or self.admin()
        described = client.describe_topics(asked, request_timeout=_ASK_S)[name]
        try:
            found = described.result()
        except self.library.KafkaException as error:
            if error.args[0].code() == self.library.KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise
        return Topic(str(found.topic_id), len(found.partitions))

    def create_topic(self, name: str, options: Mapping[str, str]) -> None:
        """Create the topic unless it exists. KafkaException if the brokers refuse."""
        new = _load("confluent_kafka.admin").NewTopic(
            name, int(options.get("TOPIC PARTITION COUNT", "-1")), int(options.get("TOPIC REPLICATION FACTOR", "-1"))
        )
        client = self.admin()
        try:
            client.create_topics([new], request_timeout=_ASK_S)[name].result()
        except self.library.KafkaException as error:
            if error.args[0].code() != self.library.KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    @contextlib.contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn the library's exceptions into SqlError."""
        try:
            yield
        except self.library.KafkaException as error:
            raise SqlError(message_of(error), UNREACHABLE) from error


def message_of(error: Exception) -> str:
    """The error as Materialize reports it: librdkafka's message without the prefix that says where it comes from."""
    inner: Any = error.args[0] if error.args else error
    words = str(getattr(inner, "str", error.__str__)())
    if hasattr(inner, "code") and inner.code() in _AWAY:
        return "Broker transport failure"
    return words.removeprefix("Local: ").removeprefix("Broker: ")


_AWAY = frozenset({-195, -187, -185, -193})
"""librdkafka's codes for a broker that does not answer: _TRANSPORT, _ALL_BROKERS_DOWN, _TIMED_OUT, _RESOLVE."""


def _load(module: str) -> ModuleType:
    try:
        return extras.load(module, _PACKAGE)
    except UserError as error:
        raise SqlError(str(error), UNREACHABLE) from error


def _ignore(_: KafkaError) -> None:
    """Ignore an error in a callback: the caller that waits for an answer gets it, too."""
