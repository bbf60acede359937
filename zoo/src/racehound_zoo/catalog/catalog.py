"""The one catalog: the state, the lock that orders its changes, and what happened to it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from racehound_zoo.catalog.state import State


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One line of mz_audit_events. `at`: milliseconds since 1970."""

    event: str
    object_type: str
    name: str
    id: str
    role: str
    at: int


class Catalog:
    """Reading needs no lock: `state` is replaced as a whole. Changing is done inside `changing`, which is every DDL's order."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.RLock()
        self._watchers: list[Callable[[State, State], None]] = []
        self.events: list[Event] = []
        self._counters: dict[str, int] = {"role": 2, "cluster": 1, "replica": 1, "schema": 1, "database": 1, "oid": 40_000}
        self._counting = threading.Lock()

    def allocate(self, what: str) -> str:
        """A new id; never given twice, though what it was for may come to nothing."""
        return f"u{self._count(what)}"

    def oid(self) -> int:
        return self._count("oid")

    def _count(self, what: str) -> int:
        with self._counting:
            self._counters[what] = self._counters.get(what, 0) + 1
            return self._counters[what]

    @property
    def state(self) -> State:
        """Everything as it is now."""
        return self._state

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes anything meanwhile."""
        with self._lock:
            yield

    def replace(self, state: State) -> None:
        """Make this what is. Inside `changing` only."""
        before, self._state = self._state, dataclasses.replace(state, revision=self._state.revision + 1)
        for watcher in self._watchers:
            watcher(before, self._state)

    def watch(self, watcher: Callable[[State, State], None]) -> None:
        """Have every change told, before and after, while the lock is held: a watcher must not wait for others."""
        self._watchers.append(watcher)

    def record(self, event: str, object_type: str, name: str, id_: str, role: str) -> None:
        """Add a line to the audit."""
        self.events.append(Event(event, object_type, name, id_, role, int(time.time() * 1000)))
