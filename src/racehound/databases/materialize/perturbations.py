"""The perturbation that kills a service of the target, and soon starts it again on its data."""

from __future__ import annotations

import random
import time
from typing import ClassVar

import msgspec

from racehound.data.program import Disturbance, Program
from racehound.databases.materialize.target import MaterializeTarget
from racehound.databases.target import Target
from racehound.run.perturbations.perturbation import Perturbation, draw_disturbances
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.recorded_session import RecordedSession

_SHARE = 0.1
"""The share of repetitions with a kill: a service takes seconds to come back."""
_AWAY_US = (100_000, 1_000_000)
_LASTING = ("kafka", "postgres", "mysql")
"""Roles of the services that keep their data when they are killed."""


class ServiceKill(Perturbation):
    """Kills all processes of a service. It shows defects of the target while the service is away and after its return."""

    name: ClassVar = "service-kill"
    order: ClassVar = 100
    summary: ClassVar = "a service that the target needs is killed, and started again within some seconds"
    ends: ClassVar = "service"

    def __init__(self, target: Target, links: ProxyLinks) -> None:
        super().__init__(target, links)
        self._struck = False

    @classmethod
    def obstacle(cls, target: Target) -> str:
        return "" if _services(target) else "racehound has started no service of a Materialize target"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        drawn = draw_disturbances(cls.name, rng, program, int(rng.random() < _SHARE), _AWAY_US)
        choice = rng.randrange(len(_LASTING) * 1000)
        return [msgspec.structs.replace(each, choice=choice) for each in drawn]

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 what is disturbed is no session
        assert isinstance(self.target, MaterializeTarget)
        self._struck = True
        services = _services(self.target)
        service = services[drawn.choice % len(services)]
        self.target.service_faults.inject(service, "kill")
        time.sleep(drawn.lasts_us / 1e6)
        self.target.service_faults.inject(service, "restart")
        return f"killed {service} and started it again after {drawn.lasts_us} µs"

    def undo(self) -> None:
        if self._struck:
            assert isinstance(self.target, MaterializeTarget)
            self.target.connect_services()
            self._struck = False


def _services(target: Target) -> list[str]:
    if not isinstance(target, MaterializeTarget):
        return []
    return [name for name in _LASTING if name in target.service_faults.services]
