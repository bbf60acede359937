"""What the page shows of a race matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from racehound.data.matrix import LETTERS, MODES, OUTCOMES, RELATIONSHIPS, Matrix, Trial, read_matrix

_FILE = "matrix.json"
_BEST_FIRST = OUTCOMES[::-1]


class ShownTrial(msgspec.Struct, array_like=True):
    """One trial of two operations. All fields are numbers of what `ShownMatrix` lists."""

    x: int
    y: int
    meeting: int
    """The relationship of their objects, and the mode."""
    outcome: int
    schedule: Sequence[int]
    setup: int
    sessions: tuple[int, int]
    reason: int


class ShownMatrix(msgspec.Struct):
    """A matrix in which each text occurs once."""

    release: str
    operations: list[str]
    shapes: list[str]
    meetings: list[str]
    outcomes: Sequence[str]
    """Best first."""
    letters: list[str]
    """By outcome, as on the terminal."""
    texts: Sequence[Sequence[str]]
    """Sequences of statements, which trials refer to by number."""
    reasons: list[str]
    trials: list[ShownTrial]
    left_out: list[tuple[str, int]]
    """Why pairs were not tried, and how many."""


def shown_matrix(run: Path) -> ShownMatrix | None:
    """The matrix of a run directory; None where it has none. UserError for one that cannot be read."""
    return _shown(read_matrix(run)) if (run / _FILE).is_file() else None


def _shown(matrix: Matrix) -> ShownMatrix:
    numbers = {operation.name: number for number, operation in enumerate(matrix.operations)}
    meetings = [(relationship, mode) for relationship in RELATIONSHIPS for mode in MODES]
    reasons: dict[str, int] = {}

    def shown(trial: Trial) -> ShownTrial:
        return ShownTrial(
            numbers[trial.x], numbers[trial.y], meetings.index((trial.relationship, trial.mode)),
            _BEST_FIRST.index(trial.outcome), trial.schedule, trial.setup, trial.sessions,
            reasons.setdefault(trial.signature, len(reasons)),
        )  # fmt: skip

    trials = [shown(trial) for trial in matrix.trials]
    return ShownMatrix(
        release=matrix.release,
        operations=list(numbers),
        shapes=[operation.shape for operation in matrix.operations],
        meetings=[f"{relationship}, {mode}" for relationship, mode in meetings],
        outcomes=_BEST_FIRST,
        letters=[LETTERS[outcome].replace(".", "") for outcome in _BEST_FIRST],
        texts=matrix.texts,
        reasons=list(reasons),
        trials=trials,
        left_out=[(each.reason, each.pairs) for each in matrix.left_out],
    )
