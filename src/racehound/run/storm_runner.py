"""The storm runner: runs the repetitions of a program with a thread per session, each as fast as it can."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from racehound.data.finding import Severity
from racehound.data.history import Fault, Recorder, RepetitionStarted, Statement
from racehound.data.object_names import names_in
from racehound.data.program import Disturbance, Program, Step, without_timing
from racehound.data.schedule import Schedule
from racehound.databases.target import Reset, Target
from racehound.errors import TargetError, TimeIsUpError
from racehound.run.pacer import StormPacer, ancestors, draw_offsets
from racehound.run.perturbations.controller import PerturbationController
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.pulse import Pulse
from racehound.run.recorded_session import RecordedSession, StepPosition
from racehound.run.session_thread import SessionThread, StepRunner
from racehound.run.watchdog import Watchdog
from racehound.session import Session
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

REPETITION_LIMIT_S = 180.0
"""Seconds; a repetition takes a few hundredths of one, a statement that hangs is cancelled long before."""

_AGAIN_S = 0.1
"""After that time what still runs beyond the limit is cancelled again."""

DIRECTOR = "main"
"""Name of the session that does setup, verification and teardown."""


class StormRunner:
    """Runs one program on a started target; see `loops.repetition.SessionHost`. Used by one thread; it has threads of its own.

    `statement_limit_s`: seconds after which a statement counts as hanging. `reset`: what is made new before each repetition.
    `deadline`: as `time.monotonic` counts; at that time a repetition ends, whatever is still running. `one_by_one`: each session
    begins when the one before it has finished, and waits for no other.
    """

    damaging: frozenset[Severity] = frozenset(("crash", "corruption", "hang"))
    schedule: Schedule = ()
    """Nobody knows the order of statements in a storm."""

    def __init__(
        self,
        target: Target,
        program: Program,
        recorder: Recorder,
        temp_dir: Path,
        statement_limit_s: float,
        *,
        perturbations: PerturbationSet | None = None,
        reset: Reset = "objects",
        deadline: float = math.inf,
        one_by_one: bool = False,
    ) -> None:
        """UserError where the target cannot be disturbed as the program wants."""
        self.target = target
        self.program = without_timing(program) if one_by_one else program
        self.recorder = recorder
        self._temp_dir = temp_dir
        self._reset = reset
        self._deadline = deadline
        self._one_by_one = one_by_one
        self._step_runners: dict[str, StepRunner] = {}
        self._threads: dict[str, SessionThread] = {}
        self._finished: dict[str, BaseException | None] = {}
        """The sessions that have done their steps, and the exception that ended each, if one did."""
        self._signal: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Gets an item whenever a session has finished."""
        self._number = 0
        self.statement_limit_s = statement_limit_s
        self._kept: set[str] = set()
        """Objects that their sessions shall not destroy in this repetition, before everybody rests."""
        self._held: list[Step] = []
        """The steps that would have destroyed them, in the order in which sessions came to them."""
        known = perturbations or PerturbationSet()
        self._controller = PerturbationController(target, recorder, program, known) if program.perturbations else None
        self._pulse = Pulse(target, recorder)
        self._watchdog = Watchdog(target, recorder, self._sessions, statement_limit_s, self._pulse)

    def prepare(self, *, damaged: bool) -> bool:
        """Make the working database ready for a repetition; True when it is a new one. TargetError."""
        if damaged:
            self._rebuild()
            self._run_alone(self.program.once, 0)
        elif self._reset == "services":
            self._close_sessions()
            self.target.restart()
            self._rebuild()
        elif not self.program.reset_each:
            return False
        elif self._reset == "database":
            self._rebuild()
        elif self.target.reset():
            return False
        else:
            self.note("the working database was rebuilt: not all that a repetition left in it could be dropped")
            self._rebuild()
        return True

    def run(self, number: int) -> None:
        """One repetition, until all sessions have finished and what they left has been verified.

        TimeIsUpError where the deadline passes meanwhile.
        """
        self._number = self._pulse.repetition = number
        self._kept.clear()
        self._held.clear()
        offsets = draw_offsets(self.program, number)
        named = tuple((session, step, offset) for (session, step), offset in offsets.items())
        drawn = self._controller.draw(number) if self._controller else ()
        self.recorder.append(RepetitionStarted(number, time.monotonic_ns(), named, disturbances=drawn))
        self._run_alone(self.program.setup, number)
        try:
            self._race(StormPacer(self.program, offsets), number, drawn)
            if self._controller:
                self._forget(self._controller.finish(self._sessions(), number))
        except TargetError:
            if self._controller:
                self._controller.give_up(self._sessions())
            raise
        self._check_deadline()
        self._run_alone((*self.program.check, *self.program.verify), number)

    def worth_judging(self, look: Callable[[], bool]) -> bool:  # noqa: ARG002 a repetition takes far longer than judging it
        """Always: see `SessionHost`."""
        return True

    def finish(self, number: int, *, sound: bool) -> None:  # noqa: ARG002 the teardown is part of what is judged
        """Destroy the objects that were kept until now, then run the teardown."""
        self._run_alone((*reversed(self._held), *self.program.teardown), number)

    def leave(self, number: int, *, damaged: bool) -> None:
        """Nothing is left to do after the judgement."""

    def wanted_errors(self) -> frozenset[tuple[str, int, str]]:
        """None: the steps of a storm ask for no errors."""
        return frozenset()

    @property
    def lost(self) -> bool:
        """Whether a session that is still in use has lost its connection."""
        return any(runner.session.lost for runner in self._step_runners.values())

    def session(self, name: str) -> RecordedSession:
        """The connection of a session, which may be `main`. The first call opens it."""
        return self._step_runner(name).session

    def resting_session(self, name: str) -> Session:
        """The connection of a session, whose statements are not recorded; a new one if it was lost."""
        known = self._step_runners.get(name)
        if known is not None and known.session.lost:
            self._forget([known.session])
        return self.session(name).inner

    def disconnect(self) -> None:
        """Close all sessions."""
        self._close_sessions()

    def reconnect(self) -> None:
        """Sessions are opened when they are asked for."""

    def pids(self) -> set[int]:
        """Server processes of all open sessions."""
        return {session.pid for session in self._sessions()}

    @property
    def silent_s(self) -> float:
        """For how many seconds the server has not answered new sessions; 0 where that is not unusual."""
        return self._pulse.silent_s

    def note(self, text: str) -> None:
        """Record something that racehound did or noticed."""
        self.recorder.append(Fault(self._number, text, time.monotonic_ns()))

    def close(self) -> None:
        """End sessions, threads and watchdog."""
        self._watchdog.stop()
        self._pulse.stop()
        for thread in self._threads.values():
            thread.end()
        if self._controller:
            self._controller.close()
        self._close_sessions()

    def _rebuild(self) -> None:
        """A new working database, with new sessions."""
        self._close_sessions()
        self.target.rebuild()
        if self._controller:
            self._controller.prepare()

    def _close_sessions(self) -> None:
        for runner in self._step_runners.values():
            runner.session.close()
        self._step_runners.clear()

    def _forget(self, sessions: Iterable[RecordedSession]) -> None:
        """Close sessions that a perturbation has ended. New ones are opened when they are asked for."""
        for session in sessions:
            session.close()
            del self._step_runners[session.position.session]

    def _sessions(self) -> Iterable[RecordedSession]:
        return [runner.session for runner in list(self._step_runners.values())]

    def _step_runner(self, name: str) -> StepRunner:
        known = self._step_runners.get(name)
        if known is None:
            session = RecordedSession(self._open(name), self.recorder, StepPosition(name), self.target.secrets)
            context = Context(
                session=session,
                variables=dict(self.target.variables()),
                connect=LibpqSession.connect,
                services=self.target.services,
                support=self.target.dialect.script_support,
                temp_dir=self._temp_dir,
                max_tries=1,  # a session tries whole steps again: no retry shall hide an error
                is_final=self.target.dialect.is_missing,  # nobody brings back what is gone: it is not waited for
            )
            session.on_error = self._keep_objects_of
            known = StepRunner(session, context, self.recorder, self.target.dialect)
            self._step_runners[name] = known
        return known

    def _open(self, name: str) -> Session:
        if self._controller and name != DIRECTOR:
            return self._controller.open(name)
        return self.target.open(name)

    def _keep_objects_of(self, failed: Statement) -> None:
        """After an internal error, keep the objects of the statement, and what these are built over, until everybody rests.

        There the statement is run again (`loops.at_rest`), and only then can its objects show whether they are broken.
        """
        if len(self.program.sessions) > 1 and self.target.dialect.is_internal(failed):
            names = names_in(failed.sql) | names_in(failed.message) | {failed.object}
            self._kept |= names.union(*(ancestors(name, self.program.refers_to) for name in names))

    def _keeps(self, step: Step) -> bool:
        """Whether the step destroys an object that is to be kept. It is then run when everybody has rested."""
        kept = step.phase == "destroy" and step.object in self._kept
        if kept:
            self._held.append(step)
        return kept

    def _run_alone(self, steps: tuple[Step, ...], number: int) -> None:
        """Run steps in the session `main`, one after the other. TimeIsUpError where the deadline has passed."""
        runner = self._step_runner(DIRECTOR)
        runner.session.position.repetition = number
        for index, step in enumerate(steps):
            self._check_deadline()
            runner.run(index, step)
            if runner.session.lost:
                return

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._deadline:
            raise TimeIsUpError("the repetition was not over in the time that there was for it")

    def _race(self, pacer: StormPacer, number: int, drawn: tuple[Disturbance, ...]) -> None:
        """Run the steps of all sessions, at the same time unless it is to be one by one."""
        self._finished.clear()
        sessions = self.program.sessions
        for session in sessions:
            self._step_runner(session.name).session.position.repetition = number
            if session.name not in self._threads:
                self._threads[session.name] = SessionThread(session.name, self._session_finished)
        if self._controller:
            self._controller.begin(drawn, {session.name: self.session(session.name) for session in sessions})
        for begun, session in enumerate(sessions, 1):
            self._threads[session.name].start(self._step_runners[session.name], session.steps, pacer, self._keeps)
            if self._one_by_one:
                self._wait_for(begun, pacer)
        self._wait_for(len(sessions), pacer)

    def _session_finished(self, name: str, error: BaseException | None) -> None:
        """Called by a session's thread."""
        self._finished[name] = error
        self._signal.put(None)

    def _stop_sessions(self, pacer: StormPacer) -> None:
        pacer.abandon()
        for session in self._sessions():
            session.cancel()

    def _wait_for(self, sessions: int, pacer: StormPacer) -> None:
        """Until all sessions have finished. On Ctrl-C they are cancelled and waited for before the interrupt is raised again.

        A repetition beyond its limit is abandoned: what runs is cancelled, and no step is begun any more. So is one at the
        deadline.
        """
        limit = min(time.monotonic() + REPETITION_LIMIT_S, self._deadline)
        interrupted: KeyboardInterrupt | None = None
        # An interrupt may come between two lines of this loop: who has finished is counted, signals are not.
        while len(self._finished) < sessions:
            try:
                self._signal.get(timeout=min(max(limit - time.monotonic(), _AGAIN_S), 1.0))
            except queue.Empty:
                if time.monotonic() >= limit:
                    self.note(f"abandoned: in the time that there was {sessions - len(self._finished)} sessions were not done")
                    self._stop_sessions(pacer)
            except KeyboardInterrupt as interrupt:
                interrupted = interrupt
                self._stop_sessions(pacer)
        if interrupted:
            raise interrupted
        for error in self._finished.values():
            if error is not None:
                raise error
