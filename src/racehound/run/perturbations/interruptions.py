"""Perturbations that interrupt a session by the server's own means: cancel its statement, terminate its session."""

from __future__ import annotations

import random
from typing import ClassVar

from racehound.data.program import Disturbance, Program
from racehound.errors import TargetError
from racehound.run.perturbations.perturbation import Perturbation, draw_strikes
from racehound.run.recorded_session import RecordedSession

_TERMINATED_SHARE = 0.5
"""In how many of the repetitions: the session is gone for the rest of it."""


class Cancel(Perturbation):
    name: ClassVar = "cancel"
    order: ClassVar = 40
    summary: ClassVar = "a session's statement is cancelled"
    ends: ClassVar = "statement"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_strikes(cls.name, rng, program, rng.randint(0, 2), (0, 0))

    def strike(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        if session.running is None:
            return ""
        session.cancel()
        return "asked the server to cancel it"


class Terminate(Perturbation):
    name: ClassVar = "terminate"
    order: ClassVar = 50
    summary: ClassVar = "a session's session is terminated in the middle of a statement"
    ends: ClassVar = "session"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_strikes(cls.name, rng, program, int(rng.random() < _TERMINATED_SHARE), (0, 0))

    def strike(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        if session.running is None:
            return ""
        try:
            self.target.terminate(session.pid)
        except TargetError:
            return ""  # the server is being killed or restarted just now, and the session with it
        return f"terminated the session (pid {session.pid})"
