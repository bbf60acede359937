"""The class of every statement of a recorded repetition.

A history holds the class of each failed statement (`Judged`). Version 0.1 wrote only how many errors were in each class; where
that leaves a choice, the errors of such a history are classified again.
"""

from __future__ import annotations

from typing import Literal

from racehound.data.history import ErrorClass, Event, RepetitionEnded, Statement, error_classes
from racehound.data.program import Program
from racehound.databases.dialect import Dialect
from racehound.judge.oracle import ObservedHistory
from racehound.report.recorded import Repetition

Became = Literal["ok", "expected", "unexplained", "internal", "lost"]
"""A drawer, or success."""

BECAME: tuple[Became, ...] = ("ok", "expected", "unexplained", "internal", "lost")


def became(repetition: Repetition, dialect: Dialect) -> list[tuple[Statement, Became]]:
    """What became of each statement, in the order in which they were recorded."""
    statements = [event for event in repetition.events if isinstance(event, Statement)]
    failed = [statement for statement in statements if statement.status == "error"]
    drawers = error_classes(repetition.events)
    if not all(id(statement) in drawers for statement in failed):
        drawers = _drawers(repetition, failed, dialect)
    return [(s, "ok" if s.status == "ok" else "lost" if s.status == "lost" else drawers[id(s)]) for s in statements]


def _drawers(repetition: Repetition, failed: list[Statement], dialect: Dialect) -> dict[int, ErrorClass]:
    """By identity. What was recorded has the last word: an exploration also knew which errors come in a serial order."""
    only = _only(repetition.ended)
    if only:
        return {id(statement): only for statement in failed}
    judged = judge_again(repetition.program, repetition.number, repetition.events, dialect)
    excused = repetition.ended is not None and not repetition.ended.unexplained
    return {
        id(s): "internal" if id(s) in judged["internal"]
        else "unexplained" if id(s) in judged["unexplained"] and not excused
        else "expected"
        for s in failed
    }  # fmt: skip


def _only(ended: RepetitionEnded | None) -> ErrorClass | None:
    """The drawer that all errors of the repetition lay in, if there is just one."""
    if ended is None:
        return None
    counts: dict[ErrorClass, int] = {"expected": ended.expected, "unexplained": ended.unexplained, "internal": ended.internal}
    used = [drawer for drawer, count in counts.items() if count]
    return used[0] if len(used) == 1 else None


def judge_again(program: Program, number: int, events: list[Event], dialect: Dialect) -> dict[str, set[int]]:
    """Identities of the statements with an internal and with an unexplained error."""
    classes = ObservedHistory(program, number, events, dialect).classification
    return {
        "internal": {id(s) for s in classes.of_class("internal")},
        "unexplained": {id(s) for s in classes.of_class("unexplained")},
    }
