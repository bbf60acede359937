"""Requests of Kafka's admin client: create, change, delete and describe topics, read offsets of consumer groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from racehound.testdrive import extras


class Admin:
    """Requests to a broker; `doing` turns the library's exceptions into an `ActionError`; `timeout` is in seconds."""

    def __init__(
        self, options: Mapping[str, object], timeout: float, doing: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._kafka = extras.load("confluent_kafka", "confluent-kafka")
        self._library = extras.load("confluent_kafka.admin", "confluent-kafka")
        self._timeout = timeout
        self._doing = doing
        with doing("connect"):
            self._client = self._library.AdminClient(dict(options))

    def replicas(self, topic: str) -> tuple[int, ...] | None:
        """The number of replicas of each partition; None when the topic does not exist, or a partition has no leader yet."""
        with self._doing("list topics"):
            # All topics are listed, because a broker may create a topic that is asked for by name.
            found = self._client.list_topics(timeout=self._timeout).topics.get(topic)
        if found is None or not found.partitions or any(each.leader < 0 for each in found.partitions.values()):
            return None
        return tuple(len(each.replicas) for _, each in sorted(found.partitions.items()))

    def create_topic(self, topic: str, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Create a topic. The broker lists it somewhat later."""
        new = self._library.NewTopic(topic, partitions, replication, config=dict(config))
        with self._doing(f"create {topic}"):
            self._client.create_topics([new], request_timeout=self._timeout)[topic].result()

    def add_partitions(self, topic: str, total: int) -> None:
        """Add partitions until there are `total`. The broker lists them somewhat later."""
        new = self._library.NewPartitions(topic, total)
        with self._doing(f"add partitions to {topic}"):
            self._client.create_partitions([new], request_timeout=self._timeout)[topic].result()

    def delete_topic(self, topic: str) -> None:
        """Delete a topic. The broker still lists it for a while."""
        with self._doing(f"delete {topic}"):
            self._client.delete_topics([topic], request_timeout=self._timeout)[topic].result()

    def delete_records(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records before an offset of a partition."""
        before = self._kafka.TopicPartition(topic, partition, offset)
        with self._doing(f"delete records of {topic}"):
            for deleted in self._client.delete_records([before], request_timeout=self._timeout).values():
                deleted.result()

    def config(self, topic: str, names: Iterable[str]) -> dict[str, str]:
        """The values of these settings of a topic; settings that the broker does not know are left out."""
        resource = self._library.ConfigResource(self._library.ResourceType.TOPIC, topic)
        with self._doing(f"read the settings of {topic}"):
            found = self._client.describe_configs([resource], request_timeout=self._timeout)[resource].result()
        return {name: str(found[name].value) for name in names if name in found}

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        """The offset that a consumer group has committed in a partition; None when it has not."""
        asked = self._kafka.ConsumerGroupTopicPartitions(group, [self._kafka.TopicPartition(topic, partition)])
        with self._doing(f"read the offsets of {group}"):
            found = self._client.list_consumer_group_offsets([asked], request_timeout=self._timeout)[group].result()
            for each in found.topic_partitions:
                if each.error is not None:
                    raise self._kafka.KafkaException(each.error)
        return next((int(each.offset) for each in found.topic_partitions if each.offset >= 0), None)
