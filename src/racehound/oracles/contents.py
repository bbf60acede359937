"""Contents: statements that succeeded with other rows than those that must hold at any moment."""

from __future__ import annotations

from racehound.finding import Finding, normalise
from racehound.history import Mismatch
from racehound.oracles.oracle import Observed
from racehound.oracles.touches import Web, concerning, names_in


def judge_contents(observed: Observed) -> list[Finding]:
    """A finding per mismatch. The kinds promise that their expectations hold whatever others do."""
    mismatches = [event for event in observed.events if isinstance(event, Mismatch)]
    return [_finding(observed, event) for event in mismatches if not _emptied(observed, event)]


def _emptied(observed: Observed, event: Mismatch) -> bool:
    """Whether it is about an unlogged relation, and the server was ended before: its recovery empties those (CREATE TABLE)."""
    ended_ns = observed.excuses.server_ended_ns
    if ended_ns is None or event.end_ns < ended_ns:
        return False
    about = Web(observed.program).grounds(names_in(event.sql) | {event.object})
    return any("UNLOGGED" in s.sql and names_in(s.sql) & about for s in observed.statements)


def _finding(observed: Observed, event: Mismatch) -> Finding:
    before = [s for s in observed.statements if s.start_ns <= event.end_ns]
    told = concerning(before, Web(observed.program), names_in(event.sql) | {event.object})
    return observed.finding(
        "contents", "wrong result", f"{normalise(' '.join(event.sql.split()))}: {normalise(event.difference)}",
        f"{event.object}: other rows than must hold after {event.phase}: {' '.join(event.sql.split())}",
        detail=tuple(event.difference.splitlines()), statements=told,
    )  # fmt: skip
