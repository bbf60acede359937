"""Schedules of lock-step: in what order the sessions take their turns. Counted, listed, drawn, written and read.

A schedule names a session, by its number from 1, for each turn: `1 2 1 2 2 1`. Session N has as many turns as it has statements.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, TypeAlias

from racehound.errors import UserError

Schedule: TypeAlias = tuple[int, ...]

_SERIAL_LIMIT = 24
"""Serial schedules that are listed: all of up to four sessions."""


class TurnOrder(Protocol):
    """Chooses whose turn it is, turn by turn. An instance serves one schedule."""

    def choose(self, free: Collection[int]) -> int:
        """Whose turn it is, of the sessions that can take one; there is at least one. The chosen session takes its turn."""

    def passed(self) -> tuple[int, ...]:
        """Sessions that would have got the last turn, or an earlier one, if they had been free then."""


class Listed:
    """Follows a schedule. A turn whose session is not free stays in its place, and is taken as soon as the session is free."""

    def __init__(self, schedule: Schedule) -> None:
        self._left = list(schedule)
        self._passed: tuple[int, ...] = ()

    def choose(self, free: Collection[int]) -> int:
        at = next((at for at, session in enumerate(self._left) if session in free), None)
        if at is None:
            raise ValueError(f"the schedule has no turn left for {sorted(free)}")
        self._passed = tuple(dict.fromkeys(self._left[:at]))
        return self._left.pop(at)

    def passed(self) -> tuple[int, ...]:
        return self._passed


class Together:
    """All sessions send their statements at once, in the order of their numbers, without waiting for each other's answers."""

    def choose(self, free: Collection[int]) -> int:
        return min(free)

    def passed(self) -> tuple[int, ...]:
        return ()


def count_interleavings(lengths: Sequence[int]) -> int:
    """How many schedules there are for sessions of so many statements each: the multinomial coefficient."""
    return math.factorial(sum(lengths)) // math.prod(math.factorial(length) for length in lengths)


def interleavings(lengths: Sequence[int]) -> Iterator[Schedule]:
    """All schedules in lexicographic order."""
    left = dict(enumerate(lengths, 1))

    def further(size: int) -> Iterator[Schedule]:
        if size == 0:
            yield ()
            return
        for session, turns in list(left.items()):
            if turns:
                left[session] -= 1
                yield from ((session, *rest) for rest in further(size - 1))
                left[session] += 1

    return further(sum(lengths))


def serial_schedules(lengths: Sequence[int]) -> list[Schedule]:
    """Those in which one session ends before the next begins, in lexicographic order; at most `_SERIAL_LIMIT` of them."""
    orders = itertools.islice(itertools.permutations(range(1, len(lengths) + 1)), _SERIAL_LIMIT)
    return [tuple(session for session in order for _ in range(lengths[session - 1])) for order in orders]


def draw_schedule(lengths: Sequence[int], rng: random.Random) -> Schedule:
    """One of all schedules, each as likely as any other: a shuffle makes every one in equally many ways."""
    turns = [session for session, length in enumerate(lengths, 1) for _ in range(length)]
    rng.shuffle(turns)
    return tuple(turns)


def print_schedule(schedule: Schedule) -> str:
    """As `parse_schedule` reads it."""
    return " ".join(map(str, schedule))


def parse_schedule(text: str, lengths: Sequence[int]) -> Schedule:
    """A schedule from numbers with spaces or commas between them. UserError where it does not fit the sessions' statements."""
    words = re.split(r"[\s,]+", text.strip())
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise UserError(f"{text!r} is no schedule: write the numbers of the sessions in the order of their turns, like 1 2 1 2")
    schedule = tuple(map(int, words))
    turns = Counter(schedule)
    for session, length in enumerate(lengths, 1):
        if turns.pop(session, 0) != length:
            raise UserError(
                f"the schedule {text!r} has {schedule.count(session)} turns for session {session}, which has {length}"
            )
    if turns:
        raise UserError(f"the schedule {text!r} names session {min(turns)}; there are {len(lengths)}")
    return schedule
