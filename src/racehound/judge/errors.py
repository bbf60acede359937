"""Errors: findings for internal and for unexplained errors (`classification.py`).

An internal error of a statement whose objects nobody changed meanwhile is a finding of its own severity. While somebody changed
them it is a known weakness, kept with the statements that may have caused it (`culprits.py`): upstream tolerates many of those
(see docs/reading-findings.md).
"""

from __future__ import annotations

from racehound.data.finding import CULPRITS_LIMIT, Finding, normalise
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.judge.culprits import culprits_of, numbered_objects, suspects
from racehound.judge.dependencies import DependencyGraph, WriteInterval
from racehound.judge.oracle import ObservedHistory
from racehound.judge.shapes import shape

UNDISTURBED = " undisturbed"
"""How the signature of an internal error ends while whose statement nobody changed anything."""
FAILED = "statement: "
"""How the line of a finding's details begins that holds the failed statement."""


def judge_errors(history: ObservedHistory) -> list[Finding]:
    """A finding for each internal and each unexplained error of a repetition."""
    classes = history.classification
    found = [_internal(history, statement, classes.concurrent_writes(statement)) for statement in classes.of_class("internal")]
    return found + [_unexplained(history, statement) for statement in classes.of_class("unexplained")]


def _internal(history: ObservedHistory, statement: Statement, others: list[WriteInterval]) -> Finding:
    function = statement.source.rpartition(" ")[2] or "source unknown"
    signature = f"{statement.sqlstate} {normalise(statement.message)} [{function}]"
    title = f"{statement.sqlstate} {statement.message}"
    detail = (f"{FAILED}{statement.sql}", *numbered_objects(history, statement))
    if history.dialect.shows_corruption(statement, bool(others)):
        return history.finding(
            "errors", "corruption", signature, title,
            detail=detail, statements=_context(history, statement, history.statements),
            culprits=culprits_of(history, statement, others),
        )  # fmt: skip
    if not others:
        return history.finding(
            "errors", "internal error", f"{signature}{UNDISTURBED}", f"{title}, while nobody changed {statement.object}",
            detail=detail, statements=_context(history, statement, _earlier(history, statement)),
            culprits=culprits_of(history, statement, history.classification.earlier_writes(statement), certain_texts=True),
        )  # fmt: skip
    return history.finding(
        "errors", "known weakness", signature, title,
        detail=detail, statements=_context(history, statement, _suspected(history, statement, others)),
        culprits=culprits_of(history, statement, others),
    )  # fmt: skip


def _suspected(history: ObservedHistory, failed: Statement, others: list[WriteInterval]) -> list[Statement]:
    """The statements that a person looks at first; all others that ran, where none of them can have caused the error."""
    likely = suspects(history, failed, others)[:CULPRITS_LIMIT]
    return [write.statement for write, _ in likely] or [write.statement for write in others]


def _unexplained(history: ObservedHistory, statement: Statement) -> Finding:
    return history.finding(
        "errors", "unexplained error",
        f"{statement.sqlstate} {normalise(statement.message)} from {shape(statement.sql)}",
        f"{statement.sqlstate} {statement.message}, and nothing that others did explains it",
        detail=(f"{FAILED}{statement.sql}",), statements=_context(history, statement, _earlier(history, statement)),
    )  # fmt: skip


def _earlier(history: ObservedHistory, failed: Statement) -> list[Statement]:
    """What succeeded before, in any session, on the objects that the failed statement depends on or that depend on its own."""
    connected = DependencyGraph(history.program).connected(names_in(failed.sql) | {failed.object})
    return [
        s
        for s in history.statements
        if s.status == "ok"
        and s.end_ns <= failed.end_ns
        and (names_in(s.sql) | {s.object}) & connected
        and history.dialect.effect(s.sql).sort != "read"
    ]


def _context(history: ObservedHistory, failed: Statement, others: list[Statement]) -> tuple[Statement, ...]:
    """What a person needs to see: the failed statement, the others, and what succeeded before in the sessions of all of them."""
    sessions = {failed.session, *(other.session for other in others)}
    before = [
        s for s in history.statements if s.end_ns <= failed.end_ns and s.status == "ok" and s.session in {*sessions, "main"}
    ]
    chosen = {id(s): s for s in (*before, *others, failed)}
    return tuple(sorted(chosen.values(), key=lambda s: s.start_ns))
