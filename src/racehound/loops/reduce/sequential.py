"""A test that decides, after as few tries as possible, whether a candidate shows its finding often enough."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class SequentialTest:
    """Wald's sequential probability ratio test (Annals of Mathematical Statistics, 1945) between two rates.

    A rate of `good` or more is taken for too low with a probability of at most `error`, and a rate of `bad` or less for high
    enough with the same. Between the two, either may be the verdict. After `limit` tries the likelier one is.
    """

    good: float
    bad: float
    error: float = 0.05
    limit: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.bad < self.good < 1:
            raise ValueError(f"rates must be 0 < bad < good < 1, not {self.bad} and {self.good}")

    def verdict(self, shown: int, missed: int) -> bool | None:
        """Whether the rate is high enough, after so many tries; None where more are needed."""
        ratio = shown * math.log(self.good / self.bad) + missed * math.log((1 - self.good) / (1 - self.bad))
        bound = math.log((1 - self.error) / self.error)
        if abs(ratio) >= bound:
            return ratio > 0
        return None if shown + missed < self.limit else ratio > 0


def nearly(rate: float) -> SequentialTest:
    """A test for candidates that should show the finding nearly as often as at that rate."""
    good = min(0.9, max(0.02, 0.6 * rate))
    return SequentialTest(good, good / 4)
