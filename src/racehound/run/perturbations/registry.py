"""The perturbations there are, which of them a user wants, and what a program looks like with these and no others.

Three need nobody to do anything while a program runs: the plan has drawn them into its steps, and a program without them is the
same program with steps that start at once. All others are `Perturbation`s.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

import msgspec

from racehound.data.program import Disturbance, Program, ProgramSession, Step
from racehound.databases.materialize.perturbations import ServiceKill
from racehound.databases.postgres.perturbations import Freeze, Kill, Restart
from racehound.databases.target import Target
from racehound.errors import UserError
from racehound.run.perturbations.interruptions import Cancel, Terminate
from racehound.run.perturbations.network import Cut, Jitter
from racehound.run.perturbations.pace import Priorities, Starvation
from racehound.run.perturbations.perturbation import Perturbation

PERTURBATIONS: tuple[type[Perturbation], ...] = (
    Priorities, Starvation, Freeze, Cancel, Terminate, Jitter, Cut, Kill, Restart, ServiceKill,
)  # fmt: skip

_BY_NAME = {each.name: each for each in PERTURBATIONS}

TIMINGS: dict[str, str] = {
    "delays": "a step starts up to 2 ms after its rendezvous",
    "barriers": "steps of several sessions start together, at rendezvous",
    "windows": "a step runs in a transaction that is kept open for up to 3 ms, for others to run into",
}
"""Those that stand in the steps of a program."""

_WITHOUT: dict[str, Callable[[Step], Step]] = {
    "delays": lambda step: msgspec.structs.replace(step, jitter_us=0),
    "barriers": lambda step: msgspec.structs.replace(step, beat=None),
    "windows": lambda step: msgspec.structs.replace(step, window="none", hold_us=0),
}

NAMES = (*TIMINGS, *_BY_NAME)
DEFAULT = ("windows",)
"""What has been measured to add findings: `docs/perturbations.md`."""
_WORDS: dict[str, Sequence[str]] = {"default": DEFAULT, "all": NAMES, "none": ()}


def summaries() -> dict[str, str]:
    """What each of them does, in the order in which they are drawn."""
    return TIMINGS | {each.name: each.summary for each in PERTURBATIONS}


def named(words: Iterable[str]) -> tuple[str, ...]:
    """The perturbations that `--perturb` names, in the registry's order; `default`, `all` and `none` may be among the names.

    UserError for an unknown one.
    """
    wanted: set[str] = set()
    for word in words:
        if word not in _WORDS and word not in NAMES:
            raise UserError(f"--perturb: there is no {word!r}; there are: {', '.join((*_WORDS, *NAMES))}")
        wanted.update(_WORDS.get(word, (word,)))
    return tuple(name for name in NAMES if name in wanted)


def obstacles(names: Iterable[str], target: Target) -> dict[str, str]:
    """Those of the named that cannot disturb a started target, and why not."""
    found = {name: perturbation(name).obstacle(target) for name in names if name not in TIMINGS}
    return {name: reason for name, reason in found.items() if reason}


def possible(words: Iterable[str], target: Target) -> tuple[tuple[str, ...], dict[str, str]]:
    """The perturbations that a user wants of a started target, and those left out of `all` and `default`, with the reason.

    UserError for one that is asked for by name and cannot be.
    """
    asked = tuple(words)
    wanted = named(asked)
    hindered = obstacles(wanted, target)
    for name, reason in hindered.items():
        if name in asked:
            raise UserError(f"--perturb {name}: {reason}")
    return tuple(name for name in wanted if name not in hindered), hindered


def perturbed(program: Program, names: Iterable[str]) -> Program:
    """The program as it is disturbed by these perturbations and by no others."""
    chosen = frozenset(names)
    sessions = tuple(
        ProgramSession(session.name, tuple(_timed(step, chosen) for step in session.steps)) for session in program.sessions
    )
    return msgspec.structs.replace(program, sessions=sessions, perturbations=tuple(name for name in _BY_NAME if name in chosen))


def draw(program: Program, repetition: int) -> tuple[Disturbance, ...]:
    """What a program's perturbations are to do in a repetition: each draws from the seed by itself, whatever others there are."""
    drawn: list[Disturbance] = []
    for name in program.perturbations:
        drawn += _BY_NAME[name].draw(random.Random(f"{program.seed} {name} {repetition}"), program)
    return tuple(drawn)


def perturbation(name: str) -> type[Perturbation]:
    """The one of that name. UserError for a program of a version that knew others."""
    if name not in _BY_NAME:
        raise UserError(f"the program asks for the perturbation {name!r}, and there is none")
    return _BY_NAME[name]


def _timed(step: Step, chosen: frozenset[str]) -> Step:
    for name, without in _WITHOUT.items():
        if name not in chosen:
            step = without(step)
    return step
