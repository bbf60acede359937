"""Errors: findings for internal and for unexplained errors (`classification.py`).

An internal error of a statement whose objects nobody changed meanwhile is a finding of its own severity. While somebody changed
them it is a known weakness, kept with the statements that may have caused it (`culprits.py`): upstream tolerates many of those
(see docs/reading-findings.md). One that lasts is a corruption: run again at rest, the statement fails in the same way, and in a
serial order it succeeds (`loops/at_rest.py`).
"""

from __future__ import annotations

import msgspec

from racehound.data.finding import CULPRITS_LIMIT, Finding, SerialOrders, normalise
from racehound.data.history import Retried, SerialOutcome, Statement
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
    internal = [*classes.of_class("internal"), *filter(lambda each: _lasts(history, each), classes.overtaken_checks)]
    found = [_internal(history, statement, classes.concurrent_writes(statement)) for statement in internal]
    return found + [_unexplained(history, statement) for statement in classes.of_class("unexplained")]


def _lasts(history: ObservedHistory, statement: Statement) -> bool:
    """Whether it fails in the same way at rest, and no serial order is known to show that."""
    retried = history.retries.get(id(statement))
    return retried is not None and retried.verdict == "lasting" and retried.serial != "fails the same way"


def _internal(history: ObservedHistory, statement: Statement, others: list[WriteInterval]) -> Finding:
    retried = history.retries.get(id(statement))
    signature, title = _signature(statement), f"{statement.sqlstate} {statement.message}"
    detail = (f"{FAILED}{statement.sql}", *numbered_objects(history, statement), *_at_rest(retried))
    if history.dialect.shows_corruption(statement, bool(others)):
        found = history.finding(
            "errors", "corruption", signature, title,
            detail=detail, statements=_context(history, statement, history.statements),
            culprits=culprits_of(history, statement, others),
        )  # fmt: skip
    elif retried is not None and retried.serial in ("succeeds", "undecided"):
        # Something stays broken. That a race has broken it is only certain where a serial order of the same statements does not.
        found = history.finding(
            "errors", "corruption" if retried.serial == "succeeds" and not retried.only_its_session else "internal error",
            f"{signature} at rest", f"{title}, and it still fails so when everybody rests",
            detail=detail,
            statements=_context(history, statement, _suspected(history, statement, others) or _earlier(history, statement)),
            culprits=culprits_of(history, statement, others),
        )  # fmt: skip
    elif not others:
        found = history.finding(
            "errors", "internal error", f"{signature}{UNDISTURBED}", f"{title}, while nobody changed {statement.object}",
            detail=detail, statements=_context(history, statement, _earlier(history, statement)),
            culprits=culprits_of(history, statement, history.classification.earlier_writes(statement), certain_texts=True),
        )  # fmt: skip
    else:
        found = history.finding(
            "errors", "known weakness", signature, title,
            detail=detail, statements=_context(history, statement, _suspected(history, statement, others)),
            culprits=culprits_of(history, statement, others),
        )  # fmt: skip
    orders = _ORDERS[retried.serial] if retried else "not tried"
    return msgspec.structs.replace(found, at_rest=retried.verdict if retried else "", serial_orders=orders)


def _at_rest(retried: Retried | None) -> tuple[str, ...]:
    """What became of a statement that was run again at rest, and in serial orders, a line each."""
    if retried is None:
        return ()
    error = f"{retried.sqlstate} {retried.message}".strip()
    because = f": {retried.reason}" if retried.reason else ""
    if retried.verdict == "lasting":
        serially = _SERIALLY[retried.serial]
        where = "only in its own session, not in a new one" if retried.only_its_session else ""
        return (f"run again at rest {retried.way}, it fails the same way: {error}", *filter(None, (where, serially)))
    if retried.verdict == "not retried":
        return (f"not run again at rest{because}",)
    return (f"passing{because}" if because else f"run again at rest {retried.way}: {error or 'it succeeds'}",)


_SERIALLY: dict[SerialOutcome, str] = {
    "": "",
    "succeeds": "it succeeds where the same statements run one after the other in a new database",
    "fails the same way": "it fails so where the same statements run one after the other in a new database, too: no race needed",
    "undecided": "where the same statements run one after the other in a new database, it neither succeeds nor fails so",
}
_ORDERS: dict[SerialOutcome, SerialOrders] = {
    "": "not tried", "succeeds": "clean", "fails the same way": "show it", "undecided": "not tried",
}  # fmt: skip


def _signature(statement: Statement) -> str:
    return f"{statement.sqlstate} {normalise(statement.message)} [{statement.source.rpartition(' ')[2] or 'source unknown'}]"


def _suspected(history: ObservedHistory, failed: Statement, others: list[WriteInterval]) -> list[Statement]:
    """The statements that a person looks at first; all others that ran, where none of them can have caused the error."""
    likely = suspects(history, failed, others)[:CULPRITS_LIMIT]
    return [write.statement for write, _ in likely] or [write.statement for write in others]


def _unexplained(history: ObservedHistory, statement: Statement) -> Finding:
    retried = history.retries.get(id(statement))
    found = history.finding(
        "errors", "unexplained error",
        f"{statement.sqlstate} {normalise(statement.message)} from {shape(statement.sql)}",
        f"{statement.sqlstate} {statement.message}, and nothing that others did explains it",
        detail=(f"{FAILED}{statement.sql}", *_at_rest(retried)),
        statements=_context(history, statement, _earlier(history, statement)),
    )  # fmt: skip
    return msgspec.structs.replace(found, at_rest=retried.verdict if retried else "")


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
