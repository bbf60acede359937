from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.data.schedule import (
    Listed,
    Schedule,
    TurnOrder,
    count_interleavings,
    draw_schedule,
    interleavings,
    parse_schedule,
    print_schedule,
    serial_schedules,
)
from racehound.errors import UserError

sizes = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def follow(order: TurnOrder, lengths: Sequence[int]) -> Schedule:
    """The turns that an order gives to sessions who are never blocked."""
    left = dict(enumerate(lengths, 1))
    taken = []
    while free := [session for session, turns in left.items() if turns]:
        taken.append(order.choose(free))
        left[taken[-1]] -= 1
    return tuple(taken)


@given(sizes)
def test_all_interleavings_are_there_once_in_order(lengths: list[int]) -> None:
    found = list(interleavings(lengths))
    assert len(found) == count_interleavings(lengths)
    assert found == sorted(set(found))
    assert all(Counter(schedule) == Counter(dict(enumerate(lengths, 1))) for schedule in found)
    assert set(serial_schedules(lengths)) <= set(found)


def test_few_statements_have_few_interleavings() -> None:
    assert count_interleavings([3, 1]) == 4
    assert list(interleavings([1, 2])) == [(1, 2, 2), (2, 1, 2), (2, 2, 1)]
    assert serial_schedules([2, 1, 1])[:2] == [(1, 1, 2, 3), (1, 1, 3, 2)]
    assert count_interleavings([4, 4]) == 70


@given(sizes, st.data())
def test_a_schedule_is_read_as_it_is_written(lengths: list[int], data: st.DataObject) -> None:
    schedule = draw_schedule(lengths, random.Random(data.draw(st.integers())))
    assert parse_schedule(print_schedule(schedule), lengths) == schedule
    assert follow(Listed(schedule), lengths) == schedule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no schedule"),
        ("1 two", "is no schedule"),
        ("1 1 2", "has 2 turns for session 1, which has 1"),
        ("1 2 2 3", "names session 3; there are 2"),
        ("1 2", "has 1 turns for session 2, which has 2"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_schedule(text, [1, 2])


def test_a_turn_waits_at_its_place_until_its_session_is_free() -> None:
    order = Listed((2, 1, 2, 1))
    assert (order.choose([1, 2]), order.passed()) == (2, ())
    assert order.choose([1]) == 1
    assert order.passed() == ()
    assert (order.choose([1]), order.passed()) == (1, (2,))
    assert order.choose([2]) == 2


def test_every_schedule_is_drawn_equally_often() -> None:
    rng = random.Random(3)
    tries, schedules = 6000, count_interleavings([2, 2])
    drawn = Counter(draw_schedule([2, 2], rng) for _ in range(tries))
    assert len(drawn) == schedules
    # Five standard deviations of a binomial count.
    spread = 5 * math.sqrt(tries * (1 / schedules) * (1 - 1 / schedules))
    assert all(abs(count - tries / schedules) < spread for count in drawn.values())
