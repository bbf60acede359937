"""Crashes: server processes that ended by their own fault, as the server's log tells, or as racehound found out when connections
were lost (`outage.py`)."""

from __future__ import annotations

from racehound.data.finding import Finding, normalise
from racehound.data.history import SERVER_GONE, LogLine, Outage
from racehound.databases.dialect import Dialect
from racehound.judge.oracle import ObservedHistory
from racehound.judge.outage import lost_from_outside

BACKGROUND = "background process: "
"""How the signature of an internal error begins that no client was told of."""


def judge_crashes(history: ObservedHistory) -> list[Finding]:
    """A finding for each death of a server process that the log tells of; where it tells of none, one for each outage that was a
    crash; one for each internal error in a server process that serves no client.

    A process that was ended from outside has not crashed.
    """
    lines = [event.text for event in history.events if isinstance(event, LogLine)]
    deaths = {line: death for line in lines if (death := _death_in(line, history.dialect)) and not _killed_by_us(history, line)}
    lost = bool(lost_from_outside(history.events, history.injected_faults))
    found = [_death(history, line, deaths[line], lost=lost) for line in lines if line in deaths]
    if not deaths:
        crashes = (event for event in history.events if isinstance(event, Outage) and event.verdict == "server crashed")
        found += [_crash(history, event) for event in crashes]
    internal = ((line, history.dialect.internal_error_in(line)) for line in lines if line not in deaths)
    return found + [_background(history, line, message) for line, message in internal if message]


def _death_in(line: str, dialect: Dialect) -> str:
    """What a line says about the death of a server process, or of a server that did not come back; "" for other lines."""
    if line.startswith(SERVER_GONE.format(dialect.name)):
        return line
    return "" if dialect.ended_from_outside(line) else dialect.death_in(line)


def _death(history: ObservedHistory, line: str, message: str, *, lost: bool) -> Finding:
    return history.finding(
        "crash", "crash", normalise(message), message, detail=(line,), statements=tuple(history.statements) if lost else (),
    )  # fmt: skip


def _crash(history: ObservedHistory, outage: Outage) -> Finding:
    flying = tuple(f"in flight: {statement}" for statement in outage.in_flight)
    return history.finding(
        "crash", "crash", f"connection lost: {normalise(outage.why)}", outage.why,
        detail=(*outage.evidence, *flying), statements=tuple(history.statements),
    )  # fmt: skip


def _background(history: ObservedHistory, line: str, message: str) -> Finding:
    return history.finding(
        "crash", "known weakness", f"{BACKGROUND}{normalise(message)}", f"a background process of the server: {message}",
        detail=(line,),
    )  # fmt: skip


def _killed_by_us(history: ObservedHistory, line: str) -> bool:
    pid = history.dialect.killed_pid(line)
    return bool(pid) and history.injected_faults.killed(pid)
