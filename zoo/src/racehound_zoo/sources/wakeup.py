"""What wakes a thread that waits for a socket."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Mapping


class StoppedError(Exception):
    """Whoever waits here is told to end."""


class Wakeup:
    """Of one thread that waits; rung, and stopped, from any other."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._heard, self._rope = socket.socketpair()
        self._heard.setblocking(False)
        self._rope.setblocking(False)
        self._lock = threading.Lock()

    def notify(self) -> None:
        """Have the waiting thread look what is new."""
        with self._lock:
            if self._rope.fileno() >= 0:
                try:
                    self._rope.send(b"!")
                except BlockingIOError:
                    return

    def stop(self) -> None:
        """Every wait, now or later, raises StoppedError."""
        self._stopped.set()
        self.notify()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def wait(self, seconds: float, other: int | None = None, *, writing: bool = False) -> bool:
        """Until it rings, or the descriptor `other` can be read (or written); whether it is the latter. StoppedError."""
        self.check()
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        if other is not None:
            poll.register(other, select.POLLOUT if writing else select.POLLIN)
        events: Mapping[int, int] = dict(poll.poll(max(0.0, seconds) * 1000))
        if self._heard.fileno() in events:
            self._heard.recv(4096)
        self.check()
        return other in events

    def await_socket(self, other: int, deadline: float, *, writing: bool = False) -> bool:
        """The same, but a ring does not end it. `deadline`: of the monotonic clock; False when it has passed."""
        while (left := deadline - time.monotonic()) > 0:
            if self.wait(left, other, writing=writing):
                return True
        return False

    def check(self) -> None:
        """StoppedError once it has been stopped."""
        if self._stopped.is_set():
            raise StoppedError

    def close(self) -> None:
        with self._lock:
            self._rope.close()
            self._heard.close()
