"""Which schedules an exploration runs: the serial ones first, then all others, or some that a seed draws."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from racehound.data.schedule import (
    Listed,
    Schedule,
    TurnOrder,
    count_interleavings,
    draw_schedule,
    interleavings,
    serial_schedules,
)
from racehound.errors import UserError
from racehound.run.pct import Prioritised
from racehound.run.session_script import Scripts, lengths

Strategy = Literal["all", "random", "pct"]

_DRAWS_PER_SCHEDULE = 20
"""How often to draw until a new schedule comes. Small programs run out of new ones."""


class ExploreOptions(msgspec.Struct, frozen=True):
    """What a user asks of an exploration."""

    seed: int
    schedules: int
    strategy: Strategy | None
    """None: all if there are no more than `schedules`, else drawn at random."""
    depth: int
    statement_limit_s: float
    only: Schedule | None = None
    """A single schedule, to be run `schedules` times."""


def strategy_of(scripts: Scripts, options: ExploreOptions) -> Strategy:
    """The strategy that is used. UserError where all schedules are asked for and there are too many."""
    count = count_interleavings(lengths(scripts.sessions))
    if options.strategy == "all" and count > options.schedules:
        raise UserError(
            f"there are {count:,} interleavings, more than --schedules {options.schedules}: raise that, or draw some with "
            "--strategy random or pct"
        )
    return options.strategy or ("all" if count <= options.schedules else "random")


def orders(scripts: Scripts, options: ExploreOptions) -> Iterator[tuple[Schedule, TurnOrder]]:
    """The schedules to run, each with the order that follows it: the same for the same scripts and options.

    A schedule is empty where PCT draws it on the way.
    """
    sizes, strategy = lengths(scripts.sessions), strategy_of(scripts, options)
    if options.only is not None:
        yield from ((options.only, Listed(options.only)) for _ in range(options.schedules))
        return
    serial = serial_schedules(sizes)[: options.schedules]
    yield from ((schedule, Listed(schedule)) for schedule in serial)
    left = options.schedules - len(serial)
    rng = random.Random(options.seed)
    if strategy == "all":
        yield from ((schedule, Listed(schedule)) for schedule in interleavings(sizes) if schedule not in serial)
    elif strategy == "random":
        yield from ((schedule, Listed(schedule)) for schedule in _drawn(sizes, rng, left, set(serial)))
    else:
        yield from (((), Prioritised(sizes, options.depth, rng)) for _ in range(left))


def _drawn(sizes: list[int], rng: random.Random, count: int, known: set[Schedule]) -> Iterator[Schedule]:
    """Different schedules, as long as new ones come."""
    for _ in range(count):
        fresh = next((s for _ in range(_DRAWS_PER_SCHEDULE) if (s := draw_schedule(sizes, rng)) not in known), None)
        if fresh is not None:
            known.add(fresh)
            yield fresh
