"""The drawer of every statement of a recorded repetition.

A history keeps how many errors lay in each drawer, not which; where that leaves a choice, the errors are judged again.
"""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from racehound.data.history import Event, RepetitionEnded, Statement
from racehound.data.program import Program
from racehound.databases.dialect import Dialect
from racehound.databases.target import Target
from racehound.judge.errors import ErrorClass, judgement_of
from racehound.judge.oracle import Observed
from racehound.report.recorded import Repetition

Became = Literal["ok", "expected", "unexplained", "internal", "lost"]
"""A drawer, or success."""

BECAME: tuple[Became, ...] = ("ok", "expected", "unexplained", "internal", "lost")


class _Spoken(msgspec.Struct, frozen=True):
    """All that is left of a target when its run is over; sorting errors asks for no more."""

    dialect: Dialect


def became(repetition: Repetition, dialect: Dialect) -> list[tuple[Statement, Became]]:
    """What became of each statement, in the order in which they were recorded."""
    statements = [event for event in repetition.events if isinstance(event, Statement)]
    failed = [statement for statement in statements if statement.status == "error"]
    drawers = _drawers(repetition, failed, dialect) if failed else {}
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
    target = cast("Target", _Spoken(dialect))
    judgement = judgement_of(Observed(program, number, events, target, frozenset()))
    return {"internal": {id(s) for s in judgement.internal}, "unexplained": {id(s) for s in judgement.unexplained}}
