"""Outcomes of the steps of a run, by kind and manipulation: a step that never succeeded is a hole in the test."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from racehound.data.finding import normalise
from racehound.data.history import Statement
from racehound.data.program import Program
from racehound.kinds.kind import Kind
from racehound.report.error_classes import STATEMENT_OUTCOMES, StatementOutcome
from racehound.report.recorded import Repetition, kinds_of


class Row(msgspec.Struct):
    """The steps of one sort, of one kind."""

    kind: str
    step: str
    """The name of a manipulation, or a phase in parentheses: `(create)`."""
    tries: int = 0
    """How often it was begun, over all attempts for all objects."""
    succeeded: int = 0
    """How often all its statements succeeded. If that is 0, what comes after it was not tested."""
    outcomes: list[int] = msgspec.field(default_factory=lambda: [0] * len(STATEMENT_OUTCOMES))
    """The number of its statements, by `STATEMENT_OUTCOMES`."""
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    """Error messages without names and numbers, and how often each came."""


class Statistics:
    """Counts repetition by repetition."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}

    def add(self, repetition: Repetition, outcomes: Iterable[tuple[Statement, StatementOutcome]]) -> None:
        kinds = kinds_of(repetition.program)
        manipulations = _manipulations(repetition.program)
        attempts: dict[tuple[str, str, int, int], tuple[Row, bool]] = {}
        for statement, outcome in outcomes:
            row = self._row(kinds.get(statement.object, statement.object), _step(statement, manipulations))
            row.outcomes[STATEMENT_OUTCOMES.index(outcome)] += 1
            if outcome != "ok":
                row.errors[_message(statement.sqlstate, statement.message)] += 1
            key = statement.session, statement.phase, statement.step, statement.attempt
            attempts[key] = row, attempts.get(key, (row, True))[1] and outcome == "ok"
        for row, succeeded in attempts.values():
            row.tries += 1
            row.succeeded += succeeded

    def rows(self, kinds: Sequence[type[Kind]] = ()) -> list[Row]:
        """By kind and step. Manipulations that were never drawn, of kinds that were, have a row without tries."""
        drawn = {kind for kind, _ in self._rows}
        for kind in kinds:
            if kind.__name__ in drawn:
                for name in list(kind.all_manipulations())[1:]:
                    self._row(kind.__name__, name)
        return [self._rows[key] for key in sorted(self._rows)]

    def _row(self, kind: str, step: str) -> Row:
        row = self._rows.get((kind, step))
        if row is None:
            row = self._rows[kind, step] = Row(kind, step)
        return row


@functools.lru_cache(maxsize=4096)
def _message(sqlstate: str, message: str) -> str:
    return f"{sqlstate} {normalise(message)}".strip()


def _manipulations(program: Program) -> dict[tuple[str, int], str]:
    """By session and number of the step."""
    return {(session.name, at): step.manipulation for session in program.sessions for at, step in enumerate(session.steps)}


def _step(statement: Statement, manipulations: dict[tuple[str, int], str]) -> str:
    if statement.phase != "manipulate":
        return f"({statement.phase})"
    return manipulations.get((statement.session, statement.step)) or "(manipulate)"
