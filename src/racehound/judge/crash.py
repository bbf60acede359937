"""Crashes: lost connections that racehound did not end itself, and what the server's log says about its own processes."""

from __future__ import annotations

from racehound.data.finding import Finding, normalise
from racehound.data.history import SERVER_GONE, Disturbed, Fault, LogLine, Statement
from racehound.databases.dialect import Dialect
from racehound.judge.oracle import ObservedHistory

BACKGROUND = "background process: "
"""How the signature of an internal error begins that no client was told of."""


def judge_crashes(history: ObservedHistory) -> list[Finding]:
    """A finding for each death of a server process that the log tells of; one for lost connections where the log tells of no
    death; one for each internal error in a server process that serves no client."""
    lines = [event.text for event in history.events if isinstance(event, LogLine)]
    deaths = {line: death for line in lines if (death := _death_in(line, history.dialect)) and not _killed_by_us(history, line)}
    lost = [s for s in history.statements if s.status == "lost" and not _ended_by_us(history, s)]
    found = [_death(history, line, deaths[line], lost) for line in lines if line in deaths]
    if lost and not deaths:
        found.append(_loss(history, lost[0]))
    internal = ((line, history.dialect.internal_error_in(line)) for line in lines if line not in deaths)
    return found + [_background(history, line, message) for line, message in internal if message]


def _death_in(line: str, dialect: Dialect) -> str:
    """What a line says about the death of a server process, or of a server that did not come back; "" for other lines."""
    return line if line.startswith(SERVER_GONE.format(dialect.name)) else dialect.death_in(line)


def _death(history: ObservedHistory, line: str, message: str, lost: list[Statement]) -> Finding:
    return history.finding(
        "crash", "crash", normalise(message), message, detail=(line,), statements=tuple(history.statements) if lost else (),
    )  # fmt: skip


def _loss(history: ObservedHistory, statement: Statement) -> Finding:
    return history.finding(
        "crash", "crash", f"connection lost: {normalise(statement.message)}",
        f"the connection of {statement.session} was lost: {statement.message}",
        detail=(f"statement: {statement.sql}",), statements=tuple(history.statements),
    )  # fmt: skip


def _background(history: ObservedHistory, line: str, message: str) -> Finding:
    return history.finding(
        "crash", "known weakness", f"{BACKGROUND}{normalise(message)}", f"a background process of the server: {message}",
        detail=(line,),
    )  # fmt: skip


def _killed_by_us(history: ObservedHistory, line: str) -> bool:
    pid = history.dialect.killed_pid(line)
    return bool(pid) and history.injected_faults.killed(pid)


def _ended_by_us(history: ObservedHistory, statement: Statement) -> bool:
    """Whether a perturbation, or the watchdog, ended the session of a lost statement."""
    return history.injected_faults.cover(statement) or any(
        isinstance(event, Fault) and not isinstance(event, Disturbed) and f"(pid {statement.pid})" in event.text
        for event in history.events
    )
