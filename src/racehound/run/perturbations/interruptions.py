"""Perturbations that interrupt a session by means of the server: cancel its statement, or end the session."""

from __future__ import annotations

import random
from typing import ClassVar

from racehound.data.program import Disturbance, Program
from racehound.errors import TargetError
from racehound.run.perturbations.perturbation import Perturbation, draw_disturbances
from racehound.run.recorded_session import RecordedSession

_TERMINATED_SHARE = 0.5
"""In how many of the repetitions. It is not more because the session is lost for the rest of the repetition."""


class Cancel(Perturbation):
    name: ClassVar = "cancel"
    order: ClassVar = 40
    summary: ClassVar = "a session's statement is cancelled"
    ends: ClassVar = "statement"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, rng.randint(0, 2), (0, 0))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        if session.running is None:
            return ""
        session.cancel()
        return "asked the server to cancel it"


class Terminate(Perturbation):
    name: ClassVar = "terminate"
    order: ClassVar = 50
    summary: ClassVar = "a session is terminated in the middle of a statement"
    ends: ClassVar = "session"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, int(rng.random() < _TERMINATED_SHARE), (0, 0))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        if session.running is None:
            return ""
        try:
            self.target.terminate(session.pid)
        except TargetError:
            return ""  # another perturbation is ending the server just now
        return f"terminated the session (pid {session.pid})"
