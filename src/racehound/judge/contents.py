"""Contents: statements that succeeded with other rows than those that must hold at any moment."""

from __future__ import annotations

from racehound.data.finding import Finding, normalise
from racehound.data.history import Mismatch
from racehound.data.object_names import names_in
from racehound.data.program import RECREATE
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import Observed


def judge_contents(observed: Observed) -> list[Finding]:
    """A finding per mismatch. The kinds promise that their expectations hold whatever others do."""
    mismatches = [event for event in observed.events if isinstance(event, Mismatch)]
    if mismatches and observed.excuses:
        mismatches = [event for event in mismatches if not _excused(observed, event)]
    return [_finding(observed, event) for event in mismatches]


def _excused(observed: Observed, event: Mismatch) -> bool:
    """Whether a perturbation stopped the making of what it is about, or emptied that."""
    about = DependencyGraph(observed.program).ancestors(names_in(event.sql) | {event.object})
    return bool(_half_made(observed) & about) or _emptied(observed, event, about)


def _half_made(observed: Observed) -> frozenset[str]:
    """Objects in whose making a session was interrupted, outside a transaction, and that it did not try to make again."""
    making = {
        (session.name, number)
        for session in observed.program.sessions
        for number, step in enumerate(session.steps)
        if step.window == "none" and (step.phase == "create" or step.manipulation == RECREATE)
    }
    steps = [s for s in observed.statements if (s.session, s.step) in making]
    last = {(s.session, s.step): s.attempt for s in steps}
    interrupted = (s for s in steps if s.status != "ok" and observed.excuses.cover(s))
    return frozenset(s.object for s in interrupted if s.attempt == last[s.session, s.step])


def _emptied(observed: Observed, event: Mismatch, about: frozenset[str]) -> bool:
    """Whether it is about an unlogged relation, and the server was ended before: its recovery empties those (CREATE TABLE)."""
    ended_ns = observed.excuses.server_ended_ns
    if ended_ns is None or event.end_ns < ended_ns:
        return False
    return any("UNLOGGED" in s.sql and names_in(s.sql) & about for s in observed.statements)


def _finding(observed: Observed, event: Mismatch) -> Finding:
    before = [s for s in observed.statements if s.start_ns <= event.end_ns]
    told = concerning(before, DependencyGraph(observed.program), names_in(event.sql) | {event.object})
    return observed.finding(
        "contents", "wrong result", f"{normalise(' '.join(event.sql.split()))}: {normalise(event.difference)}",
        f"{event.object}: other rows than must hold after {event.phase}: {' '.join(event.sql.split())}",
        detail=tuple(event.difference.splitlines()), statements=told,
    )  # fmt: skip
