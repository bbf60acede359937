"""Contents: statements that succeeded with rows that differ from those that must be there at any moment."""

from __future__ import annotations

import re

from racehound.data.finding import Finding, normalise
from racehound.data.history import Mismatch
from racehound.data.object_names import names_in
from racehound.data.program import RECREATE
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import ObservedHistory

_NONE_EXPECTED = re.compile(r"^@@ -0,0 ", re.MULTILINE)
"""In a unified diff: there is nothing before the change. Which rows came back, and how many, makes no other defect."""
_ROW = re.compile(r"^\+(?!\+\+ )(.*)$", re.MULTILINE)
_ROW_LIMIT = 200
"""Characters of a row in a title."""


def judge_contents(history: ObservedHistory) -> list[Finding]:
    """A finding per mismatch. The kinds promise that their expectations hold whatever other sessions do."""
    mismatches = [event for event in history.events if isinstance(event, Mismatch)]
    if mismatches and history.injected_faults:
        mismatches = [event for event in mismatches if not _caused_by_fault(history, event)]
    return [_finding(history, event) for event in mismatches]


def _caused_by_fault(history: ObservedHistory, event: Mismatch) -> bool:
    """Whether a perturbation explains the mismatch: it interrupted a creation, or a recovery emptied an unlogged table."""
    about = DependencyGraph(history.program).ancestors(names_in(event.sql) | {event.object})
    return bool(_incomplete(history) & about) or _emptied(history, event, about)


def _incomplete(history: ObservedHistory) -> frozenset[str]:
    """Objects whose creation was interrupted outside a transaction, and was not tried again."""
    creating = {
        (session.name, number)
        for session in history.program.sessions
        for number, step in enumerate(session.steps)
        if step.window == "none" and (step.phase == "create" or step.manipulation == RECREATE)
    }
    steps = [s for s in history.statements if (s.session, s.step) in creating]
    last = {(s.session, s.step): s.attempt for s in steps}
    interrupted = (s for s in steps if s.status != "ok" and history.injected_faults.cover(s))
    return frozenset(s.object for s in interrupted if s.attempt == last[s.session, s.step])


def _emptied(history: ObservedHistory, event: Mismatch, about: frozenset[str]) -> bool:
    """Whether the mismatch is about an unlogged relation and the server was ended before: its recovery empties those."""
    ended_ns = history.injected_faults.server_ended_ns
    if ended_ns is None or event.end_ns < ended_ns:
        return False
    return any("UNLOGGED" in s.sql and names_in(s.sql) & about for s in history.statements)


def _first_row(difference: str) -> str:
    """The first row that came back and must not; "" where rows are only missing, or no rows were compared."""
    row = _ROW.search(difference)
    return f"got {row[1][:_ROW_LIMIT] or 'an empty row'}" if row else ""


def _finding(history: ObservedHistory, event: Mismatch) -> Finding:
    before = [s for s in history.statements if s.start_ns <= event.end_ns]
    concerned = concerning(before, DependencyGraph(history.program), names_in(event.sql) | {event.object}, history.dialect.effect)
    sql, row = " ".join(event.sql.split()), _first_row(event.difference)
    wrong = "rows where there must be none" if _NONE_EXPECTED.search(event.difference) else normalise(event.difference)
    return history.finding(
        "contents", "wrong result", f"{normalise(sql)}: {wrong}",
        f"{event.object}: other rows than must hold after {event.phase}: {sql}{f': {row}' if row else ''}",
        detail=tuple(event.difference.splitlines()), statements=concerned,
    )  # fmt: skip
