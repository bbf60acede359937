"""What the page shows of one finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from racehound.data.finding import SERIAL_ORDERS, Finding, Reproduction, read_finding
from racehound.data.history import error_classes, read_history
from racehound.data.program import Program, print_program
from racehound.data.rate import Rate
from racehound.data.reduction import read_reduction
from racehound.databases.dialect import Dialect
from racehound.report.error_classes import statement_outcomes
from racehound.report.recorded import Repetition
from racehound.report.reproduction_command import reproduction_command
from racehound.report.sessions import sessions_text
from racehound.report.summary import known_culprits
from racehound.report.timeline import Timeline, timeline

_KNOWN_FILES = {"finding.json", "program.json", "history.jsonl", "sessions.sql"}
_TEXTS = {".sql", ".td", ".spec", ".md", ".py", ".txt"}
_TEXT_LIMIT = 100_000
"""Characters of a file beside a finding that the page holds."""


class Smallest(msgspec.Struct):
    """What a finding was reduced to."""

    facts: str
    lines: list[tuple[int, str]]
    """Session (0: the setup) and statement, in the order in which they run."""
    program: str
    """The program, if the finding does not show in lock-step; else empty."""


class ShownFinding(msgspec.Struct):
    """A finding, with its rate in words, the command that reproduces it, and the files in its directory."""

    id: str
    severity: str
    oracle: str
    title: str
    signature: str
    count: int
    seed: str
    """As text: it may be too large for a number of a browser."""
    repetition: int
    rate: str
    first_met: str
    """Empty in runs of earlier versions."""
    serial_orders: str
    """In words: whether a race is needed."""
    needs_no_race: bool
    detail: tuple[str, ...]
    consequences: tuple[str, ...]
    culprits: list[tuple[str, str, str, int, int]]
    """Certainty, the statement that failed, the other one, how often both came with the error, and how often without it."""
    replay: str
    smallest: Smallest | None
    sessions: str
    """The statements of the finding, by session."""
    files: list[tuple[str, str]]
    """Name and text: reproductions, smaller programs, reports."""
    log: tuple[str, ...]
    """The lines of the server's log around it, for when the whole log is missing."""
    timeline: Timeline | None


def shown_finding(directory: Path, run: Path, facts: dict[str, Any], dialect: Dialect) -> ShownFinding:
    """Read a finding directory of a run. UserError when it holds none."""
    finding, program = read_finding(directory)
    return ShownFinding(
        id=finding.id,
        severity=finding.severity,
        oracle=finding.oracle,
        title=finding.title,
        signature=finding.signature,
        count=finding.count,
        seed=str(finding.seed),
        repetition=finding.repetition,
        rate=_rate(finding.reproduction),
        first_met=str(finding.first_met or ""),
        serial_orders=SERIAL_ORDERS[finding.serial_orders],
        needs_no_race=finding.needs_no_race,
        detail=finding.detail,
        consequences=finding.consequences,
        culprits=[(each.certainty, each.failed, each.other, each.count, each.apart) for each in known_culprits(finding)],
        replay=reproduction_command(run, finding, program, facts),
        smallest=_smallest(directory),
        sessions=sessions_text(finding),
        files=_files(directory),
        log=finding.log,
        timeline=_timeline(directory, finding, program, dialect),
    )


def _rate(measured: Reproduction | None) -> str:
    if measured is None:
        return ""
    low, high = Rate(measured, 0).interval
    return f"{measured.reproduced} of {measured.tried} repetitions ({low:.0%}–{high:.0%})"


def _smallest(directory: Path) -> Smallest | None:
    reduced = read_reduction(directory)
    if reduced is None:
        return None
    lines = [(line.session, line.sql) for line in reduced.scene.lines] if reduced.scene else []
    return Smallest(reduced.facts, lines, print_program(reduced.program) if reduced.program else "")


def _timeline(directory: Path, finding: Finding, program: Program, dialect: Dialect) -> Timeline | None:
    path = directory / "history.jsonl"
    events = list(read_history(path)) if path.is_file() else []
    repetition = Repetition(1, program, finding.repetition, events, error_classes(events))
    outcomes = statement_outcomes(repetition, dialect)
    if not outcomes:
        return None
    return timeline(f"Repetition {finding.repetition}, seed {finding.seed}: {program.title}", [(repetition, outcomes)], finding)


def _files(directory: Path) -> list[tuple[str, str]]:
    paths = [path for path in sorted(directory.rglob("*")) if path.suffix in _TEXTS and path.is_file()]
    return [
        (str(path.relative_to(directory)), path.read_text(encoding="utf-8", errors="replace")[:_TEXT_LIMIT])
        for path in paths
        if path.name not in _KNOWN_FILES
    ]
