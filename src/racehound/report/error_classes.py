"""The outcome of each statement of a recorded repetition: success, or the class of its error.

A history holds the classes of failed statements as `Judged` events. Histories of version 0.1 have no such events. They only hold
the number of errors of each class, so their statements are classified again.
"""

from __future__ import annotations

from typing import Literal, get_args

from racehound.data.history import ErrorClass, RepetitionEnded, Statement
from racehound.databases.dialect import Dialect
from racehound.judge.oracle import ObservedHistory
from racehound.report.recorded import Repetition

StatementOutcome = Literal["ok", "expected", "unexplained", "internal", "lost"]
"""Success, or an error class."""

STATEMENT_OUTCOMES: tuple[StatementOutcome, ...] = get_args(StatementOutcome)


def statement_outcomes(repetition: Repetition, dialect: Dialect) -> list[tuple[Statement, StatementOutcome]]:
    """Each statement of a repetition with its outcome, in the order in which they were recorded."""
    statements = [event for event in repetition.events if isinstance(event, Statement)]
    classes = repetition.error_classes
    if any(statement.status != "ok" and id(statement) not in classes for statement in statements):
        classes = {**_classified_again(repetition, statements, dialect), **classes}
    return [(statement, "ok" if statement.status == "ok" else classes[id(statement)]) for statement in statements]


def _classified_again(repetition: Repetition, statements: list[Statement], dialect: Dialect) -> dict[int, ErrorClass]:
    """By the identity of each failed statement. Where the counts of the repetition's end say otherwise, they are right.

    They say otherwise in explorations, where an error was also expected if it came in a serial order of the same statements.
    """
    failed = [statement for statement in statements if statement.status != "ok"]
    only = _only_class(repetition.ended)
    if only is not None:
        return {id(statement): "lost" if statement.status == "lost" else only for statement in failed}
    history = ObservedHistory(repetition.program, repetition.number, repetition.events, dialect)
    classes = {id(statement): error_class for statement, error_class in history.classification.failed}
    if repetition.ended is not None and not repetition.ended.unexplained:
        classes = {statement: "expected" if each == "unexplained" else each for statement, each in classes.items()}
    return classes


def _only_class(ended: RepetitionEnded | None) -> ErrorClass | None:
    """The class of all errors of a repetition, if there is only one; lost statements aside."""
    if ended is None:
        return None
    counts: dict[ErrorClass, int] = {"expected": ended.expected, "unexplained": ended.unexplained, "internal": ended.internal}
    used = [error_class for error_class, count in counts.items() if count]
    return used[0] if len(used) == 1 else None
