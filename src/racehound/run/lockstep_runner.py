"""The lock-step runner: keeps sessions open in one working database and runs schedules on them, one after the other."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from racehound.data.finding import Severity
from racehound.data.history import Fault, Mismatch, Recorder, RepetitionStarted
from racehound.data.program import Program
from racehound.data.schedule import Schedule, TurnOrder
from racehound.databases.stepping import Stepping
from racehound.databases.target import Target
from racehound.errors import RacehoundError, TargetError, TimeIsUpError, UserError
from racehound.run.blocking import BlockingSession, SteppedRecorded
from racehound.run.lockstep import LockStep, LockstepSession, Move
from racehound.run.lockstep_program import LockstepProgram, SerialScript
from racehound.run.pulse import Pulse
from racehound.run.recorded_session import RecordedSession, StepPosition
from racehound.run.session_script import OBJECT, ScriptCursor, SessionScript, failures_of_check, run_alone
from racehound.session import Session
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.state import Context
from racehound.testdrive.variables import substitute
from racehound.wire.session import LibpqSession

DIRECTOR = "main"
"""Name of the session that runs the serial scripts."""


class LockstepRunner:
    """Sessions are opened when the working database is built, and again whenever it is a new one.

    `limit_s`: seconds without any progress after which a statement counts as hanging.
    """

    def __init__(self, target: Target, recorder: Recorder, temp_dir: Path, limit_s: float) -> None:
        self.target = target
        self.recorder = recorder
        self.deadline = math.inf
        """When a schedule ends that is still running, as `time.monotonic` counts."""
        self._temp_dir = temp_dir
        self.limit_s = limit_s
        self.pulse = Pulse(target, recorder)
        self._stepping: Stepping | None = None
        self._variables: dict[str, str] = {}
        self._sessions: list[SteppedRecorded] = []
        self._further: list[Session] = []
        """Sessions that were opened at rest, in place of lost ones."""
        self._director: RecordedSession | None = None
        self._pool = ThreadPoolExecutor(1)
        self._dropping: Future[bool] | None = None
        """Whether the working database can take another schedule; None where it cannot."""

    @property
    def stepping(self) -> Stepping:
        """How the target is led. TargetError where there is no working database yet."""
        if self._stepping is None:
            raise TargetError("there is no working database yet")
        return self._stepping

    def schedule(self, program: LockstepProgram, asked: Schedule, order: TurnOrder) -> ScheduledRepetition:
        """One repetition of a program. `asked`: the schedule, where it is known beforehand. `order` chooses whose turn it is."""
        return ScheduledRepetition(self, program, asked, order)

    def prepare(self, *, damaged: bool) -> bool:
        """Make the working database ready for a schedule; True when it is a new one. TargetError."""
        if self._dropped() and not damaged:
            return False
        self._close_sessions()
        self.target.rebuild()
        self.connect()
        return True

    def connect(self) -> None:
        """Open the session `main`, and what leads the target, in the present working database. TargetError."""
        self._stepping = self.target.stepping()
        self._variables = dict(self.target.variables())
        blocking = BlockingSession(self._stepping.open(DIRECTOR), self._stepping, self.limit_s)
        self._director = RecordedSession(blocking, self.recorder, StepPosition(DIRECTOR, object=OBJECT), self.target.secrets)

    def resting_session(self, name: str) -> Session:
        """The connection of a session, whose statements are not recorded; a new one if it was lost. TargetError."""
        self.stepping.end_fast_checks()
        known = next((each for each in self._all_sessions() if each.position.session == name and not each.lost), None)
        if known is not None:
            return known.inner
        self._further.append(self.stepping.open(name))
        return self._further[-1]

    def disconnect(self) -> None:
        """Close all sessions. They are opened again by `connect` and `open_sessions`."""
        self._close_sessions()

    def open_sessions(self, count: int) -> None:
        """Open sessions until there are so many. Those that a schedule does not need stay open and do nothing."""
        for number in range(len(self._sessions) + 1, count + 1):
            position = StepPosition(str(number), object=OBJECT, phase="manipulate")
            self._sessions.append(SteppedRecorded(self.stepping.open(str(number)), self.recorder, position, self.target.secrets))

    def lockstep(self, scripts: Sequence[SessionScript], repetition: int) -> LockStep:
        """The sessions, each before the first statement of its script."""
        sessions = []
        for number, (session, script) in enumerate(zip(self._sessions, scripts, strict=False), 1):
            session.position.repetition = repetition
            sessions.append(LockstepSession(number, session, ScriptCursor(script, self._context(session))))
        return LockStep(
            self.target,
            self.stepping,
            self.recorder,
            sessions,
            self.pulse,
            limit_s=self.limit_s,
            repetition=repetition,
            deadline=self.deadline,
        )

    def run_alone(self, serial: SerialScript, repetition: int) -> CommandFailed | None:
        """Run a script in the session `main`. Return how it failed, if it did. TimeIsUpError where the deadline has passed."""
        try:
            run_alone(serial.script, self._context(self._directing(serial, repetition)))
        except CommandFailed as failure:
            return failure
        return None

    def check(self, serial: SerialScript, repetition: int) -> list[CommandFailed]:
        """Run a script that says what must hold in the session `main`. Return what does not. TimeIsUpError as `run_alone`."""
        return failures_of_check(serial.script, self._context(self._directing(serial, repetition)))

    def _directing(self, serial: SerialScript, repetition: int) -> RecordedSession:
        """The session `main`, in which the statements of that script are recorded from now on."""
        if time.monotonic() >= self.deadline:
            raise TimeIsUpError("there was no time left to run a script")
        assert self._director is not None
        position = self._director.position
        position.object, position.phase, position.repetition = serial.object, serial.phase, repetition
        return self._director

    def reset_sessions(self) -> None:
        """Let every session end its transaction and forget its settings."""
        for session in self._all_sessions():
            if not session.lost:
                session.reset()

    def worth_judging(self, look: Callable[[], bool]) -> bool:
        """Whether a quick look at the state at rest shows anything."""
        self.stepping.begin_fast_checks()
        if not look():
            return False
        self.stepping.end_fast_checks()
        return True

    def drop_leftovers(self) -> None:
        """Begin to drop what a schedule left, in a thread: meanwhile the schedule's events are written down."""
        self._dropping = self._pool.submit(self.stepping.drop_leftovers)

    def release(self) -> None:
        """Wait for the end of the drops and close all sessions, since another runner is going to use the target.

        The next schedule gets a new working database.
        """
        with contextlib.suppress(TargetError):  # the other runner makes a new working database
            self._dropped()
        self._close_sessions()

    def _dropped(self) -> bool:
        """Wait for the end of the drops, if any were begun. Whether the working database can take another schedule."""
        dropping, self._dropping = self._dropping, None
        return dropping is not None and dropping.result()

    def can_read(self, sql: str) -> bool:
        """Whether a text, with variables, is a statement by its grammar, as far as the target can tell."""
        if self._dropping is not None:
            self._dropping.exception()  # the target does one thing at a time: wait for the end of the drops
        try:
            return self.stepping.can_read(substitute(sql, self._variables, {}))
        except RacehoundError:
            return False

    @property
    def lost(self) -> bool:
        """Whether a session has lost its connection."""
        return any(session.lost for session in self._all_sessions())

    def pids(self) -> set[int]:
        """Server processes of all sessions."""
        return {session.pid for session in self._all_sessions()} | ({self._stepping.pid} if self._stepping else set())

    def close(self) -> None:
        """Wait for the end of the drops and close all sessions."""
        self._pool.shutdown()
        self.pulse.stop()
        self._close_sessions()

    def _close_sessions(self) -> None:
        for session in (*self._all_sessions(), *self._further):
            session.close()
        if self._stepping is not None:
            self._stepping.close()
        self._sessions, self._further, self._director, self._stepping = [], [], None, None

    def _all_sessions(self) -> Sequence[RecordedSession]:
        return [*self._sessions, *([self._director] if self._director else [])]

    def _context(self, session: Session) -> Context:
        return Context(
            session=session,
            variables=self._variables,
            connect=LibpqSession.connect,
            support=self.target.dialect.script_support,
            temp_dir=self._temp_dir,
            max_tries=1,  # a statement that is tried again would be another statement of the schedule
        )


