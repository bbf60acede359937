"""What a hunt tells while it goes, and to whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from racehound.data.finding import Finding


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a hunt stands. Times in seconds."""

    left_s: float
    elapsed_s: float
    plan: int
    repetition: int
    repetitions: int
    total_repetitions: int
    statements: int
    outcomes: dict[str, int]
    """Statements by drawer: ok, expected, unexplained, internal, lost."""
    findings: Callable[[], list[Finding]]

    @property
    def statements_per_s(self) -> float:
        return self.statements / self.elapsed_s if self.elapsed_s else 0.0


class Reporter(Protocol):
    """Someone who is told. Called from the hunt's own thread."""

    def program(self, text: str) -> None:
        """A seed was drawn; this is its program."""

    def progress(self, progress: Progress) -> None:
        """A repetition is over."""

    def finding(self, finding: Finding) -> None:
        """A defect was met for the first time."""


class Silent:
    """A reporter that tells nobody."""

    def program(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def finding(self, finding: Finding) -> None:
        pass
