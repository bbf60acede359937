"""Crashes: a connection that was lost though nobody ended it, and what the server's log says about its own processes."""

from __future__ import annotations

import re

from racehound.data.finding import Finding, normalise
from racehound.data.history import Disturbed, Fault, LogLine, Statement
from racehound.judge.oracle import Observed

_DEATH = re.compile(
    r"PANIC|TRAP: |was terminated by signal \d+(?:: [\w ]+)?|server process .* exited with exit code \d+"
    r"|thread '[^']*' (?:\(\d+\) )?panicked at|fatal runtime error|\b(?:process|service) .* (?:exited|crashed)\b"
)
_KILLED = re.compile(r"\(PID (?P<pid>\d+)\) was terminated by signal 9\b")
BACKGROUND = "background process: "
"""How the signature of an internal error begins that no client was told of."""
_INTERNAL = re.compile(r"\bXX\d{3}\b")


def judge_crashes(observed: Observed) -> list[Finding]:
    """A finding for every death that the log tells of; for a lost connection that no log explains; for internal errors in the
    server's own processes (autovacuum, workers), which no client is told."""
    lines = [event.text for event in observed.events if isinstance(event, LogLine)]
    deaths = [line for line in lines if _DEATH.search(line) and not _killed_by_us(observed, line)]
    lost = [s for s in observed.statements if s.status == "lost" and not _ended_by_us(observed, s)]
    found = [_death(observed, line, lost) for line in deaths]
    if lost and not deaths:
        found.append(_loss(observed, lost[0]))
    return found + [_background(observed, line) for line in lines if _INTERNAL.search(line) and line not in deaths]


def _death(observed: Observed, line: str, lost: list[Statement]) -> Finding:
    message = line[line.index(match.group()) :] if (match := _DEATH.search(line)) else line
    if match and "terminated by signal" in match.group():
        message = f"server process {match.group()}"
    return observed.finding(
        "crash", "crash", normalise(message), message, detail=(line,), statements=tuple(observed.statements) if lost else (),
    )  # fmt: skip


def _loss(observed: Observed, statement: Statement) -> Finding:
    return observed.finding(
        "crash", "crash", f"connection lost: {normalise(statement.message)}",
        f"the connection of {statement.session} was lost: {statement.message}",
        detail=(f"statement: {statement.sql}",), statements=tuple(observed.statements),
    )  # fmt: skip


def _background(observed: Observed, line: str) -> Finding:
    message = line.rpartition("ERROR:  ")[2] or line
    return observed.finding(
        "crash", "known weakness", f"{BACKGROUND}{normalise(message)}", f"a background process of the server: {message}",
        detail=(line,),
    )  # fmt: skip


def _killed_by_us(observed: Observed, line: str) -> bool:
    killed = _KILLED.search(line)
    return killed is not None and observed.excuses.killed(int(killed["pid"]))


def _ended_by_us(observed: Observed, statement: Statement) -> bool:
    """By a perturbation, or by the watchdog."""
    return observed.excuses.cover(statement) or any(
        isinstance(event, Fault) and not isinstance(event, Disturbed) and f"(pid {statement.pid})" in event.text
        for event in observed.events
    )
