"""The catalog of a server: its current state, the lock under which it is changed, and the audit log."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from racehound_zoo.catalog.state import State


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One row of mz_audit_events. `at` is in milliseconds since 1970."""

    event: str
    object_type: str
    name: str
    id: str
    role: str
    at: int


class Catalog:
    """Reading `state` needs no lock, because each change replaces the state as a whole. Changes are made inside `changing`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.RLock()
        self._watchers: list[Callable[[State, State], None]] = []
        self.events: list[Event] = []
        self._counters: dict[str, int] = {"role": 2, "cluster": 1, "replica": 1, "schema": 1, "database": 1, "oid": 40_000}
        self._counting = threading.Lock()

    def allocate(self, what: str) -> str:
        """Return a new id. An id is never returned twice, even if nothing is created under it."""
        return f"u{self._count(what)}"

    def oid(self) -> int:
        return self._count("oid")

    def _count(self, what: str) -> int:
        with self._counting:
            self._counters[what] = self._counters.get(what, 0) + 1
            return self._counters[what]

    @property
    def state(self) -> State:
        """The current state."""
        return self._state

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock of the catalog."""
        with self._lock:
            yield

    def replace(self, state: State) -> None:
        """Make this the current state. May only be called inside `changing`."""
        before, self._state = self._state, dataclasses.replace(state, revision=self._state.revision + 1)
        for watcher in self._watchers:
            watcher(before, self._state)

    def watch(self, watcher: Callable[[State, State], None]) -> None:
        """Call `watcher` with the old and the new state at every change.

        The lock is held meanwhile, so a watcher must not wait.
        """
        self._watchers.append(watcher)

    def record(self, event: str, object_type: str, name: str, id_: str, role: str) -> None:
        """Add a row to the audit log."""
        self.events.append(Event(event, object_type, name, id_, role, int(time.time() * 1000)))
