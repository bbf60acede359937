"""Hangs: statements that ran beyond their limit, with who waited for whom."""

from __future__ import annotations

from racehound.data.finding import Finding, normalise
from racehound.data.history import Overdue, in_flight
from racehound.judge.oracle import ObservedHistory
from racehound.judge.shapes import shape

_MEANING = {
    "deadlock": "a cycle of waits that the server never broke",
    "held": "it waits for a session that is not the program's",
    "running": "it waits for no lock and does not end",
    "unknown": "nothing else goes on, and the server does not tell whom it waits for",
}


def judge_hangs(history: ObservedHistory) -> list[Finding]:
    """A finding per statement beyond its limit. Undecided ones wait for a session of the program and are not reported."""
    return [_finding(history, event) for event in history.events if isinstance(event, Overdue) and event.verdict in _MEANING]


def _finding(history: ObservedHistory, event: Overdue) -> Finding:
    around = in_flight(history.events, event.start_ns, event.start_ns + int(event.limit_s * 1e9))
    return history.finding(
        "hang", "hang", f"{event.verdict}: {normalise(shape(event.sql))}",
        f"{shape(event.sql)} did not end within {event.limit_s:g} s: {_MEANING[event.verdict]}",
        detail=(f"statement: {event.sql}", *event.waits), statements=tuple(around),
    )  # fmt: skip
