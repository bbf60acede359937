"""The stage of an exploration: the sessions in one working database, and what happens on it around each schedule."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from racehound.data.history import Fault, Recorder
from racehound.data.program import Phase, Step
from racehound.databases.stepping import Stepping
from racehound.databases.target import Target
from racehound.errors import TargetError, UserError
from racehound.run.blocking import BlockingSession, SteppedRecorded
from racehound.run.lockstep import LockStep, Player
from racehound.run.recorded_session import Place, RecordedSession
from racehound.run.session_script import OBJECT, ScriptCursor, SessionScript, run_alone
from racehound.session import Session
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.script import Script
from racehound.testdrive.state import Context
from racehound.testdrive.variables import substitute
from racehound.wire.session import LibpqSession

DIRECTOR = "main"
"""Name of the session that runs what surrounds the sessions' scripts."""


@dataclasses.dataclass(frozen=True)
class Scripts:
    """What an exploration is about. The lone ones run before, at the end of, and after each schedule."""

    sessions: tuple[SessionScript, ...]
    setup: Script | None = None
    check: Script | None = None
    teardown: Script | None = None
    lenient: bool = False
    """Whether statements of the setup may fail."""
    prepare: tuple[Step, ...] = ()
    """Run before each schedule, after the setup, each as its object's; they have to succeed."""
    verify: tuple[Step, ...] = ()
    """What must hold of the objects that are still there at the end, where the catalogs are sound."""


class Stage:
    """Sessions are opened by `build`, and again whenever the working database is a new one."""

    def __init__(self, target: Target, recorder: Recorder, temp_dir: Path, scripts: Scripts, limit_s: float) -> None:
        self.target = target
        self.recorder = recorder
        self._temp_dir = temp_dir
        self._scripts = scripts
        self._limit_s = limit_s
        self._stepping: Stepping | None = None
        self._variables: dict[str, str] = {}
        self._sessions: list[SteppedRecorded] = []
        self._director: RecordedSession | None = None

    @property
    def stepping(self) -> Stepping:
        if self._stepping is None:
            raise TargetError("there is no working database yet")
        return self._stepping

    def pids(self) -> set[int]:
        """Server processes of all sessions."""
        return {session.pid for session in self._everyone()} | ({self._stepping.pid} if self._stepping else set())

    def build(self) -> None:
        """A new working database and new sessions."""
        self.close()
        self.target.rebuild()
        self._stepping = self.target.stepping()
        self._variables = dict(self.target.variables())
        self._open_missing()
        patient = BlockingSession(self._stepping.open(DIRECTOR), self._stepping, self._limit_s)
        self._director = RecordedSession(patient, self.recorder, Place(DIRECTOR, object=OBJECT), self.target.secrets)

    def turn_to(self, scripts: Scripts) -> None:
        """Perform other scripts from now on. Sessions that they do not need stay open and do nothing."""
        self._scripts = scripts

    def _open_missing(self) -> None:
        for number in range(len(self._sessions) + 1, len(self._scripts.sessions) + 1):
            place = Place(str(number), object=OBJECT, phase="manipulate")
            self._sessions.append(SteppedRecorded(self.stepping.open(str(number)), self.recorder, place, self.target.secrets))

    def lead(self, repetition: int) -> LockStep:
        """Everyone at their first statement."""
        self._open_missing()
        players = []
        # Sessions of earlier scripts may be more.
        for number, (session, script) in enumerate(zip(self._sessions, self._scripts.sessions, strict=False), 1):
            session.place.repetition = repetition
            players.append(Player(number, session, ScriptCursor(script, self._context(session))))
        return LockStep(self.target, self.stepping, self.recorder, players, limit_s=self._limit_s, repetition=repetition)

    def set_up(self, repetition: int) -> None:
        """What comes before each schedule. UserError when it does not succeed, unless it need not."""
        if self._scripts.lenient and self._scripts.setup is not None:
            for command in self._scripts.setup.commands:
                self._alone(dataclasses.replace(self._scripts.setup, commands=(command,)), "prepare", repetition)
            return
        failure = self._alone(self._scripts.setup, "prepare", repetition)
        if failure is not None:
            raise UserError(f"--setup: {failure}")
        for step in self._scripts.prepare:
            failure = self._step(step, repetition)
            if failure is not None:
                raise UserError(f"{step.phase} of {step.object}: {failure}")

    def check(self, repetition: int) -> CommandFailed | None:
        """In what way the state at the end is not what it must be, if so."""
        return self._alone(self._scripts.check, "verify", repetition)

    def verify(self, repetition: int) -> Iterator[tuple[Step, CommandFailed]]:
        """The steps that do not find what must hold of their object, and what they found instead."""
        for step in self._scripts.verify:
            failure = self._step(step, repetition)
            if failure is not None:
                yield step, failure

    def tear_down(self, repetition: int) -> None:
        """What comes after each schedule. What it cannot do has been done by the sessions, or is left to the sweep."""
        self._alone(self._scripts.teardown, "destroy", repetition)

    def can_read(self, sql: str) -> bool:
        """Whether a text, with variables, is a statement by its grammar. UnknownVariableError for unknown variables."""
        return self.stepping.can_read(substitute(sql, self._variables, {}))

    def rest(self) -> None:
        """Everybody ends what is open and forgets what their session knows."""
        for session in self._everyone():
            if not session.lost:
                session.reset()

    @property
    def damaged(self) -> bool:
        """Whether a connection was lost."""
        return any(session.lost for session in self._everyone())

    def note(self, text: str, repetition: int) -> None:
        """Record something that racehound did or noticed."""
        self.recorder.append(Fault(repetition, text, time.monotonic_ns()))

    def close(self) -> None:
        """Close all sessions."""
        for session in self._everyone():
            session.close()
        if self._stepping is not None:
            self._stepping.close()
        self._sessions, self._director, self._stepping = [], None, None

    def _everyone(self) -> Sequence[RecordedSession]:
        return [*self._sessions, *([self._director] if self._director else [])]

    def _alone(self, script: Script | None, phase: Phase, repetition: int, name: str = OBJECT) -> CommandFailed | None:
        if script is None:
            return None
        assert self._director is not None
        place = self._director.place
        place.object, place.phase, place.repetition = name, phase, repetition
        try:
            run_alone(script, self._context(self._director))
        except CommandFailed as failure:
            return failure
        return None

    def _step(self, step: Step, repetition: int) -> CommandFailed | None:
        return self._alone(parse_fragment(step.fragment), step.phase, repetition, step.object)

    def _context(self, session: Session) -> Context:
        return Context(
            session=session,
            variables=self._variables,
            connect=LibpqSession.connect,
            support=self.target.dialect.script_support,
            temp_dir=self._temp_dir,
            max_tries=1,  # a statement that is tried again would be another statement of the schedule
        )