class ScheduledRepetition:
    """One repetition of a program in lock-step; see `loops.repetition.SessionHost`."""

    damaging: frozenset[Severity] = frozenset(("crash", "corruption", "hang", "leak"))

    def __init__(self, runner: LockstepRunner, program: LockstepProgram, asked: Schedule, order: TurnOrder) -> None:
        self.target = runner.target
        self.recorder = runner.recorder
        self.moves: list[Move] = []
        """The turns as they were taken."""
        self._runner = runner
        self._program = program
        self._asked = asked
        self._order = order
        self._number = 0

    @property
    def program(self) -> Program:
        return self._program.program

    @property
    def schedule(self) -> Schedule:
        """The turns as they were taken, as a schedule."""
        return tuple(move.session for move in self.moves)

    @property
    def lost(self) -> bool:
        return self._runner.lost

    @property
    def statement_limit_s(self) -> float:
        return self._runner.limit_s

    def resting_session(self, name: str) -> Session:
        return self._runner.resting_session(name)

    def disconnect(self) -> None:
        self._runner.disconnect()

    def reconnect(self) -> None:
        self._runner.connect()

    def pids(self) -> set[int]:
        return self._runner.pids()

    @property
    def silent_s(self) -> float:
        """For how many seconds the server has not answered new sessions; 0 where that is not unusual."""
        return self._runner.pulse.silent_s

    def note(self, text: str) -> None:
        """Record something that racehound did or noticed."""
        self.recorder.append(Fault(self._number, text, time.monotonic_ns()))

    def prepare(self, *, damaged: bool) -> bool:
        return self._runner.prepare(damaged=damaged)

    def run(self, number: int) -> None:
        """Setup, all turns, and the check.

        UserError for a setup that has to succeed and fails, TimeIsUpError where the runner's deadline passes meanwhile.
        """
        self._number = self._runner.pulse.repetition = number
        self.moves = []
        order = copy.deepcopy(self._order)  # a schedule that an outage spoils is run again
        self.recorder.append(RepetitionStarted(number, time.monotonic_ns(), schedule=self._asked))
        self._runner.open_sessions(len(self._program.sessions))
        for serial in self._program.setup:
            failure = self._runner.run_alone(serial, number)
            if failure is not None and not self._program.setup_may_fail:
                raise UserError(f"{serial.label}: {failure}")
        self.moves = self._runner.lockstep(self._program.sessions, number).run(order)
        self._runner.reset_sessions()
        for serial in self._program.check:
            self._expect(serial)

    def worth_judging(self, look: Callable[[], bool]) -> bool:
        return self._runner.worth_judging(look)

    def finish(self, number: int, *, sound: bool) -> None:  # noqa: ARG002 the same as in `run`
        """Verify the objects that are left, where the catalogs are sound. Errors are left to the oracle of errors."""
        if not sound or self.lost:
            return
        for serial in self._program.verify:
            self._expect(serial, errors=False)

    def leave(self, number: int, *, damaged: bool) -> None:
        """Run the teardown, and let what is left be dropped where the next schedule can use the same database."""
        for serial in self._program.teardown:
            self._runner.run_alone(serial, number)
        if not damaged and not self.lost:
            self._runner.drop_leftovers()

    def wanted_errors(self) -> frozenset[tuple[str, int, str]]:
        """The errors that the scripts ask for themselves, by session, turn and SQLSTATE."""
        return frozenset(
            (str(m.session), m.turn, m.outcome.error.sqlstate) for m in self.moves if m.wanted and m.outcome and m.outcome.error
        )

    def _expect(self, serial: SerialScript, *, errors: bool = True) -> None:
        """Run a script and record a mismatch for whatever does not hold. `errors`: also where a statement fails."""
        start_ns = time.monotonic_ns()
        failures = self._runner.check(serial, self._number)
        end_ns = time.monotonic_ns()
        for failure in failures:
            if errors or (failure.outcome is not None and failure.outcome.ok):
                difference = failure.difference or str(failure.reason)
                self.recorder.append(
                    Mismatch(self._number, DIRECTOR, serial.object, "verify", failure.sql, difference, start_ns, end_ns)
                )
