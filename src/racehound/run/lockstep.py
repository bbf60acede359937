"""Lock-step: one statement is let go at a time, in the order that a schedule names; one thread leads all sessions.

A statement that has no answer within half a millisecond is looked into. The target says whom it waits for: if that is a session
who does nothing, the statement is blocked, and the next session goes on. What may have been released by another one's end is
awaited before that, so that a schedule means the same interleaving every time. A turn whose session is still blocked passes to the
next one. Where the target cannot tell, no answer within a deadline counts as blocked.

A cycle of waits is left to the server. When every session is blocked and there is no cycle, those that have done all their
statements leave, as a client would: their transactions are rolled back. If that does not help either, it is a hang.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from racehound.data.history import Blocked, Fault, Overdue, Passed, Recorder
from racehound.data.schedule import Schedule, Together, TurnOrder
from racehound.databases.stepping import Stepping
from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.run.blocking import SteppedRecorded, wait
from racehound.run.session_script import Request, ScriptCursor
from racehound.run.watchdog import GRACE_S, PATIENCE, judge_waits
from racehound.session import Outcome
from racehound.testdrive.redaction import redact, scrub_outcome

PATIENCE_S = 0.0005
"""How long a statement may take before the target is asked whether it is blocked; then twice as long, and so on."""
LOOK_S = 0.02
DEADLINE_S = 0.1
"""Where the target cannot tell: how long a statement may take, after others have ended, before it counts as blocked."""
SOMEBODY = -1
"""Stands for whom a statement waits for where that is not known; 0 for a prepared transaction."""


class Move(msgspec.Struct):
    """A turn that was taken: the statement that was let go, and what became of it."""

    session: int
    turn: int
    """Number of the statement within its session, from 0."""
    sql: str
    passed: tuple[int, ...] = ()
    """Sessions whose turn passed to this one, told once for each blocked statement."""
    behind: tuple[int, ...] = ()
    """Sessions that it waited for when it was first found to be blocked."""
    released_by: int | None = None
    """Number of the move, from 0, at whose end it was no longer blocked."""
    outcome: Outcome | None = None
    """Without rows."""
    unlike: str = ""
    """In what way the outcome is not what the script says; empty where it is."""
    wanted: bool = False
    """Whether the script asks for the error that came."""


@dataclasses.dataclass
class _Flight:
    """A statement on its way."""

    move: Move
    request: Request
    behind: tuple[int, ...] = ()
    """Whom it waits for; empty while it runs, or may run."""
    last_behind: tuple[int, ...] = ()
    since_ns: int = 0
    passed: bool = False


@dataclasses.dataclass
class LockstepSession:
    """A session in one schedule."""

    number: int
    session: SteppedRecorded
    cursor: ScriptCursor
    flight: _Flight | None = None
    gone: bool = False

    @property
    def free(self) -> bool:
        """Whether it can take a turn."""
        return self.flight is None and not self.cursor.ended and not self.session.lost


class LockStep:
    """Leads one schedule. `limit_s`: seconds without any progress after which a statement is looked into as a hang."""

    def __init__(
        self,
        target: Target,
        stepping: Stepping,
        recorder: Recorder,
        sessions: Sequence[LockstepSession],
        *,
        limit_s: float,
        repetition: int,
    ) -> None:
        self._target = target
        self._stepping = stepping
        self._recorder = recorder
        self._players = {player.number: player for player in sessions}
        self._numbers = {player.session.pid: player.number for player in sessions}
        self._limit_s = limit_s
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
        """Let the sessions take all their turns. TargetError when the target does not answer any more."""
        with self._cancelling():
            if isinstance(order, Together):
                return self._run_together()
            while True:
                free = [player.number for player in self._players.values() if player.free]
                if free:
                    self._let_go(self._players[order.choose(free)], order.passed())
                elif not self._flights():
                    return self.moves
                else:
                    self._untie()
                self._settle()

    def _run_together(self) -> list[Move]:
        """Everybody is let go, and on again as soon as a statement has ended. Nobody is asked who is blocked."""
        while True:
            for player in self._players.values():
                if player.free:
                    self._send(player, ())
            if not self._flights():
                return self.moves
            self._collect(LOOK_S)

    @contextlib.contextmanager
    def _cancelling(self) -> Iterator[None]:
        """Whoever leaves early leaves nothing running."""
        try:
            yield
        except BaseException:
            for player in self._flying():
                player.session.cancel()
            raise

    def _flying(self) -> list[LockstepSession]:
        return [player for player in self._players.values() if player.flight is not None]

    def _flights(self) -> dict[int, _Flight]:
        return {player.number: player.flight for player in self._players.values() if player.flight is not None}

    def _let_go(self, player: LockstepSession, passed: tuple[int, ...]) -> None:
        self._stepping.prepare(player.session.steps, others_wait=bool(self._flights()))
        self._send(player, self._pass(passed))

    def _send(self, player: LockstepSession, passed: tuple[int, ...]) -> None:
        turn, following = player.cursor.turn, player.cursor.following
        request = player.cursor.request()
        move = Move(player.number, turn, redact(request.sql), passed)
        self.moves.append(move)
        position = player.session.position
        position.step, position.object, position.phase = turn, following.object, following.phase
        self._progress_ns = time.monotonic_ns()
        player.flight = _Flight(move, request, since_ns=self._progress_ns)
        player.session.send(request.sql)

    def _pass(self, sessions: tuple[int, ...]) -> tuple[int, ...]:
        told = []
        for number in sessions:
            flight = self._players[number].flight
            if flight is not None and not flight.passed:
                flight.passed = True
                self._recorder.append(Passed(self._repetition, str(number), time.monotonic_ns()))
                told.append(number)
        return tuple(told)

    # Waiting

    def _settle(self) -> None:
        """Until every statement on its way is blocked by someone who does nothing."""
        wait_s = PATIENCE_S
        while any(not flight.behind for flight in self._flights().values()):
            if self._collect(wait_s):
                wait_s = 0.0
            elif not self._recognise():
                wait_s = min(max(2 * wait_s, PATIENCE_S), LOOK_S)

    def _collect(self, wait_s: float) -> bool:
        """Take what ends within that time; whether anything did. Whoever was blocked may run then."""
        flying = self._flying()
        wait([player.session.fileno for player in flying], wait_s)
        ended = [(player, outcome) for player in flying if (outcome := player.session.take()) is not None]
        for player, outcome in ended:
            self._end(player, outcome)
        if ended:
            self._release()
        else:
            self._watch(flying)
        return bool(ended)

    def _end(self, player: LockstepSession, outcome: Outcome) -> None:
        flight = player.flight
        assert flight is not None
        player.flight = None
        failure = player.cursor.judge(flight.request.expect, outcome)
        flight.move.outcome = msgspec.structs.replace(scrub_outcome(outcome, flight.request.sql), rows=None)
        flight.move.unlike = "" if failure is None else failure.reason or "it failed"
        flight.move.wanted = failure is None and not outcome.ok
        number = self.moves.index(flight.move)
        for other in self._flights().values():
            if player.number in other.last_behind:
                other.move.released_by = number

    def _release(self) -> None:
        """Something has ended: whoever was blocked is to be looked at again."""
        now_ns = self._progress_ns = time.monotonic_ns()
        self._cancelled_ns, self._terminated = 0, False
        for flight in self._flights().values():
            flight.behind, flight.since_ns = (), now_ns

    # Who is blocked

    def _recognise(self) -> bool:
        """Find out whether all that is on its way is blocked; if so, note it."""
        flights = self._flights()
        behind = self._behind(flights)
        if not all(behind.values()) or any(_in_cycle(number, behind) for number in behind):
            return False
        for number, flight in flights.items():
            flight.behind = behind[number]
            if flight.last_behind != flight.behind:
                flight.last_behind = flight.behind
                self._note(number, flight)
        return True

    def _behind(self, flights: Mapping[int, _Flight]) -> dict[int, tuple[int, ...]]:
        pids = {number: self._players[number].session.pid for number in flights}
        try:
            blockers = self._stepping.blockers(list(pids.values()))
        except TargetError:
            return dict.fromkeys(pids, ())  # a server that crashes answers nobody: the sessions will tell
        if blockers is None:
            late_ns = time.monotonic_ns() - int(DEADLINE_S * 1e9)
            return {number: (SOMEBODY,) if flight.since_ns < late_ns else () for number, flight in flights.items()}
        own = {**self._numbers, 0: 0}
        return {
            number: tuple(sorted({own[blocker] for blocker in blockers.get(pid, ()) if blocker in own}))
            for number, pid in pids.items()
        }

    def _note(self, number: int, flight: _Flight) -> None:
        names = tuple(_NAMES.get(other, str(other)) for other in flight.behind)
        self._recorder.append(Blocked(self._repetition, str(number), flight.move.sql, time.monotonic_ns(), names))
        flight.move.behind = flight.move.behind or flight.behind

    # When nobody can go on

    def _untie(self) -> None:
        """Everybody is blocked: let one of those who have done all their statements leave, or wait for whatever may come."""
        waited_for = {number for flight in self._flights().values() for number in flight.behind}
        done = [p for p in self._players.values() if p.flight is None and p.cursor.ended and not p.gone and not p.session.lost]
        leaving = next((p for p in done if p.number in waited_for), done[0] if done else None)
        if leaving is not None:
            leaving.gone = True
            text = f"session {leaving.number} left after its last statement: others wait for what it holds"
            self._recorder.append(Fault(self._repetition, text, time.monotonic_ns()))
            leaving.session.reset()
            self._release()
            return
        while not self._collect(LOOK_S):
            pass

    def _watch(self, flying: Sequence[LockstepSession]) -> None:
        """Step in where nothing has ended for longer than the limit: say who waits for whom, cancel, and then terminate."""
        now_ns = time.monotonic_ns()
        age_s = (now_ns - self._progress_ns) / 1e9
        if age_s < self._limit_s:
            return
        if not self._cancelled_ns:
            if self._judge_overdue(flying, age_s):
                self._cancelled_ns = time.monotonic_ns()
        elif now_ns - self._cancelled_ns > GRACE_S * 1e9 and not self._terminated:
            self._terminated = True
            for player in flying:
                text = f"terminated session {player.number} (pid {player.session.pid}): it ignored the request to cancel"
                self._recorder.append(Fault(self._repetition, text, now_ns))
                self._target.terminate(player.session.pid)

    def _judge_overdue(self, flying: Sequence[LockstepSession], age_s: float) -> bool:
        """Record the statements beyond their limit and ask the server to cancel them; False where it is too early for that."""
        try:
            waits = self._target.waits()
        except TargetError:
            return False  # the server does not answer just now: it is asked again, and a dead one is the crash oracle's
        own = set(self._numbers)
        verdicts = {player.number: judge_waits(waits, player.session.pid, own) for player in flying}
        told = tuple(map(str, waits or ()))
        if waits is None:
            # All other sessions have left. At least one of these hangs, or they wait for each other: that is one finding.
            others = sorted(flying, key=lambda player: self.moves.index(player.flight.move) if player.flight else 0)[1:]
            verdicts |= {player.number: "undecided" for player in others}
            told = tuple(f"session {p.number} does not go on either: {p.flight.move.sql}" for p in others if p.flight)
        if age_s < self._limit_s * PATIENCE and not {"deadlock", "held"} & set(verdicts.values()):
            return False
        for player in flying:
            running, flight = player.session.running, player.flight
            assert running is not None
            assert flight is not None
            self._recorder.append(
                Overdue(
                    repetition=self._repetition,
                    session=str(player.number),
                    sql=flight.move.sql,
                    start_ns=running.start_ns,
                    limit_s=self._limit_s,
                    waits=told,
                    verdict=verdicts[player.number],
                )
            )
            player.session.cancel()
        return True


_NAMES = {0: "a prepared transaction", SOMEBODY: "somebody"}


def _in_cycle(number: int, behind: Mapping[int, tuple[int, ...]]) -> bool:
    """Whether a session waits, by way of others, for itself."""
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
