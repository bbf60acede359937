"""Sessions of a storm: each has a thread of its own and runs its steps in order, through the interpreter of the language."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from racehound.data.finding import same_error
from racehound.data.history import Fault, Mismatch, Recorder
from racehound.data.program import Step
from racehound.databases.dialect import Dialect
from racehound.run.pacer import StormPacer
from racehound.run.recorded_session import RecordedSession
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.redaction import HIDDEN
from racehound.testdrive.script import Sql
from racehound.testdrive.state import Context


class StepRunner:
    """Runs steps on one recorded session."""

    def __init__(self, session: RecordedSession, context: Context, recorder: Recorder, dialect: Dialect) -> None:
        self.session = session
        self._dialect = dialect
        self._failed_by_chance = False
        self._interpreter = Interpreter(context)
        self._recorder = recorder

    def run(self, number: int, step: Step, pacer: StormPacer | None = None) -> bool:
        """Try a step until it succeeds, up to `step.tries`; whether it did. Every failure is in the history."""
        position = self.session.position
        position.object, position.phase, position.step = step.object, step.phase, number
        for attempt in range(1, step.tries + 1):
            position.attempt = attempt
            if attempt > 1 and step.clear and step.window == "none":
                self._fragment(step, step.clear)
            seen = pacer.progress(position.session) if pacer else 0
            if self._attempt(step, pacer):
                if pacer:
                    pacer.progressed(position.session)
                return True
            if self.session.lost or attempt == step.tries or not pacer:
                return False
            if not pacer.worth_another_try(position.session, attempt, seen, transient=self._failed_by_chance):
                return False
            if step.clear and step.window == "none" and self._still_fails(step, attempt):
                return False
        return False

    def _still_fails(self, step: Step, attempt: int) -> bool:
        """Whether the statement that has just failed with an internal error fails the same way at once.

        Then its objects are not cleared away for another try: at rest they show whether they are broken (`loops.at_rest`).
        """
        failed, position = self.session.failed, self.session.position
        if failed is None or (failed.object, failed.step, failed.attempt) != (step.object, position.step, attempt):
            return False
        if not self._dialect.is_internal(failed) or HIDDEN in failed.sql or _begins_transaction(step):
            return False
        self.session.execute(failed.sql)
        again = self.session.failed
        return again is not None and again is not failed and same_error(again, failed)

    def _attempt(self, step: Step, pacer: StormPacer | None) -> bool:
        if step.window == "none":
            return self._fragment(step, step.fragment) or self._close_transaction(step)
        if not self.session.execute("BEGIN").ok:
            return False
        if not self._fragment(step, step.fragment):
            self.session.execute("ROLLBACK")
            return False
        if pacer:
            pacer.hold(step)
        outcome = self.session.execute(step.window.upper())
        return outcome.ok and outcome.tag == step.window.upper()

    def _close_transaction(self, step: Step) -> Literal[False]:
        """Roll back what a failed step has begun: the next step would only meet the error that its transaction is aborted."""
        if not self.session.lost and _begins_transaction(step):
            self.session.execute("ROLLBACK")
        return False

    def _fragment(self, step: Step, text: str) -> bool:
        start_ns = time.monotonic_ns()
        # A fragment may set how long to wait for its rows: that must not last into the next fragment.
        self._interpreter.state.policy, self._interpreter.state.rewrite = self._interpreter.context.policy, None
        try:
            self._interpreter.run(parse_fragment(text))
        except CommandFailed as failure:
            error = failure.outcome.error if failure.outcome else None
            self._failed_by_chance = error is not None and self._dialect.is_transient(error)
            if failure.outcome is None or not failure.sql:
                self._recorder.append(Fault(self.session.position.repetition, f"{step.object}: {failure}", time.monotonic_ns()))
            elif failure.outcome.ok:
                self._recorder.append(self._mismatch(step, failure, start_ns))
            return False
        return True

    def _mismatch(self, step: Step, failure: CommandFailed, start_ns: int) -> Mismatch:
        position = self.session.position
        return Mismatch(
            repetition=position.repetition,
            session=position.session,
            object=step.object,
            phase=step.phase,
            sql=failure.sql,
            difference=failure.difference or failure.reason,
            start_ns=start_ns,
            end_ns=time.monotonic_ns(),
        )


def _begins_transaction(step: Step) -> bool:
    return any(isinstance(command, Sql) and command.text == "BEGIN" for command in parse_fragment(step.fragment).commands)


_Work: TypeAlias = tuple[StepRunner, tuple[Step, ...], StormPacer, Callable[[Step], bool]]


class SessionThread:
    """A thread that runs a session's steps once per repetition, on a runner that lives as long as the working database."""

    def __init__(self, name: str, done: Callable[[str, BaseException | None], None]) -> None:
        self.name = name
        self._done = done
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f"session {name}", daemon=True)
        self._thread.start()

    def start(
        self,
        runner: StepRunner,
        steps: tuple[Step, ...],
        pacer: StormPacer,
        leave_out: Callable[[Step], bool] = lambda _step: False,
    ) -> None:
        """Run the steps; `done` is called from the thread when they are over. `leave_out`: asked when it is a step's turn."""
        self._work.put((runner, steps, pacer, leave_out))

    def end(self) -> None:
        """Let the thread end after its current work."""
        self._work.put(None)

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            error: BaseException | None = None
            try:
                self._run_steps(*work)
            except BaseException as raised:  # noqa: BLE001 the storm runner raises it in its own thread
                error = raised
            self._done(self.name, error)

    def _run_steps(
        self, runner: StepRunner, steps: tuple[Step, ...], pacer: StormPacer, leave_out: Callable[[Step], bool]
    ) -> None:
        number = 0
        try:
            for number, step in enumerate(steps):
                pacer.before(self.name, number, step)
                if pacer.abandoned:
                    break
                if leave_out(step):
                    continue
                runner.run(number, step, pacer)
                if runner.session.lost:
                    break
        finally:
            # Also where it cannot go on: others may wait for what its transaction holds.
            pacer.leave(self.name, steps[number + 1 :])
            runner.session.reset()
