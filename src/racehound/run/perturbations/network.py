"""Perturbations of the network: each session reaches the server through a link of its own (`proxy_links.py`)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

from racehound.data.program import Disturbance, Program
from racehound.databases.target import Target
from racehound.run.perturbations.perturbation import Perturbation, draw_disturbances
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.recorded_session import RecordedSession

if TYPE_CHECKING:
    from racehound.services.faults import Link

_LATE_US = (1_000, 4_000)
_CUT_SHARE = 0.5
"""In how many of the repetitions. It is not more because the session is lost for the rest of the repetition."""


class _OfNetwork(Perturbation):
    needs_proxy: ClassVar = True

    @classmethod
    def obstacle(cls, target: Target) -> str:
        return ProxyLinks.obstacle(target)


class Jitter(_OfNetwork):
    """From a drawn step on, each message of a session, in both directions, is delayed by a time of its own."""

    name: ClassVar = "network-jitter"
    order: ClassVar = 60
    summary: ClassVar = "from some step on a session's messages are late, by 0 to 8 ms each way, differently each time"

    def __init__(self, target: Target, links: ProxyLinks) -> None:
        super().__init__(target, links)
        self._late: list[Link] = []

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        sessions = [session for session in program.sessions if session.steps and rng.random() < 0.5]
        return [
            Disturbance(cls.name, session.name, rng.randrange(len(session.steps)), lasts_us=rng.randint(*_LATE_US))
            for session in sessions
        ]

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 what is disturbed is its link
        from racehound.services.faults import Latency

        link = self.links.to(drawn.session)
        self._late.append(link)
        late_ms = max(1, round(drawn.lasts_us / 1000))
        link.impose(Latency(late_ms, late_ms))
        return f"messages come 0 to {2 * late_ms} ms later each way"

    def undo(self) -> None:
        for link in self._late:
            link.lift()
        self._late.clear()


class Cut(_OfNetwork):
    """The connection ends while a statement runs. The server does not notice and goes on with the statement."""

    name: ClassVar = "network-cut"
    order: ClassVar = 70
    summary: ClassVar = "a session's connection is cut in the middle of a statement, which the server goes on with"
    ends: ClassVar = "session"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, int(rng.random() < _CUT_SHARE), (0, 0))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:
        from racehound.services import faults

        if session.running is None:
            return ""
        link = self.links.to(drawn.session)
        link.impose(faults.Cut())
        link.lift()
        return f"cut the connection (pid {session.pid})"
