"""What a hunt does with its time."""

from __future__ import annotations

import itertools

import pytest

from racehound.loops.hunt import HuntOptions


def repetitions(seconds_each: float, share_s: float | None, at_most: int = 5) -> int:
    """Of a plan."""
    options = HuntOptions(
        seed=1, runtime_s=60.0, repetitions=at_most, scenario="concurrent", num_objects=5, tries=1, reset="objects",
        statement_limit_s=1.0, plan_limit_s=share_s,
    )  # fmt: skip
    return next(number for number in itertools.count(1) if options.is_last(number, (number - 1) * seconds_each))


@pytest.mark.parametrize(
    ("seconds_each", "share_s", "done"),
    [(0.1, 3.0, 5), (1.0, 3.0, 5), (1.1, 3.0, 4), (2.0, 3.0, 3), (9.0, 3.0, 2), (9.0, None, 5)],
)
def test_slow_plans_have_fewer_repetitions(seconds_each: float, share_s: float | None, done: int) -> None:
    assert repetitions(seconds_each, share_s) == done


def test_one_repetition_is_one() -> None:
    assert repetitions(9.0, 3.0, at_most=1) == 1
