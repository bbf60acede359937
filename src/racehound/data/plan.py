"""Plan: all that a seed draws, as plain data, and how it is drawn.

One `random.Random(seed)` draws everything, in a fixed order and over ordered sequences only: no clock, set order, hash order or
uuid4 enters. The same number of draws is made for every scenario, so that a seed means the same objects in all three.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from racehound.data.object_names import BASE

ScenarioName = Literal["subsequent", "subsequent-chain", "concurrent"]
WindowEnd = Literal["none", "commit", "rollback"]
BaseActivity = Literal["still", "manipulated", "recreated"]

SEED_LIMIT = 2**63
"""Seeds are whole numbers from 0 to this limit, exclusive: one type, on the command line and in the generator."""


def seed_or_random(seed: int | None) -> int:
    """The seed that was asked for; where none was, one that the operating system draws."""
    return random.SystemRandom().randrange(SEED_LIMIT) if seed is None else seed


class KindEntry(msgspec.Struct, frozen=True):
    """What drawing needs to know of a kind."""

    name: str
    attributes: tuple[tuple[str, tuple[Any, ...]], ...]
    """Drawn fields in the order written, each with its possible values."""
    can_be_referenced: bool
    weight: int
    shared: bool = False
    """Whether it touches what all databases of a server share."""
    single: bool = False
    """Whether a plan has at most one object of it."""
    rarely_idle: int = 0
    """How many manipulations it has, where number 0, which does nothing, shall be drawn seldom."""


class Timing(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one step of an object is disturbed."""

    jitter_us: int = 0
    """The step starts up to this many microseconds after its rendezvous; each repetition draws its own offset below it."""
    window: WindowEnd = "none"
    """Whether the step runs inside a transaction, and how that ends."""
    hold_us: int = 0
    """How long such a transaction is kept open after the step's last statement, in microseconds."""


class PlannedObject(msgspec.Struct, frozen=True):
    """An object as drawn; `refers_to` names another one, None for the base."""

    name: str
    kind: str
    attributes: dict[str, Any]
    refers_to: str | None
    manipulator: int
    """0…99; the manipulation is number `manipulator % n` of the kind's n."""
    lag: int
    """How many rendezvous later than the first sessions this one starts, so that one's create meets another's destroy."""
    dropped_last: bool
    """Concurrent only: destroyed when all sessions have come to rest and what is left was judged, not while others go on."""
    create: Timing
    manipulate: Timing
    destroy: Timing


class Plan(msgspec.Struct, frozen=True):
    seed: int
    scenario: ScenarioName
    theme: tuple[str, ...]
    """The kinds that this plan draws from."""
    base: PlannedObject
    objects: tuple[PlannedObject, ...]
    rest_before_destroy: bool
    """Concurrent only: all sessions come to rest between manipulate and destroy, and what exists then is verified."""
    base_activity: BaseActivity
    """Concurrent only: whether a session manipulates the base meanwhile, or drops it with its dependents and makes it again."""
    verify_in_race: bool
    """Concurrent only: each session verifies its object right after the manipulation, while the others go on."""
    next_seed: int


_BASE_ACTIVITIES: tuple[BaseActivity, ...] = ("still", "manipulated", "recreated")
_THEME_SIZES = (2, 3, 4, 6, 10)
_SHARED_THEMES = 0.25
"""How many of the plans are about what all databases share: locks are fewest there."""
_IDLE = 10
_WINDOWS: tuple[WindowEnd, ...] = ("none", "commit", "rollback")


def draw_plan(seed: int, scenario: ScenarioName, catalogue: Sequence[KindEntry], num_objects: int) -> Plan:
    """Draw the plan of a seed. The catalogue's order matters; ValueError where none of its kinds can be referenced."""
    rng = random.Random(seed)
    if not any(_can_be_all(entry) for entry in catalogue):
        raise ValueError("none of the kinds can be referred to: there is no base object")
    theme = _draw_theme(rng, catalogue)
    left = list(theme)
    base = _draw_object(rng, BASE, _draw_kind(rng, left, as_base=True), None, 0)
    objects: list[PlannedObject] = []
    targets = [base]
    for index in range(num_objects):
        inner_link = scenario == "subsequent-chain" and index < num_objects - 1
        entry = _draw_kind(rng, left, as_base=inner_link)
        below = _draw_reference(rng, scenario, targets)
        drawn = _draw_object(rng, f"o_{index}", entry, below.name, below.lag if below is not base else -1)
        objects.append(drawn)
        if entry.can_be_referenced:
            targets.append(drawn)
    return Plan(
        seed=seed,
        scenario=scenario,
        theme=tuple(entry.name for entry in theme),
        base=base,
        objects=tuple(objects),
        rest_before_destroy=rng.random() < 0.3,
        base_activity=rng.choices(_BASE_ACTIVITIES, weights=(15, 40, 45))[0],
        verify_in_race=rng.random() < 0.3,
        next_seed=rng.randrange(SEED_LIMIT),
    )


