from __future__ import annotations

import pytest

from racehound.data.finding import Reproduction
from racehound.data.rate import Rate, measure


def test_it_counts_and_names_the_first() -> None:
    rate = measure(lambda number: number % 3 == 0, 10)
    assert rate == Rate(Reproduction(10, 3), 3)


@pytest.mark.parametrize(("k", "low", "high"), [(0, 0.0, 0.2775), (10, 0.7225, 1.0), (5, 0.2366, 0.7634)])
def test_the_interval_is_wilsons(k: int, low: float, high: float) -> None:
    # Reference values: Wilson score interval for n = 10 at 95 %.
    assert Rate(Reproduction(10, k), 0).interval == pytest.approx((low, high), abs=1e-3)
