"""Asks the brokers periodically whether a topic exists and how many partitions it has."""

from __future__ import annotations

import threading

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.kafka.client import Broker, Topic, message_of

_PERIOD_S = 1.0
_AWAY_PERIOD_S = 0.3


class TopicWatch:
    """Watches one topic. `known_id` is the id of the topic that was read before, "" for none."""

    def __init__(self, broker: Broker, topic: str, stopped: threading.Event) -> None:
        self._broker = broker
        self._topic = topic
        self._stopped = stopped
        self._looked = threading.Event()
        self.known_id = ""
        self.partitions = 0
        self.error: str | None = None
        self.is_lost = False
        """Whether the topic that was read has been deleted or replaced."""

    def run(self, known_id: str) -> None:
        """Watch until stopped or until the topic is lost."""
        self.known_id = known_id
        admin = self._broker.admin()
        while not self._stopped.is_set() and not self.is_lost:
            try:
                self._look(self._broker.topic(self._topic, admin))
            except (self._broker.library.KafkaException, SqlError) as error:
                self.error = message_of(error)
            self._stopped.wait(_PERIOD_S if self.error is None else _AWAY_PERIOD_S)

    def await_topic(self) -> bool:
        """Wait until the topic has been found. Returns False if stopped or if the topic is lost."""
        while not self._stopped.is_set() and not self.is_lost:
            if self._looked.wait(0.1):
                return True
        return False

    @property
    def has_looked(self) -> bool:
        return self._looked.is_set()

    def _look(self, topic: Topic | None) -> None:
        if topic is None:
            self.error, self.is_lost = "topic was deleted", True
        elif self.known_id and topic.id != self.known_id:
            self.error, self.is_lost = "topic was recreated", True
        else:
            self.known_id, self.partitions, self.error = topic.id, topic.partitions, None
            self._looked.set()
