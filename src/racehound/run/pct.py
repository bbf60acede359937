"""PCT: schedules drawn so that a bug of small depth is found with a probability that can be stated.

Burckhardt, Kothari, Musuvathi, Nagarakatte: "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010).
A bug has depth d if d orderings between pairs of statements suffice to show it. With n sessions and k statements in all, one
drawn schedule shows it with a probability of at least 1/(n·k^(d-1)).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence


class Prioritised:
    """Chooses the session with the highest priority. At d-1 drawn turns, the session about to be chosen gets the lowest one.

    Invariant: all priorities differ. Those drawn at the start lie above `depth`; the one given at change point i is `depth` - i.
    """

    def __init__(self, lengths: Sequence[int], depth: int, rng: random.Random) -> None:
        """`lengths`: statements of each session. `depth`: at least 1; change points beyond the last turn have no effect."""
        sessions = range(1, len(lengths) + 1)
        drawn = rng.sample(sessions, len(sessions))
        self._priority = {session: depth + rank for rank, session in enumerate(drawn)}
        turns = range(max(sum(lengths), depth - 1))
        self._lowered = {turn: depth - number for number, turn in enumerate(rng.sample(turns, depth - 1), 1)}
        self._turn = 0
        self._above: tuple[int, ...] = ()

    def choose(self, free: Collection[int]) -> int:
        chosen = max(free, key=self._priority.__getitem__)
        if (low := self._lowered.pop(self._turn, None)) is not None:
            self._priority[chosen] = low
            chosen = max(free, key=self._priority.__getitem__)
        self._turn += 1
        self._above = tuple(session for session, height in self._priority.items() if height > self._priority[chosen])
        return chosen

    def passed(self) -> tuple[int, ...]:
        return self._above
