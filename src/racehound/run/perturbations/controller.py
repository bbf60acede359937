"""The controller of all perturbations of one program, from the draw for a repetition until their effects have ended."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from racehound.data.history import SERVER_GONE, Disturbed, Fault, LogLine, Recorder
from racehound.data.program import Disturbance, Program
from racehound.databases.target import Target
from racehound.errors import TargetError, UserError
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.perturbations.timer import DisturbanceTimer
from racehound.run.recorded_session import RecordedSession
from racehound.session import Session

_END_LIMIT_S = 10.0
"""Within which a session that was ended is gone from the server."""
_LOOK_S = 0.005


class PerturbationController:
    """Used by the thread of the storm runner. Disturbances are applied in the sessions' threads and in threads of its own."""

    def __init__(self, target: Target, recorder: Recorder, program: Program, known: PerturbationSet) -> None:
        """UserError where the target cannot be disturbed as the program wants."""
        for name, reason in known.obstacles(program.perturbations, target).items():
            raise UserError(f"the program is disturbed by {name}: {reason}")
        self.program = program
        self._known = known
        self._target = target
        self._recorder = recorder
        self._links = ProxyLinks(target)
        self._perturbations = {name: known.perturbation(name)(target, self._links) for name in program.perturbations}
        self._needs_proxy = any(each.needs_proxy for each in self._perturbations.values())
        self._timer: DisturbanceTimer | None = None
        self._done: list[tuple[Disturbed, RecordedSession]] = []

    def prepare(self) -> None:
        """Called when there is a new working database. TargetError."""
        for each in self._perturbations.values():
            each.prepare()

    def open(self, session: str) -> Session:
        """Open a session. TargetError."""
        return self._target.open(session, self._links.to(session).endpoint) if self._needs_proxy else self._target.open(session)

    def draw(self, repetition: int) -> tuple[Disturbance, ...]:
        """The disturbances of a repetition."""
        return self._known.draw(self.program, repetition)

    def begin(self, drawn: Iterable[Disturbance], sessions: Mapping[str, RecordedSession]) -> None:
        """Watch these sessions for the moments that were drawn."""
        by_session: dict[str, list[Disturbance]] = defaultdict(list)
        for each in drawn:
            by_session[each.session].append(each)
        if by_session and self._timer is None:
            self._timer = DisturbanceTimer(self.apply)
        for session_name, session in sessions.items():
            session.observer = StatementWatcher(self, by_session[session_name]) if session_name in by_session else None

    def finish(self, sessions: Iterable[RecordedSession], repetition: int) -> list[RecordedSession]:
        """Called when all sessions have finished: drop pending disturbances, undo lasting ones, and wait for their end.

        Returns the sessions that cannot be used any more. TargetError.
        """
        everyone = list(sessions)
        for session in everyone:
            session.observer = None
        if self._timer is not None:
            self._timer.cancel_pending()
        done, self._done = self._done, []
        for each in self._perturbations.values():
            each.undo()
        if any(disturbed.ends == "server" for disturbed, _ in done):
            return everyone if self._recovered(repetition) else []
        for disturbed, session in done:
            if disturbed.ends == "statement" and not session.lost:
                # The request may have cancelled the first reset of the session, instead of its last statement.
                session.reset()
        ended = {id(session): session for disturbed, session in done if disturbed.ends == "session"}
        self._await_end([session.pid for session in ended.values()], repetition)
        return list(ended.values())

    def give_up(self, sessions: Iterable[RecordedSession]) -> None:
        """Called instead of `finish` when the server was lost: nothing more is done to these sessions."""
        for session in sessions:
            session.observer = None
        if self._timer is not None:
            self._timer.cancel_pending()
        self._done.clear()
        for each in self._perturbations.values():
            with contextlib.suppress(TargetError):  # what lasts on the server ended with it
                each.undo()

    def close(self) -> None:
        """End the threads and the proxy."""
        if self._timer is not None:
            self._timer.end()
        self._links.close()

    def is_pause(self, drawn: Disturbance) -> bool:
        """Whether it is a pause, which the session's own thread makes."""
        return self._perturbations[drawn.perturbation].is_pause

    def schedule(self, drawn: Disturbance, session: RecordedSession) -> None:
        """Apply it when its time, counted from now, has come."""
        assert self._timer is not None
        self._timer.schedule(time.monotonic_ns() + drawn.after_us * 1000, drawn, session)

    def apply(self, drawn: Disturbance, session: RecordedSession) -> None:
        """Apply it now, and record it. TargetError."""
        by = self._perturbations[drawn.perturbation]
        running, at_ns = session.running, time.monotonic_ns()
        done = by.apply(drawn, session)
        if not done:
            return
        disturbed = Disturbed(
            repetition=session.position.repetition,
            text=f"{by.name} of {drawn.session}: {done}",
            at_ns=at_ns,
            perturbation=by.name,
            ends=by.ends,
            session=drawn.session,
            pid=session.pid,
            sql=running.sql if running else "",
            end_ns=time.monotonic_ns(),
        )
        self._recorder.append(disturbed)
        self._done.append((disturbed, session))

    def _recovered(self, repetition: int) -> bool:
        """Whether the server answers again. If it does not, a line is added to its log: the crash oracle judges log lines."""
        try:
            self._target.recover()
        except TargetError as error:
            self._recorder.append(LogLine(repetition, f"{SERVER_GONE.format(self._target.dialect.name)}{error}"))
            return False
        return True

    def _await_end(self, pids: list[int], repetition: int) -> None:
        """Wait until the server has ended these sessions: it may go on with a statement though its client is gone."""
        for pid in pids:
            self._target.terminate(pid)
        deadline = time.monotonic() + _END_LIMIT_S
        while pids and {wait.pid for wait in self._target.waits() or ()} & set(pids):
            if time.monotonic() > deadline:
                # The oracle of leaks finds them.
                text = f"of the sessions that were ended, some are still there after {_END_LIMIT_S:g} s: {pids}"
                self._recorder.append(Fault(repetition, text, time.monotonic_ns()))
                return
            time.sleep(_LOOK_S)


class StatementWatcher:
    """Watches the statements of one session in one repetition for the moments that were drawn. Used by the session's thread."""

    def __init__(self, controller: PerturbationController, drawn: Iterable[Disturbance]) -> None:
        self._controller = controller
        self._pending: dict[tuple[int, int], list[Disturbance]] = defaultdict(list)
        for each in drawn:
            self._pending[each.step, each.statement].append(each)
        self._try = (-1, 0)
        self._statement = 0
        self._pause_us = 0

    def before(self, session: RecordedSession) -> None:
        """Pause before the statement is sent, where pauses were drawn for this step or an earlier one."""
        position = session.position
        here = (position.step, position.attempt)
        self._statement = self._statement + 1 if here == self._try else 0
        self._try = here
        for drawn in self._due(session, pauses=True):
            self._pause_us = max(self._pause_us, drawn.lasts_us)
            self._controller.apply(drawn, session)
        if self._pause_us:
            time.sleep(self._pause_us / 1e6)

    def sending(self, session: RecordedSession) -> None:
        """Schedule the disturbances of this statement."""
        for drawn in self._due(session, pauses=False):
            self._controller.schedule(drawn, session)

    def _due(self, session: RecordedSession, *, pauses: bool) -> list[Disturbance]:
        """The disturbances that were drawn for this statement; each is returned once."""
        pending = self._pending.get((session.position.step, self._statement), [])
        due = [drawn for drawn in pending if self._controller.is_pause(drawn) == pauses]
        for drawn in due:
            pending.remove(drawn)
        return due
