"""The striker: threads in which perturbations happen that do not happen in a session's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from racehound.data.program import Disturbance
from racehound.run.recorded_session import RecordedSession

_AT_ONCE = 8


class Striker:
    """Calls `strike` when its time has come. `schedule` may be called from several threads, the rest from one."""

    def __init__(self, strike: Callable[[Disturbance, RecordedSession], None]) -> None:
        self._strike = strike
        self._pool = ThreadPoolExecutor(_AT_ONCE, "perturbation")
        self._calm = threading.Event()
        self._coming: list[Future[None]] = []

    def schedule(self, due_ns: int, drawn: Disturbance, session: RecordedSession) -> None:
        """Strike at that time of the monotonic clock."""
        self._coming.append(self._pool.submit(self._wait, due_ns, drawn, session))

    def calm(self) -> None:
        """Forget what was to come and wait for the end of what is being done. Raises what that raised."""
        self._calm.set()
        coming, self._coming = self._coming, []
        wait(coming)
        self._calm.clear()
        for each in coming:
            each.result()

    def end(self) -> None:
        """Let the threads end, after what they are doing."""
        self._calm.set()
        self._pool.shutdown()

    def _wait(self, due_ns: int, drawn: Disturbance, session: RecordedSession) -> None:
        if not self._calm.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9)):
            self._strike(drawn, session)
