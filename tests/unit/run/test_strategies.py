from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import pytest

from racehound.data.schedule import (
    Schedule,
    interleavings,
)
from racehound.errors import UserError
from racehound.run.pct import Prioritised
from racehound.run.session_script import Scripts, SessionScript, Turn
from racehound.run.strategies import ExploreOptions, Strategy, orders, strategy_of
from racehound.testdrive.script import Sql
from tests.unit.data.test_schedule import follow

# A bug of depth d in an artificial program: d orderings of two statements are enough to show it.

Bug = Callable[[Schedule], bool]


def between(schedule: Schedule) -> bool:
    """Depth 2: the only statement of 2 comes after the last but one of 1 and before the last one."""
    return schedule[-2] == 2


def zigzag(schedule: Schedule) -> bool:
    """Depth 3: 2 begins after the first statement of 1 and before its second, and ends after that one."""
    first, second, _ = (n for n, session in enumerate(schedule) if session == 1)
    begun, ended = (n for n, session in enumerate(schedule) if session == 2)
    return first < begun < second < ended


BUGS = [
    pytest.param([8, 1], 2, between, id="depth 2"),
    pytest.param([3, 2], 3, zigzag, id="depth 3"),
    pytest.param([1, 1, 1], 1, lambda schedule: schedule[0] == 3, id="depth 1"),
]


def bound(sessions: int, statements: int, depth: int) -> float:
    """The least probability with which one drawn schedule shows a bug of that depth, as the paper states it."""
    return 1.0 / (sessions * float(statements) ** (depth - 1))


class Fixed(random.Random):
    """Draws what it is told: the priorities, then the change points."""

    def __init__(self, *samples: Sequence[int]) -> None:
        super().__init__()
        self._samples = list(samples)

    def sample(self, population: object, k: int, *, counts: object = None) -> list[int]:  # type: ignore[override]  # noqa: ARG002
        taken = list(self._samples.pop(0))
        assert len(taken) == k
        return taken


@pytest.mark.parametrize(("lengths", "depth", "bug"), BUGS)
def test_pct_finds_a_bug_at_least_as_often_as_it_promises(lengths: list[int], depth: int, bug: Bug) -> None:
    """Over all draws that it can make, so that the probability is exact."""
    statements, sessions = sum(lengths), len(lengths)
    draws = list(
        itertools.product(itertools.permutations(range(1, sessions + 1)), itertools.permutations(range(statements), depth - 1))
    )
    hits = sum(bug(follow(Prioritised(lengths, depth, Fixed(*draw)), lengths)) for draw in draws)
    assert hits / len(draws) >= bound(sessions, statements, depth)


@pytest.mark.parametrize(("lengths", "depth", "bug"), BUGS)
def test_the_frequency_over_seeds_is_not_below_the_bound(lengths: list[int], depth: int, bug: Bug) -> None:
    tries, least = 4000, bound(len(lengths), sum(lengths), depth)
    hits = sum(bug(follow(Prioritised(lengths, depth, random.Random(seed)), lengths)) for seed in range(tries))
    assert hits / tries >= least - 3 * math.sqrt(least * (1 - least) / tries)


def test_pct_lets_nobody_pass_an_session_of_higher_priority_but_where_that_is_blocked() -> None:
    order = Prioritised([2, 2], 1, Fixed((2, 1), ()))
    assert order.choose([1, 2]) == 1
    assert order.passed() == ()
    assert order.choose([2]) == 2
    assert order.passed() == (1,)
    assert order.choose([1, 2]) == 1


def scripts(*lengths: int) -> Scripts:
    return Scripts(tuple(SessionScript(f"{n}.sql", (Turn(Sql("SELECT 1")),) * length) for n, length in enumerate(lengths)))


def options(schedules: int, strategy: Strategy | None = None, seed: int = 7) -> ExploreOptions:
    return ExploreOptions(seed=seed, schedules=schedules, strategy=strategy, depth=2, statement_limit_s=1.0)


@pytest.mark.parametrize("strategy", [None, "random", "pct"])
def test_the_same_seed_gives_the_same_schedules(strategy: Strategy | None) -> None:
    def run(seed: int) -> list[Schedule]:
        return [follow(order, [4, 4]) for _, order in orders(scripts(4, 4), options(20, strategy, seed))]

    assert run(7) == run(7)
    assert len(run(7)) == 20
    assert run(7) != run(8)


def test_few_interleavings_are_all_run_once_the_serial_ones_first() -> None:
    found = [schedule for schedule, _ in orders(scripts(2, 2), options(1000))]
    assert found[:2] == [(1, 1, 2, 2), (2, 2, 1, 1)]
    assert sorted(found) == list(interleavings([2, 2]))
    assert strategy_of(scripts(2, 2), options(1000)) == "all"
    assert strategy_of(scripts(4, 4), options(69)) == "random"


def test_more_interleavings_than_asked_for_cannot_all_be_run() -> None:
    with pytest.raises(UserError, match="there are 70 interleavings, more than --schedules 69"):
        strategy_of(scripts(4, 4), options(69, "all"))


def test_drawn_schedules_differ_as_long_as_there_are_new_ones() -> None:
    found = [schedule for schedule, _ in orders(scripts(2, 1), options(50, "random"))]
    assert sorted(found) == list(interleavings([2, 1]))


def test_pct_takes_more_change_points_than_there_are_turns() -> None:
    order = Prioritised([1, 1], 5, random.Random(1))
    assert sorted(follow(order, [1, 1])) == [1, 2]
