"""How often to try before it can be said that a candidate shows its finding often enough: as often as it takes, and no more."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class SequentialTest:
    """Wald's sequential probability ratio test (Annals of Mathematical Statistics, 1945) between two rates.

    What shows in `good` of the tries or more is taken for too rare with a probability of `error` at most, and what shows in `bad`
    of them or less for frequent enough with the same. In between either may be said. After `limit` tries the nearer one is.
    """

    good: float
    bad: float
    error: float = 0.05
    limit: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.bad < self.good < 1:
            raise ValueError(f"rates must be 0 < bad < good < 1, not {self.bad} and {self.good}")

    def verdict(self, shown: int, missed: int) -> bool | None:
        """True: often enough. None: more tries are needed."""
        ratio = shown * math.log(self.good / self.bad) + missed * math.log((1 - self.good) / (1 - self.bad))
        bound = math.log((1 - self.error) / self.error)
        if abs(ratio) >= bound:
            return ratio > 0
        return None if shown + missed < self.limit else ratio > 0


def nearly(rate: float) -> SequentialTest:
    """A test for candidates that are to show nearly as often as something that shows at that rate."""
    good = min(0.9, max(0.02, 0.6 * rate))
    return SequentialTest(good, good / 4)
