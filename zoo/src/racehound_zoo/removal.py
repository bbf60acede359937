"""Removes what is dropped from the catalog: later, when nobody reads it any more."""

from __future__ import annotations

import queue
import threading

from racehound.services.embedded.server import EmbeddedServer
from racehound_zoo.backend import Backend
from racehound_zoo.errors import SqlError
from racehound_zoo.rows import remove

LOCK_NOT_AVAILABLE = "canceling statement due to lock timeout"
_REMOVING_WAITS = "SET lock_timeout = '5ms'"
_HELD_PAUSE = 0.1


class RemovalThread:
    """A thread with a connection of its own. `writing` is held by whoever writes, `committed` is notified when he has."""

    def __init__(self, server: EmbeddedServer, writing: threading.RLock, committed: threading.Condition) -> None:
        self._server = server
        self._writing = writing
        self._committed = committed
        self._removals: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._clean, name="zoo-removal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is not removed by then stays."""
        if self._thread.is_alive():
            self._removals.put(None)
            self._thread.join()

    def remove(self, *keys: str) -> None:
        """Returns at once."""
        for key in keys:
            self._removals.put(key)

    def _clean(self) -> None:
        """What is held by a reader comes again later."""
        backend = Backend(self._server.address.conninfo())
        backend.script(_REMOVING_WAITS)
        later: list[str] = []
        while (key := self._removals.get()) is not None:
            try:
                # Whoever writes has looked, while writing, whether the relation is there: not now.
                with self._writing:
                    remove(backend, key)
            except SqlError as error:
                if error.message != LOCK_NOT_AVAILABLE:
                    raise
                later.append(key)
            if self._removals.empty():
                self._await_readers(later)
        backend.close()

    def _await_readers(self, held: list[str]) -> None:
        """Give those that hold something a moment, then come back to it."""
        if held:
            with self._committed:
                self._committed.wait(_HELD_PAUSE)
            self.remove(*held)
            held.clear()
