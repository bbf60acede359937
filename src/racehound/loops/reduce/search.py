"""The search for a smaller candidate that still shows the finding, until the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from racehound.data.reduction import Pass
from racehound.errors import TimeIsUpError

Teller = Callable[[str, int, str], None]
"""Called with the progress: the name of the pass, how many candidates it has tried, and the size of the best one."""


def say_nothing(_doing: str, _tried: int, _best: str) -> None:
    """A teller that does nothing."""


Candidate = TypeVar("Candidate")


class Search(Generic[Candidate]):
    """`best` shows the finding and is what passes start from.

    shows: whether a candidate still shows the finding. key: equal for candidates that are the same; none is tried twice.
    deadline: as `time.monotonic` counts.
    """

    def __init__(
        self,
        best: Candidate,
        shows: Callable[[Candidate], bool],
        *,
        key: Callable[[Candidate], Hashable],
        deadline: float,
        tell: Teller = say_nothing,
    ) -> None:
        self.best = best
        self.accepted = [best]
        """Everything that was the best one, oldest first."""
        self.passes: dict[str, Pass] = {}
        self._shows = shows
        self._key = key
        self._deadline = deadline
        self._tell = tell
        self._known = {key(best)}

    @property
    def tried(self) -> int:
        """Candidates tried so far."""
        return sum(done.tried for done in self.passes.values())

    def check_time(self) -> None:
        """TimeIsUpError where no candidate can be tried any more."""
        if time.monotonic() >= self._deadline:
            raise TimeIsUpError("the time to search was over")

    def attempt(self, candidate: Candidate, name: str) -> bool:
        """Whether the candidate shows the finding; if so it is the best from now on. TimeIsUpError instead of a try too many."""
        key = self._key(candidate)
        if key in self._known:
            return False
        self.check_time()
        started = time.monotonic()
        self._known.add(key)
        done = self.passes.setdefault(name, Pass(name))
        done.tried += 1
        shown = self._shows(candidate)
        done.seconds += time.monotonic() - started
        if shown:
            done.shown += 1
            self.best = candidate
            self.accepted.append(candidate)
        self._tell(name, self.tried, str(getattr(self.best, "size", "")))
        return shown


Item = TypeVar("Item")


def without_chunks(items: Sequence[Item], attempt: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Leave out as many items as can be: halves first, then smaller and smaller chunks, from the end, until none can go alone.

    `attempt` says whether what is left still shows it. The result is one from which no single item can be left out
    (A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), if `attempt` is deterministic.
    """
    kept = list(items)
    size = max(1, len(kept) // 2)
    while True:
        shrunk = False
        at = len(kept)
        while at > 0:
            start = max(0, at - size)
            candidate = [*kept[:start], *kept[at:]]
            if attempt(candidate):
                kept, shrunk = candidate, True
            at = start
        if size == 1 and not shrunk:
            return kept
        size = max(1, size // 2) if not shrunk or size > 1 else 1
