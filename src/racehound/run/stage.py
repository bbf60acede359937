"""The stage of an exploration: the sessions in one working database, and what happens on it around each schedule."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from racehound.errors import TargetError, UserError
from racehound.history import Fault, Recorder
from racehound.program import Phase
from racehound.run.lockstep import LockStep, Player
from racehound.run.recorded import Place, RecordedSession
from racehound.run.session_script import Reading, SessionScript, run_alone
from racehound.run.stepped import Patient, SteppedRecorded
from racehound.targets.postgres.session import PostgresSession
from racehound.targets.postgres.stepping import PostgresStepping
from racehound.targets.postgres.target import PostgresTarget
from racehound.targets.session import Session
from racehound.targets.stepping import Stepping
from racehound.targets.target import Target
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.script import Script
from racehound.testdrive.state import Context

DIRECTOR = "main"
"""Name of the session that runs what surrounds the sessions' scripts."""


@dataclasses.dataclass(frozen=True)
class Scripts:
    """What an exploration is about. The lone ones run before, at the end of, and after each schedule."""

    sessions: tuple[SessionScript, ...]
    setup: Script | None = None
    check: Script | None = None
    teardown: Script | None = None


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
        self._stepping = stepping(self.target)
        self._variables = dict(self.target.variables())
        secrets = self.target.secrets
        for number in range(1, len(self._scripts.sessions) + 1):
            place = Place(str(number), object=OBJECT, phase="manipulate")
            self._sessions.append(SteppedRecorded(self._stepping.open(str(number)), self.recorder, place, secrets))
        patient = Patient(self._stepping.open(DIRECTOR), self._stepping, self._limit_s)
        self._director = RecordedSession(patient, self.recorder, Place(DIRECTOR, object=OBJECT), secrets)

    def lead(self, repetition: int) -> LockStep:
        """Everyone at their first statement."""
        players = []
        for number, (session, script) in enumerate(zip(self._sessions, self._scripts.sessions, strict=True), 1):
            session.place.repetition = repetition
            players.append(Player(number, session, Reading(script, self._context(session))))
        return LockStep(self.target, self.stepping, self.recorder, players, limit_s=self._limit_s, repetition=repetition)

    def set_up(self, repetition: int) -> None:
        """What comes before each schedule. UserError when it does not succeed."""
        failure = self._alone(self._scripts.setup, "prepare", repetition)
        if failure is not None:
            raise UserError(f"--setup: {failure}")

    def check(self, repetition: int) -> CommandFailed | None:
        """In what way the state at the end is not what it must be, if so."""
        return self._alone(self._scripts.check, "verify", repetition)

    def tear_down(self, repetition: int) -> None:
        """What comes after each schedule. What it cannot do has been done by the sessions, or is left to the sweep."""
        self._alone(self._scripts.teardown, "destroy", repetition)

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

    def _alone(self, script: Script | None, phase: Phase, repetition: int) -> CommandFailed | None:
        if script is None:
            return None
        assert self._director is not None
        place = self._director.place
        place.phase, place.repetition = phase, repetition
        try:
            run_alone(script, self._context(self._director))
        except CommandFailed as failure:
            return failure
        return None

    def _context(self, session: Session) -> Context:
        return Context(
            session=session,
            variables=self._variables,
            connect=PostgresSession.connect,
            temp_dir=self._temp_dir,
            max_tries=1,  # a statement that is tried again would be another statement of the schedule
        )


OBJECT = "scripts"
"""What all statements are about, for oracles that ask which objects they share: racehound knows none of the names in scripts."""


def stepping(target: Target) -> Stepping:
    """How to lead a target in lock-step, in its working database. UserError where that is not possible."""
    if isinstance(target, PostgresTarget):
        return PostgresStepping(target)
    raise UserError(f"{target.dialect.name} cannot be led in lock-step")
