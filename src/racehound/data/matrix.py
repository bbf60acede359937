"""The race matrix as plain data: the outcome of every operation of a catalogue against every other.

Operations are what can be done to objects of a kind: `Table.create`, `Table.rename`, `Schema.destroy`. A trial runs two of them
against each other, in one mode, over objects with one relationship. The cell (x, y) has all trials in which x comes first; the
cell (y, x) those in which y does.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import msgspec

from racehound.data.program import Phase
from racehound.errors import UserError

Outcome = Literal[
    "crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained", "known weakness", "no race needed", "expected",
    "blocked", "fine",
]  # fmt: skip

OUTCOMES: tuple[Outcome, ...] = (
    "crash",
    "corrupt",
    "wrong",
    "hang",
    "internal",
    "leak",
    "unexplained",
    "known weakness",
    "no race needed",
    "expected",
    "blocked",
    "fine",
)
"""Worst first. no race needed: a defect that also shows when one operation begins after the other has ended. expected: a
statement met an error that the other operation explains. blocked: both succeeded, and one waited for the end of the other's
transaction. fine: both succeeded, and neither waited."""

LETTERS: dict[Outcome, str] = {
    "crash": "!",
    "corrupt": "C",
    "wrong": "W",
    "hang": "H",
    "internal": "I",
    "leak": "L",
    "unexplained": "U",
    "known weakness": "k",
    "no race needed": "n",
    "expected": "e",
    "blocked": "b",
    "fine": ".",
}
"""The character of each outcome, for renderings with one per cell. A pair that was not tried is a blank."""

DEFECTS: tuple[Outcome, ...] = ("crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained")
"""Outcomes that are reported as findings."""

Mode = Literal["together", "commit", "rollback"]
MODES: tuple[Mode, ...] = ("together", "commit", "rollback")
"""together: x is sent, and y immediately after it. commit: `BEGIN; x` · `y` · `COMMIT`. rollback: the same with ROLLBACK."""

Relationship = Literal["same", "y over x", "x over y", "common"]
RELATIONSHIPS: tuple[Relationship, ...] = ("same", "y over x", "x over y", "common")
"""How the objects of x and y are related: they are the same; one is built over the other; both are built over a third."""


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row and a column of the matrix: a create, a destroy, or one statement of a manipulation."""

    name: str
    """`Table.rename`"""
    kind: str
    """`Table`"""
    shape: str = ""
    """Its statements without names, for people: `ALTER TABLE RENAME TO`."""
    phase: Phase = "manipulate"
    """Version 0.1 did not write this and what follows."""
    attributes: tuple[tuple[str, Any], ...] = ()
    """Names and values of the object's drawn fields that are not the kind's own."""
    manipulation: str = ""
    at: int = 0
    """Which command of the manipulation it is, from 0."""

    @property
    def creates(self) -> bool:
        """Whether its object must not be there before."""
        return self.phase == "create"


class Trial(msgspec.Struct, frozen=True, array_like=True):
    """Two operations that were run against each other, and the outcome."""

    x: str
    """Name of the operation that comes first."""
    y: str
    relationship: Relationship
    mode: Mode
    outcome: Outcome
    signature: str
    """Why the outcome is not fine: the signature of the worst finding, or the errors of the statements."""
    schedule: tuple[int, ...]
    """The turns as they were taken: 1 is x's session, 2 is y's."""
    setup: int
    """The statements that were run before, as a number in `Matrix.texts`."""
    sessions: tuple[int, int]
    """The statements of x's session and of y's, as numbers in `Matrix.texts`."""


class LeftOut(msgspec.Struct, frozen=True):
    """Pairs that were not tried, and why."""

    reason: str
    pairs: int


class Matrix(msgspec.Struct, frozen=True):
    """All trials of one release."""

    target: str
    release: str
    operations: tuple[Operation, ...]
    """In the catalogue's order."""
    texts: tuple[tuple[str, ...], ...]
    """Sequences of statements, each kept once."""
    trials: tuple[Trial, ...]
    """In the order in which they were tried."""
    left_out: tuple[LeftOut, ...] = ()
    seconds: float = 0.0
    """Spent on the trials, by all servers together."""
    complete: bool = True

    def statements(self, trial: Trial) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The statements of the sessions of x and of y."""
        first, second = trial.sessions
        return self.texts[first], self.texts[second]

    def setup(self, trial: Trial) -> tuple[str, ...]:
        """The statements that were run before."""
        return self.texts[trial.setup]

    def cells(self) -> dict[tuple[str, str], tuple[Trial, ...]]:
        """The trials of every pair that was tried, x first."""
        found: dict[tuple[str, str], list[Trial]] = {}
        for trial in self.trials:
            found.setdefault((trial.x, trial.y), []).append(trial)
        return {pair: tuple(trials) for pair, trials in found.items()}

    def totals(self) -> Counter[Outcome]:
        """How many cells have each outcome."""
        return Counter(worst(trials).outcome for trials in self.cells().values())


def rank(outcome: Outcome) -> int:
    """0 for the worst."""
    return _RANKS[outcome]


def worst(trials: tuple[Trial, ...]) -> Trial:
    """The trial that represents a cell: the first of the worst ones. There must be at least one trial."""
    return min(trials, key=lambda trial: rank(trial.outcome))


def read_matrix(path: Path) -> Matrix:
    """`matrix.json`, or the run directory that holds it. UserError when that is none."""
    file = path / "matrix.json" if path.is_dir() else path
    try:
        return _decoder().decode(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{file} holds no race matrix that this version can read: {error}") from error


_RANKS = {outcome: number for number, outcome in enumerate(OUTCOMES)}


@functools.cache
def _decoder() -> msgspec.json.Decoder[Matrix]:
    return msgspec.json.Decoder(Matrix)
