"""Lock-step: one thread sends the statements of all sessions, one at a time, in the order that a schedule names.

If a statement has no answer within half a millisecond, the target is asked for which sessions it waits. If it waits for a session
that is idle, it is blocked, and the next session takes its turn. Where the end of a statement may have released others, their
answers are awaited first: so a schedule means the same interleaving every time. The turn of a session that is still blocked
passes to the next session. Where the target cannot tell who waits for whom, a statement counts as blocked when it has no answer
within a deadline.

A cycle of waits is left to the server. When every session is blocked and there is no cycle, sessions that have run all their
statements are reset, one after the other, as if their clients had disconnected. If that does not help either, it is a hang.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from racehound.data.history import Blocked, Fault, Overdue, Passed, Recorder
from racehound.data.schedule import Schedule, Together, TurnOrder
from racehound.databases.stepping import Stepping
from racehound.databases.target import Target
from racehound.errors import TargetError, TimeIsUpError, UnreachableError
from racehound.run.blocking import SteppedRecorded, wait
from racehound.run.pulse import Pulse
from racehound.run.session_script import Request, ScriptCursor
from racehound.run.watchdog import GRACE_S, PATIENCE, SLOW_S, judge_waits
from racehound.session import Outcome
from racehound.testdrive.redaction import redact, scrub_outcome

PATIENCE_S = 0.0005
"""How long to wait for an answer before the target is asked whether the statement is blocked. The time doubles with each try."""
LOOK_S = 0.02
SOMEBODY = -1
"""Number of the session that a statement waits for, where that is not known. 0 is a prepared transaction."""


class Move(msgspec.Struct):
    """A turn that was taken: the statement that was sent, and its outcome."""

    session: int
    turn: int
    """Number of the statement within its session, from 0."""
    sql: str
    passed: tuple[int, ...] = ()
    """Sessions whose turn passed to this one; each blocked statement is listed once."""
    behind: tuple[int, ...] = ()
    """Sessions that it waited for when it was first found to be blocked; empty if it never was."""
    released_by: int | None = None
    """Number of the move, from 0, at whose end it was no longer blocked."""
    outcome: Outcome | None = None
    """Without rows."""
    unlike: str = ""
    """How the outcome differs from what the script expects; empty where it does not."""
    wanted: bool = False
    """Whether the script expects the error that came."""


@dataclasses.dataclass
class _Pending:
    """A statement that was sent and has no answer yet."""

    move: Move
    request: Request
    behind: tuple[int, ...] = ()
    """Sessions that it waits for; empty while it runs, or may run."""
    last_behind: tuple[int, ...] = ()
    since_ns: int = 0
    passed: bool = False


@dataclasses.dataclass
class LockstepSession:
    """A session during one schedule."""

    number: int
    connection: SteppedRecorded
    cursor: ScriptCursor
    pending: _Pending | None = None
    left: bool = False
    """Whether it was reset before the schedule ended, because others waited for what it held."""

    @property
    def free(self) -> bool:
        """Whether it can take a turn."""
        return self.pending is None and not self.cursor.ended and not self.connection.lost

    @property
    def is_idle(self) -> bool:
        """Whether it has run all its statements and is still connected as it was then."""
        return self.pending is None and self.cursor.ended and not self.left and not self.connection.lost


class LockStep:
    """Runs one schedule. `limit_s`: when no statement has ended for so many seconds, pending ones may count as hanging.

    `deadline`: as `time.monotonic` counts; at that time the schedule ends, whatever is still running.
    """

    def __init__(
        self,
        target: Target,
        stepping: Stepping,
        recorder: Recorder,
        sessions: Sequence[LockstepSession],
        pulse: Pulse,
        *,
        limit_s: float,
        repetition: int,
        deadline: float = math.inf,
    ) -> None:
        self._target = target
        self._stepping = stepping
        self._recorder = recorder
        self._sessions = {each.number: each for each in sessions}
        self._numbers = {each.connection.pid: each.number for each in sessions}
        self._pulse = pulse
        self._limit_s = limit_s
        self._deadline = deadline
        self._repetition = repetition
        self._progress_ns = time.monotonic_ns()
        self._cancelled_ns = 0
        self._terminated = False
        self.moves: list[Move] = []

    @property
    def schedule(self) -> Schedule:
        """The turns as they were taken."""
        return tuple(move.session for move in self.moves)

    def run(self, order: TurnOrder) -> list[Move]:
        """Let the sessions take all their turns, in an order.

        TargetError when the target does not answer any more, TimeIsUpError at the deadline: pending statements are cancelled.
        """
        with self._cancelling():
            if isinstance(order, Together):
                return self._run_together()
            while True:
                self._check_deadline()
                free = [each.number for each in self._sessions.values() if each.free]
                if free:
                    self._take_turn(self._sessions[order.choose(free)], order.passed())
                elif not self._pending():
                    return self.moves
                else:
                    self._unblock()
                self._await_answers()

    def _run_together(self) -> list[Move]:
        """Every session sends its next statement as soon as it has an answer. It does not matter who is blocked."""
        while True:
            self._check_deadline()
            for each in self._sessions.values():
                if each.free:
                    self._send(each, ())
            if not self._pending():
                return self.moves
            self._collect(LOOK_S)

    @contextlib.contextmanager
    def _cancelling(self) -> Iterator[None]:
        """Cancel all pending statements if the schedule ends early."""
        try:
            yield
        except BaseException:
            for each in self._waiting():
                each.connection.cancel()
            raise

    def _waiting(self) -> list[LockstepSession]:
        return [each for each in self._sessions.values() if each.pending is not None]

    def _pending(self) -> dict[int, _Pending]:
        return {each.number: each.pending for each in self._sessions.values() if each.pending is not None}

    def _take_turn(self, session: LockstepSession, passed: tuple[int, ...]) -> None:
        self._stepping.prepare(session.connection.steps, others_wait=bool(self._pending()))
        self._send(session, self._record_passed(passed))

    def _send(self, session: LockstepSession, passed: tuple[int, ...]) -> None:
        turn, following = session.cursor.turn, session.cursor.following
        request = session.cursor.request()
        move = Move(session.number, turn, redact(request.sql), passed)
        self.moves.append(move)
        position = session.connection.position
        position.step, position.object, position.phase = turn, following.object, following.phase
        self._progress_ns = time.monotonic_ns()
        session.pending = _Pending(move, request, since_ns=self._progress_ns)
        session.connection.send(request.sql)

    def _record_passed(self, sessions: tuple[int, ...]) -> tuple[int, ...]:
        recorded = []
        for number in sessions:
            pending = self._sessions[number].pending
            if pending is not None and not pending.passed:
                pending.passed = True
                self._recorder.append(Passed(self._repetition, str(number), time.monotonic_ns()))
                recorded.append(number)
        return tuple(recorded)

    # Waiting

    def _await_answers(self) -> None:
        """Wait until every pending statement is blocked by an idle session, a prepared transaction or an unknown session."""
        wait_s = PATIENCE_S
        while any(not pending.behind for pending in self._pending().values()):
            if self._collect(wait_s):
                wait_s = 0.0
            elif not self._all_blocked():
                wait_s = min(max(2 * wait_s, PATIENCE_S), LOOK_S)

    def _collect(self, wait_s: float) -> bool:
        """Take the outcomes that come within that time; whether there were any. Blocked statements may then run again."""
        waiting = self._waiting()
        wait([each.connection.fileno for each in waiting], wait_s)
        ended = [(each, outcome) for each in waiting if (outcome := each.connection.take()) is not None]
        for each, outcome in ended:
            self._end(each, outcome)
        if ended:
            self._release()
        else:
            self._check_deadline()
            self._check_limit(waiting)
        return bool(ended)

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._deadline:
            raise TimeIsUpError("the schedule was not over in the time that there was for it")

    def _end(self, session: LockstepSession, outcome: Outcome) -> None:
        pending = session.pending
        assert pending is not None
        session.pending = None
        failure = session.cursor.judge(pending.request.expect, outcome)
        pending.move.outcome = msgspec.structs.replace(scrub_outcome(outcome, pending.request.sql), rows=None)
        pending.move.unlike = "" if failure is None else failure.reason or "it failed"
        pending.move.wanted = failure is None and not outcome.ok
        number = self.moves.index(pending.move)
        for other in self._pending().values():
            if session.number in other.last_behind:
                other.move.released_by = number

    def _release(self) -> None:
        """A statement has ended: whether the others are still blocked is not known any more."""
        now_ns = self._progress_ns = time.monotonic_ns()
        self._cancelled_ns, self._terminated = 0, False
        for pending in self._pending().values():
            pending.behind, pending.since_ns = (), now_ns

    # Who is blocked

    def _all_blocked(self) -> bool:
        """Whether all pending statements are blocked. If so, record it."""
        waiting = self._pending()
        behind = self._blockers(waiting)
        if not all(behind.values()) or any(_in_cycle(number, behind) for number in behind):
            return False
        for number, pending in waiting.items():
            pending.behind = behind[number]
            if pending.last_behind != pending.behind:
                pending.last_behind = pending.behind
                self._record_blocked(number, pending)
        return True

    def _blockers(self, waiting: Mapping[int, _Pending]) -> dict[int, tuple[int, ...]]:
        pids = {number: self._sessions[number].connection.pid for number in waiting}
        try:
            blockers = self._stepping.blockers(list(pids.values()))
        except TargetError:
            return dict.fromkeys(pids, ())  # a server that crashes does not answer; the sessions will lose their connections
        if blockers is None:
            late_ns = time.monotonic_ns() - int(self._stepping.deadline_s * 1e9)
            return {number: (SOMEBODY,) if pending.since_ns < late_ns else () for number, pending in waiting.items()}
        own = {**self._numbers, 0: 0}
        return {
            number: tuple(sorted({own[blocker] for blocker in blockers.get(pid, ()) if blocker in own}))
            for number, pid in pids.items()
        }

    def _record_blocked(self, number: int, pending: _Pending) -> None:
        names = tuple(_NAMES.get(other, str(other)) for other in pending.behind)
        self._recorder.append(Blocked(self._repetition, str(number), pending.move.sql, time.monotonic_ns(), names))
        pending.move.behind = pending.move.behind or pending.behind

    # When every session is blocked

    def _unblock(self) -> None:
        """Reset a session that has run all its statements, one that others wait for first; if there is none, wait."""
        waited_for = {number for pending in self._pending().values() for number in pending.behind}
        idle_ones = [each for each in self._sessions.values() if each.is_idle]
        idle = next((each for each in idle_ones if each.number in waited_for), idle_ones[0] if idle_ones else None)
        if idle is not None:
            idle.left = True
            text = f"session {idle.number} left after its last statement: others wait for what it holds"
            self._recorder.append(Fault(self._repetition, text, time.monotonic_ns()))
            idle.connection.reset()
            self._release()
            return
        while not self._collect(LOOK_S):
            pass

    def _check_limit(self, waiting: Sequence[LockstepSession]) -> None:
        """If no statement has ended for longer than the limit: record who waits for whom, cancel, and later terminate."""
        now_ns = time.monotonic_ns()
        age_s = self._pulse.age_s(self._progress_ns)
        if age_s < self._limit_s:
            return
        if not self._cancelled_ns:
            if self._cancel_overdue(waiting, age_s):
                self._cancelled_ns = time.monotonic_ns()
        elif now_ns - self._cancelled_ns > GRACE_S * 1e9 and not self._terminated:
            self._terminated = True
            for each in waiting:
                text = f"terminated session {each.number} (pid {each.connection.pid}): it ignored the request to cancel"
                self._recorder.append(Fault(self._repetition, text, now_ns))
                with contextlib.suppress(UnreachableError):  # the pulse takes care of a server that does not answer
                    self._target.terminate(each.connection.pid)

    def _cancel_overdue(self, waiting: Sequence[LockstepSession], age_s: float) -> bool:
        """Record the pending statements as overdue and ask the server to cancel them; False where it is too early for that."""
        asked = time.monotonic()
        try:
            waits = self._target.waits()
        except TargetError:
            return False  # the server does not answer just now: it is asked again, and a crash is found by its oracle
        if time.monotonic() - asked > SLOW_S:
            return False  # it had stopped answering, and what it shows in this moment says nothing about a hang
        own = set(self._numbers)
        verdicts = {each.number: judge_waits(waits, each.connection.pid, own) for each in waiting}
        told = tuple(map(str, waits or ()))
        if waits is None:
            # Either one of these sessions hangs, or they wait for each other: one finding is enough.
            others = sorted(waiting, key=lambda each: self.moves.index(each.pending.move) if each.pending else 0)[1:]
            verdicts |= {each.number: "undecided" for each in others}
            told = tuple(f"session {p.number} does not go on either: {p.pending.move.sql}" for p in others if p.pending)
        if age_s < self._limit_s * PATIENCE and not {"deadlock", "held"} & set(verdicts.values()):
            return False
        for each in waiting:
            running, pending = each.connection.running, each.pending
            assert running is not None
            assert pending is not None
            self._recorder.append(
                Overdue(
                    repetition=self._repetition,
                    session=str(each.number),
                    sql=pending.move.sql,
                    start_ns=running.start_ns,
                    limit_s=self._limit_s,
                    waits=told,
                    verdict=verdicts[each.number],
                )
            )
            each.connection.cancel()
        return True


_NAMES = {0: "a prepared transaction", SOMEBODY: "somebody"}


def _in_cycle(number: int, behind: Mapping[int, tuple[int, ...]]) -> bool:
    """Whether a session waits for itself, directly or through others."""
    seen: set[int] = set()
    frontier = list(behind[number])
    while frontier:
        current = frontier.pop()
        if current == number:
            return True
        if current not in seen:
            seen.add(current)
            frontier += behind.get(current, ())
    return False
