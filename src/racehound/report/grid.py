"""The race matrix as text: a character per cell, one cell in full, the differences of two matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from racehound.data.matrix import LETTERS, OUTCOMES, Matrix, Outcome, Trial, rank, worst
from racehound.report.columns import columns

_COLOURS: dict[Outcome, int] = {
    "crash": 41, "corrupt": 41, "wrong": 45, "hang": 45, "internal": 43, "leak": 43, "unexplained": 43,
    "known weakness": 33, "no race needed": 36, "expected": 36, "blocked": 34, "fine": 32,
}  # fmt: skip
"""Codes of ISO 6429 (SGR)."""
_DEFECTS_SHOWN = 40


def grid_text(matrix: Matrix, *, colour: bool = False) -> str:
    """The operation of the row starts first, that of the column second. Columns are numbered as rows are. Blank: not tried."""
    cells = matrix.cells()
    names = [operation.name for operation in matrix.operations]
    width = max(map(len, names), default=0)
    margin = " " * (width + 6)
    marks = "".join(str(number // 10 % 10) if number % 10 == 0 else "·" for number in range(1, len(names) + 1))
    lines = [margin + marks]
    for number, x in enumerate(names, 1):
        row = "".join(_letter(cells.get((x, y)), colour=colour) for y in names)
        lines.append(f"{number:4} {x:{width}} {row}".rstrip())
    return "\n".join(lines)


def _letter(trials: tuple[Trial, ...] | None, *, colour: bool) -> str:
    if not trials:
        return " "
    outcome = worst(trials).outcome
    return f"\x1b[{_COLOURS[outcome]}m{LETTERS[outcome]}\x1b[0m" if colour else LETTERS[outcome]


def totals_text(matrix: Matrix) -> str:
    """How many cells and trials have each outcome, and what was left out."""
    cells, trials = matrix.totals(), Counter(trial.outcome for trial in matrix.trials)
    rows = [(LETTERS[o], o, f"{cells[o]:,}", f"{trials[o]:,}") for o in OUTCOMES if trials[o]]
    left = [f"left out: {each.reason}" + (f" ({each.pairs:,} pairs)" if each.pairs else "") for each in matrix.left_out]
    return "\n".join([columns(("", "outcome", "cells", "trials"), rows), *left])


def defects_text(matrix: Matrix, limit: int = _DEFECTS_SHOWN) -> str:
    """The outcomes worse than a known weakness: each signature, the number of cells with it, and the first of them."""
    by_signature: dict[tuple[Outcome, str], list[Trial]] = {}
    for trial in matrix.trials:
        if rank(trial.outcome) < rank("known weakness"):
            by_signature.setdefault((trial.outcome, trial.signature), []).append(trial)
    ordered = sorted(by_signature.items(), key=lambda entry: (rank(entry[0][0]), -len(entry[1])))
    rows = [
        (outcome, str(len({(t.x, t.y) for t in trials})), signature[:90], f"{trials[0].x} {trials[0].y}, {trials[0].mode}")
        for (outcome, signature), trials in ordered[:limit]
    ]
    if not rows:
        return ""
    more = [f"… and {len(ordered) - limit} more"] if len(ordered) > limit else []
    return "\n".join([columns(("outcome", "cells", "signature", "first"), rows), *more])


def cell_text(matrix: Matrix, x: str, y: str) -> str:
    """All trials of a cell: the statements before, those of each session in their order, and the outcome."""
    trials = matrix.cells().get((x, y), ())
    lines = []
    for trial in trials:
        first, second = matrix.statements(trial)
        lines += [
            f"--- {trial.mode}, {trial.relationship}: {trial.outcome}" + (f": {trial.signature}" if trial.signature else "")
        ]
        lines += [f"  before  {_one_line(sql)}" for sql in matrix.setup(trial)]
        lines += [f"  {who}       {_one_line(sql)}" for who, sql in in_turn(trial, first, second)]
    return "\n".join(lines)


def in_turn(trial: Trial, first: Sequence[str], second: Sequence[str]) -> Iterable[tuple[str, str]]:
    """The statements in the order in which they were let go."""
    left = {1: iter(first), 2: iter(second)}
    for turn in trial.schedule:
        sql = next(left[turn], None)
        if sql is not None:
            yield "xy"[turn - 1], sql


def diff_text(old: Matrix, new: Matrix) -> str:
    """Cells whose worst outcome differs between two matrices, by both outcomes.

    Pairs that only one of the two tried are counted, not listed. So are changes between outcomes that races may have: in the mode
    "together" it is chance which of them comes.
    """
    before, after = old.cells(), new.cells()
    both = before.keys() & after.keys()
    changes: dict[tuple[Outcome, Outcome], list[tuple[str, str]]] = {}
    for pair in sorted(both):
        was, becomes = worst(before[pair]).outcome, worst(after[pair]).outcome
        if was != becomes:
            changes.setdefault((was, becomes), []).append(pair)
    differing = sum(map(len, changes.values()))
    only = f"{len(before.keys() - both):,} only in the first, {len(after.keys() - both):,} only in the second"
    lines = [f"{old.target} {old.release} -> {new.release}: {len(both):,} cells in both, {differing:,} differ; {only}"]
    for (was, becomes), pairs in sorted(changes.items(), key=lambda entry: (min(map(rank, entry[0])), entry[0])):
        lines += ["", f"{was} -> {becomes}: {len(pairs):,} cells"]
        for x, y in pairs if min(rank(was), rank(becomes)) < rank("expected") else ():
            shown = worst(before[x, y]) if rank(was) < rank(becomes) else worst(after[x, y])
            lines.append(f"  {x}  {y}  ({shown.mode}, {shown.relationship}) {shown.signature}".rstrip())
    return "\n".join(lines)


def _one_line(sql: str) -> str:
    """Can be pasted into an SQL client: a plain word replaces the run's id at the beginning of cluster-wide names."""
    return " ".join(sql.replace("${racehound.run}", "rh").split())
