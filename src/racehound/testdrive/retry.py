"""Retries with exponential backoff until success, an error that no retry helps, the timeout or the last try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True)
class Policy:
    """How long and how often a command is tried. Durations in seconds; `max_tries` None sets no limit.

    With `max_tries` 1 nothing is tried again and nothing sleeps.
    """

    timeout: float = 10.0
    initial_backoff: float = 0.05
    backoff_factor: float = 1.5
    max_tries: int | None = None


class Attempted(Protocol):
    """The failure of an attempt."""

    @property
    def is_final(self) -> bool:
        """Whether no further try helps."""


_Failure = TypeVar("_Failure", bound=Attempted)


def until_success(
    attempt: Callable[[], _Failure | None],
    policy: Policy,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> _Failure | None:
    """None as soon as an attempt returns None, else the last failure. The last attempt begins at the timeout."""
    deadline = clock() + policy.timeout
    backoff = policy.initial_backoff
    tries = 1
    while (failure := attempt()) is not None:
        remaining = deadline - clock()
        if failure.is_final or tries == policy.max_tries or remaining <= 0:
            return failure
        sleep(min(backoff, remaining))
        backoff *= policy.backoff_factor
        tries += 1
    return None
