"""The controller of all perturbations of one program, from the draw for a repetition until their effects have ended."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from racehound.data.history import SERVER_GONE, Disturbed, Fault, LogLine, Recorder
from racehound.data.program import Disturbance, Program
from racehound.databases.target import Target
from racehound.errors import TargetError, UserError
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.perturbations.striker import Striker
from racehound.run.recorded_session import RecordedSession
from racehound.session import Session

_END_LIMIT_S = 10.0
"""Within which a session that was ended is gone from the server."""
_LOOK_S = 0.005


class PerturbationController:
    """Used by the runner's thread; what was drawn happens in the sessions' threads and in some of its own."""

    def __init__(self, target: Target, recorder: Recorder, program: Program, known: PerturbationSet) -> None:
        """UserError where the target cannot be disturbed as the program wants."""
        for name, reason in known.obstacles(program.perturbations, target).items():
            raise UserError(f"the program is disturbed by {name}: {reason}")
        self.program = program
        self._known = known
        self._target = target
        self._recorder = recorder
        self._wires = ProxyLinks(target)
        self._perturbations = {name: known.perturbation(name)(target, self._wires) for name in program.perturbations}
        self._wired = any(each.wired for each in self._perturbations.values())
        self._striker: Striker | None = None
        self._done: list[tuple[Disturbed, RecordedSession]] = []

    def prepare(self) -> None:
        """There is a new working database. TargetError."""
        for each in self._perturbations.values():
            each.prepare()

    def open(self, session: str) -> Session:
        """The session's session. TargetError."""
        return self._target.open(session, self._wires.to(session).endpoint) if self._wired else self._target.open(session)

    def draw(self, repetition: int) -> tuple[Disturbance, ...]:
        """What is to happen in a repetition."""
        return self._known.draw(self.program, repetition)

    def begin(self, drawn: Iterable[Disturbance], sessions: Mapping[str, RecordedSession]) -> None:
        """Look out for the moments that were drawn, in the sessions of these sessions."""
        by_session: dict[str, list[Disturbance]] = defaultdict(list)
        for each in drawn:
            by_session[each.session].append(each)
        if by_session and self._striker is None:
            self._striker = Striker(self.strike)
        for session_name, session in sessions.items():
            session.observer = StatementWatcher(self, by_session[session_name]) if session_name in by_session else None

    def settle(self, sessions: Iterable[RecordedSession], repetition: int) -> list[RecordedSession]:
        """All sessions have come to rest: let nothing else happen, undo what lasts, wait for the end of what was brought about.

        Returns those of the sessions that are of no use any more. TargetError.
        """
        everyone = list(sessions)
        for session in everyone:
            session.observer = None
        if self._striker is not None:
            self._striker.calm()
        done, self._done = self._done, []
        for each in self._perturbations.values():
            each.settle()
        if any(disturbed.ends == "server" for disturbed, _ in done):
            return everyone if self._recovered(repetition) else []
        for disturbed, session in done:
            if disturbed.ends == "statement" and not session.lost:
                # The request may have met what ends a session, instead of its last statement.
                session.reset()
        ended = {id(session): session for disturbed, session in done if disturbed.ends == "session"}
        self._await_end([session.pid for session in ended.values()], repetition)
        return list(ended.values())

    def close(self) -> None:
        """The program has been run."""
        if self._striker is not None:
            self._striker.end()
        self._wires.close()

    def holds_back(self, drawn: Disturbance) -> bool:
        """Whether it is a pause, for the session itself to make."""
        return self._perturbations[drawn.perturbation].holds_back

    def schedule(self, drawn: Disturbance, session: RecordedSession) -> None:
        """Strike when its time has come, counted from now."""
        assert self._striker is not None
        self._striker.schedule(time.monotonic_ns() + drawn.after_us * 1000, drawn, session)

    def strike(self, drawn: Disturbance, session: RecordedSession) -> None:
        """Now. TargetError."""
        by = self._perturbations[drawn.perturbation]
        running, at_ns = session.running, time.monotonic_ns()
        done = by.strike(drawn, session)
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
        """A server goes on with a statement though its client is gone; only when that has ended is everybody at rest."""
        for pid in pids:
            self._target.terminate(pid)
        deadline = time.monotonic() + _END_LIMIT_S
        while pids and {wait.pid for wait in self._target.waits() or ()} & set(pids):
            if time.monotonic() > deadline:
                # The search for leaks tells of it.
                text = f"of the sessions that were ended, some are still there after {_END_LIMIT_S:g} s: {pids}"
                self._recorder.append(Fault(repetition, text, time.monotonic_ns()))
                return
            time.sleep(_LOOK_S)


class StatementWatcher:
    """Watches what one session sends in one repetition, for the moments that were drawn. Used by the session's thread."""

    def __init__(self, turbulence: PerturbationController, drawn: Iterable[Disturbance]) -> None:
        self._turbulence = turbulence
        self._pending: dict[tuple[int, int], list[Disturbance]] = defaultdict(list)
        for each in drawn:
            self._pending[each.step, each.statement].append(each)
        self._try = (-1, 0)
        self._statement = 0
        self._pause_us = 0

    def before(self, session: RecordedSession) -> None:
        """Make the pause that statements of this step are to be sent after."""
        position = session.position
        here = (position.step, position.attempt)
        self._statement = self._statement + 1 if here == self._try else 0
        self._try = here
        for drawn in self._due(session, holding_back=True):
            self._pause_us = max(self._pause_us, drawn.lasts_us)
            self._turbulence.strike(drawn, session)
        if self._pause_us:
            time.sleep(self._pause_us / 1e6)

    def sending(self, session: RecordedSession) -> None:
        """Have done what is to happen to this statement."""
        for drawn in self._due(session, holding_back=False):
            self._turbulence.schedule(drawn, session)

    def _due(self, session: RecordedSession, *, holding_back: bool) -> list[Disturbance]:
        """What was drawn for this statement, once."""
        pending = self._pending.get((session.position.step, self._statement), [])
        due = [drawn for drawn in pending if self._turbulence.holds_back(drawn) == holding_back]
        for drawn in due:
            pending.remove(drawn)
        return due
