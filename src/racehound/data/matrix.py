"""Outcomes: the race matrix as plain data. Every operation of a catalogue against every other, and what became of each pair.

An operation is a step of a kind's life: `Table.create`, `Table.rename`, `Schema.destroy`. A trial is one meeting of two of them,
in one mode, over objects that stand to each other in one way. The cell (x, y) is all trials in which x comes first; that across
the diagonal, (y, x), those in which y does.
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
    "crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained", "known weakness", "expected", "blocked", "fine"
]

OUTCOMES: tuple[Outcome, ...] = (
    "crash",
    "corrupt",
    "wrong",
    "hang",
    "internal",
    "leak",
    "unexplained",
    "known weakness",
    "expected",
    "blocked",
    "fine",
)
"""Worst first. expected: a statement met an error that the other's doing explains. blocked: both succeeded, one waited for the
other's transaction to end. fine: both succeeded, nobody waited."""

LETTERS: dict[Outcome, str] = {
    "crash": "!",
    "corrupt": "C",
    "wrong": "W",
    "hang": "H",
    "internal": "I",
    "leak": "L",
    "unexplained": "U",
    "known weakness": "k",
    "expected": "e",
    "blocked": "b",
    "fine": ".",
}
"""One for each outcome, for renderings with a character per cell; a blank is a pair that was not tried."""

DEFECTS: tuple[Outcome, ...] = ("crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained")
"""What a run is said to have found; the others are as races go."""

Mode = Literal["together", "commit", "rollback"]
MODES: tuple[Mode, ...] = ("together", "commit", "rollback")
"""together: x is sent, y right behind it. commit: `BEGIN; x` · `y` · `COMMIT`. rollback: the same with ROLLBACK."""

Relationship = Literal["same", "y over x", "x over y", "common"]
RELATIONSHIPS: tuple[Relationship, ...] = ("same", "y over x", "x over y", "common")
"""How the objects of x and y stand to each other: they are one; one is built over the other; both are built over a third."""


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
    """One meeting of two operations, and what became of it."""

    x: str
    """Name of the operation that comes first."""
    y: str
    relationship: Relationship
    mode: Mode
    outcome: Outcome
    signature: str
    """Why it is not fine: the worst finding's signature, or the errors of the statements; empty where it is."""
    schedule: tuple[int, ...]
    """The turns as they were taken: 1 is x's session, 2 is y's."""
    setup: int
    """The statements that came before, as a number in `Matrix.texts`."""
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
    """Spent on the meetings, by all servers together."""
    complete: bool = True

    def statements(self, trial: Trial) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the sessions of x and of y do."""
        first, second = trial.sessions
        return self.texts[first], self.texts[second]

    def setup(self, trial: Trial) -> tuple[str, ...]:
        """What is done before."""
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
    """The trial that stands for a cell: the first one of the worst. There has to be one."""
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
