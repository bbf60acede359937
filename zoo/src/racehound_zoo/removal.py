"""Removes dropped relations from the storage in the background, once no query reads them."""

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
    """The thread that removes relations, with a connection of its own.

    `writing` is the lock that a writer holds; `committed` is notified after each commit.
    """

    def __init__(self, server: EmbeddedServer, writing: threading.RLock, committed: threading.Condition) -> None:
        self._server = server
        self._writing = writing
        self._committed = committed
        self._removals: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._clean, name="zoo-removal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Relations that are still to be removed stay."""
        if self._thread.is_alive():
            self._removals.put(None)
            self._thread.join()

    def remove(self, *keys: str) -> None:
        """Queue relations for removal. Returns at once."""
        for key in keys:
            self._removals.put(key)

    def _clean(self) -> None:
        """Remove the queued relations. One that a query still reads is tried again later."""
        backend = Backend(self._server.address.conninfo())
        backend.script(_REMOVING_WAITS)
        later: list[str] = []
        while (key := self._removals.get()) is not None:
            try:
                # A writer checks that its relation exists while it holds this lock, so the relation must not disappear meanwhile.
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
        """Wait until something has been committed, or a short time, and queue the locked relations again."""
        if held:
            with self._committed:
                self._committed.wait(_HELD_PAUSE)
            self.remove(*held)
            held.clear()
