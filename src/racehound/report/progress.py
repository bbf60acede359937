"""The progress of a hunt, and the reporters that it is given to while the hunt goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from racehound.data.finding import Finding


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a hunt is. Times in seconds."""

    left_s: float
    elapsed_s: float
    plan: int
    repetition: int
    repetitions: int
    total_repetitions: int
    statements: int
    outcomes: dict[str, int]
    """Number of statements by outcome: ok, expected, unexplained, internal, lost."""
    findings: Callable[[], list[Finding]]

    @property
    def statements_per_s(self) -> float:
        return self.statements / self.elapsed_s if self.elapsed_s else 0.0


class Reporter(Protocol):
    """Shows the progress of a hunt. Its methods are called in the thread of the hunt."""

    def program(self, text: str) -> None:
        """A program was made from a new seed."""

    def progress(self, progress: Progress) -> None:
        """A repetition has ended."""

    def finding(self, finding: Finding) -> None:
        """A defect was met for the first time."""

    def close(self) -> None:
        """The hunt has ended, or could not begin. May be called twice."""


class FindingReporter:
    """Says each new finding in one line, and nothing else."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell

    def program(self, text: str) -> None:
        """Programs are in the run directory."""

    def progress(self, progress: Progress) -> None:
        """Nobody watches."""

    def finding(self, finding: Finding) -> None:
        self._tell(finding_line(finding))

    def close(self) -> None:
        """Nothing is open."""


def finding_line(finding: Finding) -> str:
    """A new finding, in one line."""
    met = f", first met {finding.first_met}" if finding.first_met else ""
    return f"*** {finding.severity}: {finding.title} ({finding.id}, seed {finding.seed}{met})"
