"""From the objects of a plan to objects of kinds, and from these to steps: all scenarios share this."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from racehound.data.plan import Plan, PlannedObject, Timing
from racehound.data.program import Step
from racehound.kinds.kind import Kind


@dataclasses.dataclass(frozen=True)
class KindLookup:
    """The kinds that the names in a plan stand for, and which fragments the database lets run inside a transaction."""

    kinds: Mapping[str, type[Kind]]
    allows_transaction: Callable[[str], bool]


@dataclasses.dataclass(frozen=True)
class ObjectSteps:
    """An object of a plan, and the steps that a session can do with it."""

    planned: PlannedObject
    kind: Kind

    @property
    def name(self) -> str:
        return self.planned.name

    @property
    def title(self) -> str:
        return f"{type(self.kind).__name__} {self.name}"

    @property
    def manipulation(self) -> str:
        names = tuple(self.kind.all_manipulations())
        return names[self.planned.manipulator % len(names)]

    def prepare(self) -> Step:
        return Step(self.name, "prepare", self.kind.prepare())

    def create(self) -> Step:
        return Step(self.name, "create", self.kind.create(), clear=self.kind.clear())

    def manipulate(self) -> Step:
        return Step(self.name, "manipulate", self.kind.manipulate(self.manipulation), manipulation=self.manipulation)

    def verify(self) -> Step:
        return Step(self.name, "verify", self.kind.verify())

    def destroy(self) -> Step:
        return Step(self.name, "destroy", self.kind.destroy())

    def timing(self, step: Step) -> Timing:
        return {"create": self.planned.create, "manipulate": self.planned.manipulate, "destroy": self.planned.destroy}[step.phase]


def objects_of(plan: Plan, lookup: KindLookup) -> tuple[ObjectSteps, ...]:
    """The base first, then the objects in order; each kind is given the object that it refers to."""
    made: dict[str, ObjectSteps] = {}
    for planned in (plan.base, *plan.objects):
        refers_to = made[planned.refers_to].kind if planned.refers_to else None
        kind = lookup.kinds[planned.kind](name=planned.name, refers_to=refers_to, **planned.attributes)
        made[planned.name] = ObjectSteps(planned, kind)
    return tuple(made.values())


def title(everyone: tuple[ObjectSteps, ...]) -> str:
    """`Table o_base; View o_0 over o_base; …`"""
    return "; ".join(p.title + (f" over {p.planned.refers_to}" if p.planned.refers_to else "") for p in everyone)


def references(everyone: tuple[ObjectSteps, ...]) -> dict[str, str]:
    """Which object each one refers to."""
    return {p.name: p.planned.refers_to for p in everyone if p.planned.refers_to}


def worth_running(*steps: Step) -> tuple[Step, ...]:
    """The steps without those that have nothing to do."""
    return tuple(step for step in steps if step.fragment)
