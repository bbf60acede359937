"""Wakes a thread that waits for a socket."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Mapping


class StoppedError(Exception):
    """The waiting thread has been told to end."""


class Wakeup:
    """Wakes one waiting thread. It may be notified and stopped from any other thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._receiving, self._sending = socket.socketpair()
        self._receiving.setblocking(False)
        self._sending.setblocking(False)
        self._lock = threading.Lock()

    def notify(self) -> None:
        """Wake the waiting thread."""
        with self._lock:
            if self._sending.fileno() >= 0:
                try:
                    self._sending.send(b"!")
                except BlockingIOError:
                    return

    def stop(self) -> None:
        """Make every wait, now or later, raise StoppedError."""
        self._stopped.set()
        self.notify()

    def wait(self, seconds: float, other: int | None = None, *, writing: bool = False) -> bool:
        """Wait for a notification, or until the descriptor `other` is readable (or writable).

        Returns whether the latter happened. StoppedError.
        """
        self.check()
        poll = select.poll()
        poll.register(self._receiving, select.POLLIN)
        if other is not None:
            poll.register(other, select.POLLOUT if writing else select.POLLIN)
        events: Mapping[int, int] = dict(poll.poll(max(0.0, seconds) * 1000))
        if self._receiving.fileno() in events:
            self._receiving.recv(4096)
        self.check()
        return other in events

    def await_socket(self, other: int, deadline: float, *, writing: bool = False) -> bool:
        """Wait for the descriptor only.

        Returns False when `deadline`, a time of the monotonic clock, has passed. StoppedError.
        """
        while (left := deadline - time.monotonic()) > 0:
            if self.wait(left, other, writing=writing):
                return True
        return False

    def check(self) -> None:
        """StoppedError if it has been stopped."""
        if self._stopped.is_set():
            raise StoppedError

    def close(self) -> None:
        with self._lock:
            self._sending.close()
            self._receiving.close()
