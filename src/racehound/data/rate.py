"""How often a program shows its finding: a rate with the interval that so few tries allow."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import msgspec

from racehound.data.finding import Reproduction
from racehound.errors import TimeIsUpError

_Z = 1.96
"""Standard normal quantile of a 95 % interval."""


class Rate(msgspec.Struct, frozen=True):
    """How many of the tried repetitions showed the finding, and the number of the first that did (0: none)."""

    reproduction: Reproduction
    first: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the true rate (Wilson's score interval, which holds for few tries and for rates near 0 and 1)."""
        n, k = self.reproduction.tried, self.reproduction.reproduced
        if n == 0:
            return 0.0, 1.0
        p, spread = k / n, _Z * _Z / n
        middle = p + spread / 2
        half = _Z * math.sqrt(p * (1 - p) / n + spread / (4 * n))
        return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def measure(shows: Callable[[int], bool], repetitions: int) -> Rate:
    """Try that many repetitions, numbered from 1; `shows` says whether one showed the finding.

    Where `shows` raises TimeIsUpError, those before it are counted.
    """
    shown: list[bool] = []
    with contextlib.suppress(TimeIsUpError):
        shown.extend(shows(number) for number in range(1, repetitions + 1))
    return Rate(Reproduction(len(shown), sum(shown)), shown.index(True) + 1 if any(shown) else 0)
