"""What the page shows, gathered from a run directory as plain data."""

from __future__ import annotations

import datetime as dt
import shlex
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
from racehound.report.error_classes import STATEMENT_OUTCOMES, StatementOutcome, statement_outcomes
from racehound.report.html.findings import ShownFinding, shown_finding
from racehound.report.html.matrix import ShownMatrix, shown_matrix
from racehound.report.recorded import Repetition, history_paths, repetitions
from racehound.report.server_log import fill
from racehound.report.statistics import Row, Statistics
from racehound.report.throughput import Throughput, ThroughputCounter
from racehound.report.timeline import Timeline, timeline

_ERRORS_LIMIT = 5
"""Messages that are shown of one row of the statistics, the most frequent."""


class ShownRow(msgspec.Struct):
    """A row of the statistics with its most frequent errors."""

    kind: str
    step: str
    tries: int
    succeeded: int
    outcomes: list[int]
    errors: list[tuple[int, str]]


class Contents(msgspec.Struct):
    """All that the page shows."""

    title: str
    verdict: str
    facts: list[tuple[str, str]]
    settings: list[tuple[str, str]]
    commands: list[tuple[str, str]]
    outcomes: Sequence[str]
    totals: list[int]
    """Number of statements, by outcome."""
    findings: list[ShownFinding]
    statistics: list[ShownRow]
    throughput: Throughput
    matrix: ShownMatrix | None
    plans: list[Timeline]
    """The timelines of whole plans, if any were asked for."""


def gather(run: Path, dialect: Dialect, catalogue: Sequence[type[Kind]], plans: Sequence[int] = ()) -> Contents:
    """Everything that the page shows of a run directory. `plans`: numbers of the plans that are to be shown as a whole.

    UserError when it is no run directory, or has no plan of that number.
    """
    facts = read_run(run)
    findings = [shown_finding(directory, run, facts, dialect) for directory in finding_directories(run)]
    counted = _Counted(dialect, plans)
    for repetition in repetitions(run):
        counted.add(repetition)
    whole_plans = [counted.timeline(plan) for plan in plans]
    spans = [timeline.span for timeline in (*(finding.timeline for finding in findings), *whole_plans) if timeline]
    fill(spans, run / "server.log", facts.get("clock_zero_unix_s", 0.0), dialect.log_line)
    summary = _summary(run)
    throughput = counted.throughput.throughput
    return Contents(
        title=f"{dialect.title} {facts.get('server_release') or ''}".strip(),
        verdict=_verdict(findings, summary),
        facts=_facts(run, facts, summary, counted, dialect),
        settings=[_setting(key, value) for key, value in facts.get("options", {}).items() if key != "seed"],
        commands=_commands(run, facts),
        outcomes=STATEMENT_OUTCOMES,
        totals=[sum(bucket.outcomes[at] for bucket in throughput.buckets) for at in range(len(STATEMENT_OUTCOMES))],
        findings=findings,
        statistics=[_shown(row) for row in counted.statistics.rows(catalogue)],
        throughput=throughput,
        matrix=shown_matrix(run),
        plans=whole_plans,
    )


class _Counted:
    """What one pass over the histories gives."""

    def __init__(self, dialect: Dialect, plans: Sequence[int]) -> None:
        self.statistics = Statistics()
        self.throughput = ThroughputCounter()
        self.plans = 0
        self.repetitions = 0
        self.first_ns = 0
        self._dialect = dialect
        self._wanted: dict[int, list[tuple[Repetition, list[tuple[Statement, StatementOutcome]]]]] = {plan: [] for plan in plans}

    def add(self, repetition: Repetition) -> None:
        outcomes = statement_outcomes(repetition, self._dialect)
        self.plans = repetition.plan
        self.repetitions += repetition.ended is not None
        self.first_ns = self.first_ns or (outcomes[0][0].start_ns if outcomes else 0)
        self.statistics.add(repetition, outcomes)
        self.throughput.add(repetition, outcomes)
        if outcomes and repetition.plan in self._wanted:
            self._wanted[repetition.plan].append((repetition, outcomes))

    def timeline(self, plan: int) -> Timeline:
        """That of a whole plan. UserError where the run has no such plan."""
        wanted = self._wanted[plan]
        if not wanted:
            raise UserError(f"--plan {plan}: the run has no plan of that number with statements; it has {self.plans}")
        return timeline(f"Plan {plan}, seed {wanted[0][0].program.seed}: {wanted[0][0].program.title}", wanted)


def _summary(run: Path) -> dict[str, Any]:
    """The contents of summary.json; empty if the run has not ended."""
    try:
        return msgspec.json.decode((run / "summary.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise UserError(f"{run / 'summary.json'}: {error}") from error


def _verdict(findings: Sequence[ShownFinding], summary: dict[str, Any]) -> str:
    alone = sum(f.needs_no_race for f in findings)
    weak = sum(f.severity == "known weakness" and not f.needs_no_race for f in findings)
    parts = [_count(len(findings) - weak - alone, "finding")]
    parts += [_count(weak, "known weakness", "known weaknesses")] if weak else []
    parts += [f"{alone} that {'needs' if alone == 1 else 'need'} no race"] if alone else []
    ended = "no summary: the run goes on, or was killed" if not summary else "interrupted" if summary.get("interrupted") else ""
    return ", ".join(filter(None, [*parts, ended]))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def _facts(
    path: Path, run: dict[str, Any], summary: dict[str, Any], counted: _Counted, dialect: Dialect
) -> list[tuple[str, str]]:
    seconds = summary.get("seconds")
    began = dt.datetime.fromtimestamp(run.get("clock_zero_unix_s", 0) + counted.first_ns / 1e9, dt.UTC)
    facts = {
        "target": f"{dialect.title} {run.get('server_release') or ''}".strip(),
        "address": run.get("url"),
        "racehound": run.get("racehound"),
        "run": run.get("run_id"),
        "began": f"{began:%Y-%m-%d %H:%M:%S} UTC" if counted.first_ns else None,
        "runtime": f"{seconds:,.1f} s" if seconds is not None else None,
        "seed": run.get("options", {}).get("seed"),
        "scripts": ", ".join(run["scripts"]) if run.get("scripts") else None,
        "programs": f"{len(history_paths(path)):,}",
        "schedules" if run.get("scripts") else "repetitions": f"{counted.repetitions:,}",
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
    words += [f"--kinds-from {shlex.quote(path)}" for path in facts.get("kinds_from", ())]
    return [replay, ("Show the first program", " ".join(words))]


def _setting(name: str, value: object) -> tuple[str, str]:
    """An option of the run in words. Those whose names end in `_s` are seconds."""
    if name.endswith("_s"):
        return name.removesuffix("_s").replace("_", " "), f"{value:g} s" if isinstance(value, (int, float)) else "–"
    plain = (", ".join(map(str, value)) or "all") if isinstance(value, list) else "–" if value is None else str(value)
    return name.replace("_", " "), plain


def _shown(row: Row) -> ShownRow:
    errors = [(count, text) for text, count in row.errors.most_common(_ERRORS_LIMIT)]
    return ShownRow(row.kind, row.step, row.tries, row.succeeded, row.outcomes, errors)
