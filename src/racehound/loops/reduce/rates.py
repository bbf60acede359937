"""How often a program shows its finding: a rate with the interval that so few tries allow."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from racehound.data.finding import Reproduction


class Rate(msgspec.Struct, frozen=True):
    """How many of the tried repetitions showed the finding, and the number of the first that did (0: none)."""

    reproduction: Reproduction
    first: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the true rate."""
        return self.reproduction.interval


def measure(shows: Callable[[int], bool], repetitions: int) -> Rate:
    """Try that many repetitions, numbered from 1; `shows` says whether one showed the finding."""
    reproduced = first = 0
    for number in range(1, repetitions + 1):
        if shows(number):
            reproduced += 1
            first = first or number
    return Rate(Reproduction(repetitions, reproduced), first)
