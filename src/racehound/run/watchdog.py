"""The watchdog of a storm: looks at the running statement of each session and ends those that run beyond their limit.

It first asks the server who waits for whom, and then cancels. If a statement ignores that, its server session is terminated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable
from typing import Literal

from racehound.data.history import Fault, Overdue, Recorder
from racehound.databases.target import Target, Wait
from racehound.errors import TargetError, UnreachableError
from racehound.run.pulse import Pulse
from racehound.run.recorded_session import RecordedSession, Running

Verdict = Literal["deadlock", "held", "running", "unknown", "undecided"]

LOOK_S = 0.1
SLOW_S = 2.0
"""A server that takes longer to say who waits for whom was not able to answer."""
GRACE_S = 5.0
"""How long a cancelled statement may take to end before its session is terminated."""
PATIENCE = 3
"""A statement that waits for no lock gets so many times the limit, since the machine may just be busy."""


@dataclasses.dataclass
class _Case:
    """A statement beyond its limit."""

    running: Running
    judged: bool = False
    cancelled_ns: int = 0
    terminated: bool = False


class Watchdog:
    """A thread that watches the sessions that `sessions()` returns. `limit_s` is per statement, in seconds.

    `pulse` tells for how long the server has answered: a statement's time counts only while it does.
    """

    def __init__(
        self, target: Target, recorder: Recorder, sessions: Callable[[], Iterable[RecordedSession]], limit_s: float, pulse: Pulse
    ) -> None:
        self._target = target
        self._recorder = recorder
        self._sessions = sessions
        self._limit_s = limit_s
        self._pulse = pulse
        self._cases: dict[int, _Case] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._end.wait(LOOK_S):
            for session in list(self._sessions()):
                self._look(session)

    def _look(self, session: RecordedSession) -> None:
        running = session.running
        known = self._cases.get(id(session))
        if running is None or (known and known.running is not running):
            self._cases.pop(id(session), None)
            return
        age_s = self._pulse.age_s(running.start_ns)
        if age_s < self._limit_s:
            return
        case = self._cases.setdefault(id(session), _Case(running))
        if not case.judged:
            self._judge(session, case, age_s)
        elif case.cancelled_ns and not case.terminated and time.monotonic_ns() - case.cancelled_ns > GRACE_S * 1e9:
            case.terminated = True
            text = (
                f"terminated {session.position.session} (pid {session.pid}): it ignored the request to cancel {case.running.sql}"
            )
            self._recorder.append(Fault(session.position.repetition, text, time.monotonic_ns()))
            with contextlib.suppress(UnreachableError):  # the pulse takes care of a server that does not answer
                self._target.terminate(session.pid)

    def _judge(self, session: RecordedSession, case: _Case, age_s: float) -> None:
        asked = time.monotonic()
        try:
            waits = self._target.waits()
        except TargetError:
            return  # the server does not answer just now: looked at again in LOOK_S, and a dead one is the crash oracle's
        if time.monotonic() - asked > SLOW_S:
            return  # it had stopped answering, and what it shows in this moment says nothing about a hang
        verdict = judge_waits(waits, session.pid, {s.pid for s in self._sessions()})
        if verdict not in ("deadlock", "held") and age_s < self._limit_s * PATIENCE:
            return
        case.judged = True
        self._recorder.append(
            Overdue(
                repetition=session.position.repetition,
                session=session.position.session,
                sql=case.running.sql,
                start_ns=case.running.start_ns,
                limit_s=self._limit_s,
                waits=tuple(str(wait) for wait in waits or ()),
                verdict=verdict,
            )
        )
        case.cancelled_ns = time.monotonic_ns()
        session.cancel()


def judge_waits(waits: list[Wait] | None, pid: int, own: set[int]) -> Verdict:
    """Why a session waits: in a cycle, for a session that is none of ours, for nobody, or for one of ours that does nothing."""
    if waits is None:
        return "unknown"
    by_pid = {wait.pid: wait for wait in waits}
    seen: list[int] = []
    frontier = [pid]
    ends: set[int] = set()
    while frontier:
        current = frontier.pop()
        seen.append(current)
        blockers = by_pid[current].blockers if current in by_pid else ()
        if pid in blockers:
            return "deadlock"
        if not blockers:
            ends.add(current)
        frontier += [blocker for blocker in blockers if blocker not in seen and blocker not in frontier]
    if ends == {pid}:
        return "running"
    if ends - own:
        return "held"
    return "undecided"