def _draw_theme(rng: random.Random, catalogue: Sequence[KindEntry]) -> list[KindEntry]:
    """A few kinds, one of which can be referenced: kinds that conflict with each other are then used together often.

    Leaving features out at random finds more than using all of them always: A. Groce et al., "Swarm testing", ISSTA 2012.
    """
    size = rng.choice(_THEME_SIZES)
    shared = [entry for entry in catalogue if entry.shared]
    if rng.random() < _SHARED_THEMES and any(_can_be_all(entry) for entry in shared):
        catalogue = shared
    theme = [_draw_kind(rng, [entry for entry in catalogue if _can_be_all(entry)])]
    rest = [entry for entry in catalogue if entry not in theme]
    while rest and len(theme) < size:
        theme += rng.choices(rest, weights=[entry.weight for entry in rest])
        rest.remove(theme[-1])
    return theme


def _can_be_all(entry: KindEntry) -> bool:
    """Whether a plan could be made of this kind alone."""
    return entry.can_be_referenced and not entry.single


def _draw_kind(rng: random.Random, left: list[KindEntry], *, as_base: bool = False) -> KindEntry:
    """One of the kinds that are left; a single one is then left no more."""
    entries = [entry for entry in left if entry.can_be_referenced or not as_base]
    drawn = rng.choices(entries, weights=[entry.weight for entry in entries])[0]
    if drawn.single:
        left.remove(drawn)
    return drawn


def _draw_reference(rng: random.Random, scenario: ScenarioName, targets: Sequence[PlannedObject]) -> PlannedObject:
    """The base or, in the concurrent scenario, more often an object drawn before: one session drops what another builds on."""
    over_base, which = rng.random() < 0.35, rng.random()
    if scenario == "subsequent-chain":
        return targets[-1]
    if scenario == "subsequent" or over_base:
        return targets[0]
    return targets[int(which * len(targets))]


def _draw_object(rng: random.Random, name: str, entry: KindEntry, refers_to: str | None, lag_below: int) -> PlannedObject:
    """An object starts one rendezvous after the object below, when that is manipulated, or two, when that is destroyed."""
    return PlannedObject(
        name=name,
        kind=entry.name,
        attributes={field: rng.choice(values) for field, values in entry.attributes},
        refers_to=refers_to,
        manipulator=_draw_manipulator(rng, entry.rarely_idle),
        lag=lag_below + rng.choice((1, 1, 2)),
        dropped_last=rng.random() < 0.5,
        create=_draw_timing(rng),
        manipulate=_draw_timing(rng),
        destroy=_draw_timing(rng),
    )


def _draw_manipulator(rng: random.Random, rarely_idle: int) -> int:
    """One draw. Of ten that would mean number 0 of `rarely_idle` manipulations, nine mean one of the others."""
    drawn = rng.randrange(100)
    times, number = divmod(drawn, max(1, rarely_idle))
    if rarely_idle < 2 or number or drawn < _IDLE:
        return drawn
    moved = drawn + 1 + times % (rarely_idle - 1)
    return moved if moved < 100 else moved - rarely_idle


def _draw_timing(rng: random.Random) -> Timing:
    """Most of the steps run in a transaction window: measured, it turns races of 0.1–10 % into 100 % (docs/how-it-works.md)."""
    return Timing(
        jitter_us=rng.choice((0, 100, 500, 2000)),
        window=rng.choices(_WINDOWS, weights=(40, 50, 10))[0],
        hold_us=rng.choice((0, 300, 1000, 3000)),
    )
