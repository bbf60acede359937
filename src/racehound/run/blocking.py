"""Sessions for lock-step: recorded ones whose statements are sent without waiting for the answer, and one that waits."""

from __future__ import annotations

import contextlib
import select
import time

from racehound.data.history import Recorder
from racehound.databases.stepping import SteppedSession, Stepping
from racehound.errors import TargetError
from racehound.run.recorded_session import RecordedSession, Running, StepPosition
from racehound.session import Outcome

_LOOK_S = 0.05
_GRACE_S = 5.0


class SteppedRecorded(RecordedSession):
    """A `RecordedSession` over a stepped one."""

    def __init__(self, inner: SteppedSession, recorder: Recorder, position: StepPosition, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(inner, recorder, position, secrets)
        self.steps = inner

    @property
    def fileno(self) -> int:
        return self.steps.fileno

    def send(self, sql: str) -> None:
        """See `SteppedSession.send`."""
        self.running = Running(sql, time.monotonic_ns())
        self.steps.send(sql)

    def take(self) -> Outcome | None:
        """See `SteppedSession.take`; the outcome is recorded."""
        running, outcome = self.running, self.steps.take()
        if outcome is not None and running is not None:
            self._record(running.sql, outcome, running.start_ns)
        return outcome


class BlockingSession:
    """Implements `Session` over a stepped one, for scripts that run alone.

    It waits for each statement, and cancels one that takes longer than `limit_s` seconds. Observers of racehound that block a
    statement release their locks.
    """

    def __init__(self, inner: SteppedSession, stepping: Stepping, limit_s: float) -> None:
        self._inner = inner
        self._stepping = stepping
        self._limit_s = limit_s
        self.pid = inner.pid

    def execute(self, sql: str) -> Outcome:
        deadline = time.monotonic() + self._limit_s
        self._inner.send(sql)
        while (outcome := self._inner.take()) is None:
            if not wait([self._inner.fileno], _LOOK_S):
                with contextlib.suppress(
                    TargetError
                ):  # a server that crashes does not answer; the session will lose its connection
                    self._stepping.blockers([self.pid])
                if time.monotonic() > deadline:
                    self._inner.cancel()
                    deadline += _GRACE_S
        return outcome

    def cancel(self) -> None:
        self._inner.cancel()

    def reset(self) -> Outcome:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


def wait(sockets: list[int], seconds: float) -> bool:
    """Whether there is something to read on one of the sockets within that time. `poll` would only count in milliseconds."""
    if -1 in sockets:
        return True
    return bool(select.select(sockets, (), (), seconds)[0])
