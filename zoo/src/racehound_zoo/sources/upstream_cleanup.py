"""Removes from external systems what dropped sources have left there, each in a thread of its own."""

from __future__ import annotations

import threading
import time

from racehound_zoo.sources.source import CleaningConnector, Connector, Ingestion, SourceFacts
from racehound_zoo.sources.target import SourceTarget

_GIVE_UP_S = 60.0
"""The time, in seconds, after which it gives up."""
_RETRY_S = 0.2


class UpstreamCleanup:
    """The threads that remove things. `add` does not wait for them."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()

    def add(self, connector: Connector, source: SourceFacts, target: SourceTarget, last: Ingestion) -> None:
        """Clean up after a dropped source. Its last ingestion has been told to stop."""
        if isinstance(connector, CleaningConnector):
            thread = threading.Thread(
                target=self._clean_up, args=(connector, source, target, last), name=f"zoo-cleanup-{source.id}", daemon=True
            )
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(thread)
            thread.start()

    def finish(self, timeout: float) -> None:
        """Wait for the threads, for at most `timeout` seconds. They do not try again."""
        self._ending.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _clean_up(self, connector: CleaningConnector, source: SourceFacts, target: SourceTarget, last: Ingestion) -> None:
        deadline = time.monotonic() + _GIVE_UP_S
        last.join(_GIVE_UP_S)
        while not connector.clean_up(source, target.progress):
            if time.monotonic() > deadline or self._ending.wait(_RETRY_S):
                return
