"""The timer of disturbances: threads that apply a disturbance at its time, while its session waits for the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from racehound.data.program import Disturbance
from racehound.run.recorded_session import RecordedSession

_AT_ONCE = 8


class DisturbanceTimer:
    """Calls `apply` at the time of each disturbance. Several threads may call `schedule`; one thread calls the other methods."""

    def __init__(self, apply: Callable[[Disturbance, RecordedSession], None]) -> None:
        self._apply = apply
        self._pool = ThreadPoolExecutor(_AT_ONCE, "perturbation")
        self._ending = threading.Event()
        self._coming: list[Future[None]] = []

    def schedule(self, due_ns: int, drawn: Disturbance, session: RecordedSession) -> None:
        """Apply it at that time of the monotonic clock."""
        self._coming.append(self._pool.submit(self._wait, due_ns, drawn, session))

    def cancel_pending(self) -> None:
        """Drop the disturbances whose time has not come, and wait for the end of those being applied. Raises what they raised."""
        self._ending.set()
        coming, self._coming = self._coming, []
        wait(coming)
        self._ending.clear()
        for each in coming:
            each.result()

    def end(self) -> None:
        """End the threads when they have finished what they are doing."""
        self._ending.set()
        self._pool.shutdown()

    def _wait(self, due_ns: int, drawn: Disturbance, session: RecordedSession) -> None:
        if not self._ending.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9)):
            self._apply(drawn, session)
