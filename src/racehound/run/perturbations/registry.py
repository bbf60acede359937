"""The perturbations of a database, which of them a user wants, and what a program looks like with these and no others.

Three of them are part of a program's steps: the plan draws them, and a program without them has steps that start at once. All
others are `Perturbation`s, which act while the program runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from racehound.data.program import Disturbance, Program, ProgramSession, Step
from racehound.databases.target import Target
from racehound.errors import UserError
from racehound.run.perturbations.interruptions import Cancel, Terminate
from racehound.run.perturbations.network import Cut, Jitter
from racehound.run.perturbations.pace import Priorities, Starvation
from racehound.run.perturbations.perturbation import Perturbation

CORE: tuple[type[Perturbation], ...] = (Priorities, Starvation, Cancel, Terminate, Jitter, Cut)
"""Those that work on every database."""

TIMINGS: dict[str, str] = {
    "delays": "a step starts up to 2 ms after its rendezvous",
    "barriers": "steps of several sessions start together, at rendezvous",
    "windows": "a step runs in a transaction that is kept open for up to 3 ms, for others to run into",
}
"""Those that are part of a program's steps."""

_WITHOUT: dict[str, Callable[[Step], Step]] = {
    "delays": lambda step: msgspec.structs.replace(step, jitter_us=0),
    "barriers": lambda step: msgspec.structs.replace(step, beat=None),
    "windows": lambda step: msgspec.structs.replace(step, window="none", hold_us=0),
}

DEFAULT = ("windows",)
"""What has been measured to add findings: `docs/perturbations.md`."""


class PerturbationSet:
    """All perturbations of one database: the core ones and its own, in the order of their numbers."""

    def __init__(self, own: Iterable[type[Perturbation]] = ()) -> None:
        """`own`: those that the database brings itself (`Database.perturbations`)."""
        self._by_name = {each.name: each for each in sorted((*CORE, *own), key=lambda each: each.order)}
        self._words: dict[str, Sequence[str]] = {"default": DEFAULT, "all": self.names, "none": ()}

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they are listed and drawn."""
        return (*TIMINGS, *self._by_name)

    def summaries(self) -> Mapping[str, str]:
        """What each of them does, by name."""
        return TIMINGS | {each.name: each.summary for each in self._by_name.values()}

    def named(self, words: Iterable[str]) -> tuple[str, ...]:
        """The perturbations that `--perturb` names, in order; `default`, `all` and `none` may be among the words.

        UserError for an unknown one.
        """
        wanted: set[str] = set()
        for word in words:
            if word not in self._words and word not in self.names:
                raise UserError(f"--perturb: there is no {word!r}; there are: {', '.join((*self._words, *self.names))}")
            wanted.update(self._words.get(word, (word,)))
        return tuple(name for name in self.names if name in wanted)

    def obstacles(self, names: Iterable[str], target: Target) -> dict[str, str]:
        """Those of the named that cannot disturb a started target, and why not."""
        found = {name: self.perturbation(name).obstacle(target) for name in names if name not in TIMINGS}
        return {name: reason for name, reason in found.items() if reason}

    def possible(self, words: Iterable[str], target: Target) -> tuple[tuple[str, ...], dict[str, str]]:
        """The perturbations that a user wants of a started target, and those left out of `all` and `default`, with the reason.

        UserError for one that the user names and that cannot disturb the target.
        """
        asked = tuple(words)
        wanted = self.named(asked)
        hindered = self.obstacles(wanted, target)
        for name, reason in hindered.items():
            if name in asked:
                raise UserError(f"--perturb {name}: {reason}")
        return tuple(name for name in wanted if name not in hindered), hindered

    def draw(self, program: Program, repetition: int) -> tuple[Disturbance, ...]:
        """What a program's perturbations do in a repetition. Each draws from the seed alone, so that the others do not matter."""
        drawn: list[Disturbance] = []
        for name in program.perturbations:
            drawn += self.perturbation(name).draw(random.Random(f"{program.seed} {name} {repetition}"), program)
        return tuple(drawn)

    def perturbation(self, name: str) -> type[Perturbation]:
        """The one of that name. UserError for a program that asks for one that this version or this database does not have."""
        if name not in self._by_name:
            raise UserError(f"the program asks for the perturbation {name!r}, and there is none")
        return self._by_name[name]


def perturbed(program: Program, names: Sequence[str]) -> Program:
    """The program with these perturbations and no others. `names`: in order, as `PerturbationSet.named` gives them."""
    chosen = frozenset(names)
    sessions = tuple(
        ProgramSession(session.name, tuple(_timed(step, chosen) for step in session.steps)) for session in program.sessions
    )
    return msgspec.structs.replace(program, sessions=sessions, perturbations=tuple(n for n in names if n not in TIMINGS))


def _timed(step: Step, chosen: frozenset[str]) -> Step:
    for name, without in _WITHOUT.items():
        if name not in chosen:
            step = without(step)
    return step
