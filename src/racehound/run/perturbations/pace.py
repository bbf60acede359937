"""Perturbations of the sessions' own pace: priorities that change, and starvation."""

from __future__ import annotations

import random
from typing import ClassVar

from racehound.data.program import Disturbance, Program
from racehound.run.perturbations.perturbation import Perturbation
from racehound.run.recorded_session import RecordedSession

_UNITS_US = (50, 200, 1000)
"""By how many microseconds each rank below the first delays every statement."""
_CHANGES = 2
"""How often priorities change in a repetition. Two changes show bugs of a depth of up to three (see `run/pct.py`)."""
_STARVED_US = (2_000, 10_000)


class _OfPace(Perturbation):
    is_pause: ClassVar = True

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the caller makes the pause
        return f"every statement is sent {drawn.lasts_us} µs later from here on"


class Priorities(_OfPace):
    """PCT's priorities in a storm: the lower a session ranks, the longer each of its statements is delayed.

    At a change point the session that is about to begin that step becomes the last. See `run/pct.py` for the paper.
    """

    name: ClassVar = "priorities"
    order: ClassVar = 10
    summary: ClassVar = "sessions of lower priority send each statement later; at drawn steps one falls behind all others"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        unit_us = rng.choice(_UNITS_US)
        sessions = rng.sample(program.sessions, len(program.sessions))
        drawn = [Disturbance(cls.name, session.name, 0, lasts_us=rank * unit_us) for rank, session in enumerate(sessions) if rank]
        steps = [(session.name, number) for session in program.sessions for number in range(1, len(session.steps))]
        changes = rng.sample(steps, min(_CHANGES, len(steps)))
        behind_us = len(sessions) * unit_us
        return drawn + [Disturbance(cls.name, session, step, lasts_us=behind_us) for session, step in changes]


class Starvation(_OfPace):
    """One session is always late."""

    name: ClassVar = "starvation"
    order: ClassVar = 20
    summary: ClassVar = "one session sends each of its statements some milliseconds later than it could"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        if not program.sessions:
            return []
        return [Disturbance(cls.name, rng.choice(program.sessions).name, 0, lasts_us=rng.randint(*_STARVED_US))]
