"""The statuses of a running source and of its tables."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Literal

from racehound_zoo.relations.snapshot import Status

_STARTING = Status("starting")


class Statuses:
    """The statuses. One thread writes them; any thread may read them. `system` comes first in the text of each error."""

    def __init__(self, source: str, system: str) -> None:
        self._source = source
        self._system = system
        self._known: Mapping[str, Status] = {}

    def of(self, key: str) -> Status:
        return self._known.get(key, _STARTING)

    def run(self, key: str) -> None:
        self._set_status(key, "running", None)

    def stall(self, key: str, error: str) -> None:
        """Note an error that may be temporary."""
        self._set_status(key, "stalled", error)

    def cease(self, key: str, error: str) -> None:
        """Note an error that is permanent."""
        self._set_status(key, "ceased", error)

    def count(self, messages: int, updates: int) -> None:
        """Count messages that were read and rows that were written."""
        status = self.of(self._source)
        counted = dataclasses.replace(status, received=status.received + messages, staged=status.staged + updates)
        self._known = {**self._known, self._source: counted}

    def _set_status(self, key: str, what: Literal["running", "stalled", "ceased"], error: str | None) -> None:
        before = self.of(key)
        full_error = None if error is None else f"{self._system}: {error}"
        if (before.status, before.error) != (what, full_error):
            now = int(time.time() * 1000)
            self._known = {**self._known, key: dataclasses.replace(before, status=what, error=full_error, since=now)}
