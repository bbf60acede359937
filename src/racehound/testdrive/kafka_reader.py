"""Reads a topic from the offset at which the last script stopped. A consumer group has this offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from racehound.testdrive import extras
from racehound.testdrive.errors import ActionError
from racehound.testdrive.kafka import Kafka, wait_for_topic
from racehound.testdrive.state import State

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, TopicPartition

_LOOK_S = 0.1


@dataclass(frozen=True)
class Received:
    """A record. Of several headers with one name the last is used."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str | bytes | None]
    partition: int


class Reader:
    """Reads all partitions of a topic, after waiting for the topic. The state's timeout limits both."""

    def __init__(self, client: Kafka, topic: str, state: State) -> None:
        self._library = extras.load("confluent_kafka", "confluent-kafka")
        self._client = client
        self._topic = topic
        self._state = state
        self._next = dict[int, int]()
        self._ended = set[int]()
        self._partitions = range(0)
        self._consumer = client.consumer()

    def __enter__(self) -> Self:
        try:
            wait_for_topic(self._client, self._topic, self._state)
            self._partitions = range(len(self._client.admin.replicas(self._topic) or ()))
            self._begin()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()

    def _begin(self) -> None:
        """The offset at which the group stopped. The beginning is looked up here because the library takes a second for it."""
        asked: list[TopicPartition] = [self._library.TopicPartition(self._topic, number) for number in self._partitions]
        begun: list[TopicPartition] = []
        timeout = self._state.policy.timeout

        def look() -> None:
            begun[:] = self._consumer.committed(asked, timeout)
            for partition in begun:
                if partition.error is not None:
                    raise self._library.KafkaException(partition.error)
                first, _ = self._consumer.get_watermark_offsets(partition, timeout)
                partition.offset = max(partition.offset, first)

        self._ask("find where to begin", look)
        self._consumer.assign(begun)

    def remember(self) -> None:
        """Commit the offsets, so that the next reader begins after the last message."""
        offsets = [self._library.TopicPartition(self._topic, number, offset) for number, offset in self._next.items()]
        if offsets:
            self._ask("remember how far it was read", lambda: self._consumer.commit(offsets=offsets, asynchronous=False))

    def _ask(self, what: str, request: Callable[[], object]) -> None:
        """Retry until the broker answers: it may first have to create the topic that holds the offsets of groups."""

        def refusal() -> str | None:
            try:
                with self._client.doing(f"{what} in {self._topic}"):
                    request()
            except ActionError as error:
                return error.reason
            return None

        self._state.wait_for(refusal)

    def messages(self, *, to_the_end: bool = False) -> Iterator[Received]:
        """The messages in order of arrival, until none arrives within the timeout; `to_the_end`: until the end of the topic."""
        clock, timeout = self._state.context.clock, self._state.policy.timeout
        deadline = clock() + timeout
        while clock() < deadline and not (to_the_end and len(self._ended) == len(self._partitions)):
            message = self._consumer.poll(_LOOK_S)
            if message is None:
                continue
            partition, offset, error = message.partition(), message.offset(), message.error()
            if error is not None:
                self._note(error, partition or 0)
                continue
            self._next[partition or 0] = (offset or 0) + 1
            deadline = clock() + timeout
            yield Received(message.key(), message.value(), dict(message.headers() or ()), partition or 0)

    def _note(self, error: KafkaError, partition: int) -> None:
        """Note that a partition has been read to its end. Errors of a restarting broker are ignored until the timeout."""
        if error.code() == self._library.KafkaError._PARTITION_EOF:  # noqa: SLF001 what the library calls its own errors
            self._ended.add(partition)
