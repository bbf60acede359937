"""Perturbations: each draws, for a repetition, what to do to which session and when, and does it at that moment."""

from __future__ import annotations

import abc
import functools
import random
import re
from typing import ClassVar

from racehound.data.history import Ends
from racehound.data.program import Disturbance, Program, Step
from racehound.databases.target import Target
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.recorded_session import RecordedSession

_STATEMENT = re.compile(r"^[>!?]", re.MULTILINE)
_SPREADS_US = (0, 100, 300, 1000, 3000)
"""A disturbance begins up to this many microseconds after its statement; most statements end within one millisecond."""


class Perturbation(abc.ABC):
    """One sort of perturbation. An instance belongs to one run of a program."""

    name: ClassVar[str]
    summary: ClassVar[str]
    order: ClassVar[int] = 1000
    """Its place among the perturbations of a database, where they are listed and drawn: lower numbers come first."""
    ends: ClassVar[Ends] = "nothing"
    """What it ends. Oracles attribute errors and losses that follow from this to the perturbation."""
    is_pause: ClassVar[bool] = False
    """Whether it delays statements: from the drawn step on, each statement of the session is sent `lasts_us` later."""

    needs_proxy: ClassVar[bool] = False
    """Whether sessions must connect through the fault proxy."""

    def __init__(self, target: Target, links: ProxyLinks) -> None:
        self.target = target
        self.links = links

    @classmethod
    def obstacle(cls, target: Target) -> str:  # noqa: ARG003 most need nothing of a target
        """Why it cannot disturb that target, in a few words; empty if it can."""
        return ""

    @classmethod
    @abc.abstractmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        """What to do in one repetition."""

    def prepare(self) -> None:  # noqa: B027 most have nothing to prepare
        """Called when there is a new working database. TargetError."""

    @abc.abstractmethod
    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:
        """Do to the session what was drawn, now. Called in the session's own thread for pauses, else in another one.

        Returns in a few words what was done, or "" where it came too late. TargetError.
        """

    def undo(self) -> None:  # noqa: B027 most leave nothing behind
        """Called when all sessions have finished: undo what does not end by itself. TargetError."""


def draw_moment(rng: random.Random, program: Program) -> tuple[str, int, int] | None:
    """One of the sessions' statements: session, step, number within the step. None where there is none."""
    moments = [
        (session.name, number, statement)
        for session in program.sessions
        for number, step in enumerate(session.steps)
        for statement in range(_statements(step))
    ]
    return rng.choice(moments) if moments else None


def draw_disturbances(
    name: str, rng: random.Random, program: Program, count: int, lasts_us: tuple[int, int]
) -> list[Disturbance]:
    """So many disturbances in the middle of drawn statements. `lasts_us`: the shortest and the longest duration."""
    drawn = []
    for _ in range(count):
        moment = draw_moment(rng, program)
        after_us, length_us = rng.randint(0, rng.choice(_SPREADS_US)), rng.randint(*lasts_us)
        if moment is not None:
            drawn.append(Disturbance(name, *moment, after_us, length_us))
    return drawn


def _statements(step: Step) -> int:
    """How many statements one try of a step sends."""
    return _counted(step.fragment) + (0 if step.window == "none" else 2)


@functools.lru_cache(maxsize=1024)
def _counted(fragment: str) -> int:
    return len(_STATEMENT.findall(fragment))
