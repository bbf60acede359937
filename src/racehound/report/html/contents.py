"""What the page shows, gathered from a run directory as plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from racehound.data.finding import finding_directories
from racehound.data.history import Statement
from racehound.data.run_directory import read_run
from racehound.databases.dialect import Dialect
from racehound.errors import UserError
from racehound.kinds.kind import Kind
from racehound.report.drawers import BECAME, Became, became
from racehound.report.html.findings import ShownFinding, shown_finding
from racehound.report.html.matrix import ShownMatrix, shown_matrix
from racehound.report.rates import Clock, Course
from racehound.report.recorded import Repetition, history_paths, repetitions
from racehound.report.server_log import fill
from racehound.report.statistics import Row, Statistics
from racehound.report.timeline import Timeline, timeline

_ERRORS_LIMIT = 5
"""Messages that are shown of one row of the statistics, the most frequent."""


class ShownRow(msgspec.Struct):
    """A row of the statistics with its most frequent errors."""

    kind: str
    step: str
    tries: int
    succeeded: int
    drawers: list[int]
    errors: list[tuple[int, str]]


class Contents(msgspec.Struct):
    title: str
    verdict: str
    facts: list[tuple[str, str]]
    settings: list[tuple[str, str]]
    commands: list[tuple[str, str]]
    drawers: Sequence[str]
    totals: list[int]
    """Statements, by drawer."""
    findings: list[ShownFinding]
    statistics: list[ShownRow]
    course: Course
    matrix: ShownMatrix | None
    plans: list[Timeline]
    """Whole plans that were asked for."""


def gather(run: Path, spoken: Dialect, catalogue: Sequence[type[Kind]], plans: Sequence[int] = ()) -> Contents:
    """Everything the page shows of the run directory. `plans`: numbers of those whose whole timeline is wanted.

    UserError when it is no run directory, or has no plan of that number.
    """
    facts = read_run(run)
    findings = [shown_finding(directory, run, facts, spoken) for directory in finding_directories(run)]
    read = _Reading(spoken, plans)
    for repetition in repetitions(run):
        read.add(repetition)
    timelines = [*(f.timeline for f in findings if f.timeline), *read.timelines()]
    fill([each.span for each in timelines], run / "server.log", facts.get("clock_zero_unix_s", 0.0))
    summary = _summary(run)
    course = read.clock.course()
    return Contents(
        title=f"{spoken.title} {facts.get('server_release') or ''}".strip(),
        verdict=_verdict(findings, summary),
        facts=_facts(run, facts, summary, read, spoken),
        settings=[_setting(key, value) for key, value in facts.get("options", {}).items() if key != "seed"],
        commands=_commands(run, facts),
        drawers=BECAME,
        totals=[sum(bucket.drawers[at] for bucket in course.buckets) for at in range(len(BECAME))],
        findings=findings,
        statistics=[_shown(row) for row in read.statistics.rows(catalogue)],
        course=course,
        matrix=shown_matrix(run),
        plans=read.timelines(),
    )


class _Reading:
    """One pass over the histories."""

    def __init__(self, spoken: Dialect, plans: Sequence[int]) -> None:
        self.statistics = Statistics()
        self.clock = Clock()
        self.plans = 0
        self.repetitions = 0
        self.first_ns = 0
        self._dialect = spoken
        self._wanted: dict[int, list[tuple[Repetition, list[tuple[Statement, Became]]]]] = {plan: [] for plan in plans}
        self._drawn: list[Timeline] | None = None

    def add(self, repetition: Repetition) -> None:
        pairs = became(repetition, self._dialect)
        self.plans = repetition.plan
        self.repetitions += repetition.ended is not None
        self.first_ns = self.first_ns or (pairs[0][0].start_ns if pairs else 0)
        self.statistics.add(repetition, pairs)
        self.clock.add(repetition, pairs)
        if pairs and repetition.plan in self._wanted:
            self._wanted[repetition.plan].append((repetition, pairs))

    def timelines(self) -> list[Timeline]:
        """Those of whole plans."""
        if self._drawn is None:
            self._drawn = [self._timeline(plan) for plan in self._wanted]
        return self._drawn

    def _timeline(self, plan: int) -> Timeline:
        wanted = self._wanted[plan]
        if not wanted:
            raise UserError(f"--plan {plan}: the run has no plan of that number with statements; it has {self.plans}")
        return timeline(f"Plan {plan}, seed {wanted[0][0].program.seed}: {wanted[0][0].program.title}", wanted)


def _summary(run: Path) -> dict[str, Any]:
    """summary.json; empty where the run did not come to its end."""
    try:
        return msgspec.json.decode((run / "summary.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise UserError(f"{run / 'summary.json'}: {error}") from error


def _verdict(findings: Sequence[ShownFinding], summary: dict[str, Any]) -> str:
    weak = sum(f.severity == "known weakness" for f in findings)
    parts = [_count(len(findings) - weak, "finding"), *([_count(weak, "known weakness", "known weaknesses")] if weak else [])]
    ended = "no summary: the run goes on, or was killed" if not summary else "interrupted" if summary.get("interrupted") else ""
    return ", ".join(filter(None, [*parts, ended]))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def _facts(path: Path, run: dict[str, Any], summary: dict[str, Any], read: _Reading, spoken: Dialect) -> list[tuple[str, str]]:
    seconds = summary.get("seconds")
    began = dt.datetime.fromtimestamp(run.get("clock_zero_unix_s", 0) + read.first_ns / 1e9, dt.UTC)
    facts = {
        "target": f"{spoken.title} {run.get('server_release') or ''}".strip(),
        "address": run.get("url"),
        "racehound": run.get("racehound"),
        "run": run.get("run_id"),
        "began": f"{began:%Y-%m-%d %H:%M:%S} UTC" if read.first_ns else None,
        "runtime": f"{seconds:,.1f} s" if seconds is not None else None,
        "seed": run.get("options", {}).get("seed"),
        "scripts": ", ".join(run["scripts"]) if run.get("scripts") else None,
        "programs": f"{len(history_paths(path)):,}",
        "schedules" if run.get("scripts") else "repetitions": f"{read.repetitions:,}",
        "interleavings": f"{summary['interleavings']:,}" if "interleavings" in summary else None,
        "silenced": f"{summary['silenced']:,} meetings with findings of the baseline" if summary.get("silenced") else None,
    }
    return [(name, str(value)) for name, value in facts.items() if value is not None]


def _commands(run: Path, facts: dict[str, Any]) -> list[tuple[str, str]]:
    options = facts.get("options", {})
    seed = options.get("seed")
    if seed is None or "scenario" not in options:
        return []
    replay = ("Run every finding's program again", f"racehound replay {run}")
    words = [f"racehound print {facts['target']} --seed {seed}"]
    words += [f"--{key.replace('_', '-')} {options[key]}" for key in ("scenario", "num_objects") if options.get(key)]
    words += [f"--kinds {','.join(options['kinds'])}"] if options.get("kinds") else []
    return [replay, ("Show the first program", " ".join(words))]


def _setting(name: str, value: object) -> tuple[str, str]:
    """In words: `runtime_s` is in seconds."""
    if name.endswith("_s") and isinstance(value, (int, float)):
        return name.removesuffix("_s").replace("_", " "), f"{value:g} s"
    plain = (", ".join(map(str, value)) or "all") if isinstance(value, list) else "–" if value is None else str(value)
    return name.replace("_", " "), plain


def _shown(row: Row) -> ShownRow:
    errors = [(count, text) for text, count in row.errors.most_common(_ERRORS_LIMIT)]
    return ShownRow(row.kind, row.step, row.tries, row.succeeded, row.drawers, errors)
