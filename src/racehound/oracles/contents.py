"""Contents: statements that succeeded with other rows than those that must hold at any moment."""

from __future__ import annotations

from racehound.finding import Finding, normalise
from racehound.history import Mismatch
from racehound.oracles.oracle import Observed
from racehound.oracles.touches import Web, concerning, names_in


def judge_contents(observed: Observed) -> list[Finding]:
    """A finding per mismatch. The kinds promise that their expectations hold whatever others do."""
    return [_finding(observed, event) for event in observed.events if isinstance(event, Mismatch)]


def _finding(observed: Observed, event: Mismatch) -> Finding:
    before = [s for s in observed.statements if s.start_ns <= event.end_ns]
    told = concerning(before, Web(observed.program), names_in(event.sql) | {event.object})
    return observed.finding(
        "contents", "wrong result", f"{normalise(' '.join(event.sql.split()))}: {normalise(event.difference)}",
        f"{event.object}: other rows than must hold after {event.phase}: {' '.join(event.sql.split())}",
        detail=tuple(event.difference.splitlines()), statements=told,
    )  # fmt: skip
