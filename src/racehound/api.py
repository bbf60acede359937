"""The public Python API: what the command line does, as functions. Everything here is also a name of `racehound` itself.

    import racehound

    run = racehound.hunt(kinds=["Table", "View"], runtime=30)
    for finding in run.findings:
        print(finding.severity, finding.title, racehound.replay(run.directory / "findings" / finding.id))

Times are in seconds. Bad input raises `UserError`; a server that cannot be used raises `TargetError`; both are `RacehoundError`.
Names that are listed in `racehound.__all__` follow semantic versioning; everything else may change with any version.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from racehound.data.finding import Baseline, Finding, Store, finding_directories, read_baseline, read_finding
from racehound.data.matrix import Matrix
from racehound.data.plan import SEED_LIMIT, ScenarioName
from racehound.data.run_directory import RunDirectory, read_run
from racehound.data.schedule import parse_schedule
from racehound.databases.database import Choice
from racehound.databases.registry import database, default_name, opened
from racehound.databases.target import Reset
from racehound.errors import UserError
from racehound.loops.explore import Exploration
from racehound.loops.hunt import HuntOptions, Summary
from racehound.loops.recorded_run import read_scripts, record_exploration, record_hunt, reduce_findings
from racehound.run.strategies import ExploreOptions, Strategy

Tell = Callable[[str], object]


def _say_nothing(_line: str) -> None:
    """Nobody listens."""


@dataclasses.dataclass(frozen=True)
class HuntRun:
    """A hunt that is over."""

    findings: tuple[Finding, ...]
    """Worst first; those that the baseline names are left out."""
    seed: int
    directory: Path
    """The run directory, with all evidence."""
    summary: Summary


@dataclasses.dataclass(frozen=True)
class ExploreRun:
    """An exploration that is over."""

    findings: tuple[Finding, ...]
    seed: int
    directory: Path
    exploration: Exploration


@dataclasses.dataclass(frozen=True)
class Rate:
    """How often a finding showed again."""

    tried: int
    reproduced: int


def hunt(
    target: str | None = None,
    *,
    release: str | None = None,
    url: str | None = None,
    options: Mapping[str, Any] | None = None,
    kinds: Sequence[str] = (),
    kinds_from: Sequence[str | Path] = (),
    runtime: float = 60.0,
    seed: int | None = None,
    scenario: ScenarioName = "concurrent",
    num_objects: int = 5,
    tries: int = 100,
    repetitions: int | None = None,
    max_findings: int | None = None,
    perturb: Sequence[str] = ("default",),
    reset: Reset = "objects",
    reduce: float = 0.0,
    statement_limit: float = 10.0,
    baseline: str | Path | None = None,
    out: str | Path | None = None,
    tell: Tell = _say_nothing,
) -> HuntRun:
    """Hunt as `racehound run` does; the parameters are its options.

    `target`: a database, by default the default one. `options`: those of the database, by parameter name, e.g.
    `{"upsert_records": 1000}`. `reduce`: seconds for making findings smaller. `out`: the run directory, by default a new one
    under `racehound-runs`. `tell` hears what a person is told on the way. Ctrl-C ends the hunt as if its time were up.
    """
    from racehound.loops.reduce.search import say_nothing
    from racehound.report.progress import Silent
    from racehound.run.perturbations.registry import PerturbationSet

    chosen = _choice(target, release, url, options, kinds_from)
    dialect = database(chosen.name).dialect
    asked = HuntOptions(
        seed=_seed(seed),
        runtime_s=runtime,
        repetitions=repetitions or dialect.repetitions,
        plan_limit_s=None if repetitions else dialect.plan_limit_s,
        scenario=scenario,
        num_objects=num_objects,
        tries=tries,
        reset=reset,
        statement_limit_s=statement_limit,
        kinds=tuple(kinds),
        max_findings=max_findings,
        perturb=PerturbationSet(database(chosen.name).perturbations()).named(perturb),
    )
    directory = _directory(out, f"{asked.seed}")

    def after(summary: Summary, place: Any) -> None:  # noqa: ANN401 see recorded_run.After
        if reduce and not summary.interrupted:
            reduce_findings(summary, place, directory, reduce, statement_limit, say_nothing, tell)

    try:
        summary = record_hunt(chosen, asked, perturb, directory, _baseline(baseline), Silent(), tell, after)
    finally:
        directory.discard_unused()
    return HuntRun(tuple(summary.findings), asked.seed, directory.path, summary)


def explore(
    *sessions: str | Path,
    target: str | None = None,
    release: str | None = None,
    url: str | None = None,
    options: Mapping[str, Any] | None = None,
    setup: str | Path | None = None,
    check: str | Path | None = None,
    teardown: str | Path | None = None,
    schedules: int = 1000,
    strategy: Strategy | None = None,
    depth: int = 3,
    schedule: str | None = None,
    servers: int = 2,
    seed: int | None = None,
    statement_limit: float = 10.0,
    baseline: str | Path | None = None,
    out: str | Path | None = None,
    tell: Tell = _say_nothing,
) -> ExploreRun:
    """Explore the interleavings of session scripts as `racehound explore` does. `schedule`: run only this one, e.g. `1 2 1 2`."""
    from racehound.run.session_script import lengths
    from racehound.run.strategies import strategy_of

    chosen = _choice(target, release, url, options)
    if not database(chosen.name).can_step:
        raise UserError(f"explore: {database(chosen.name).title} cannot be run in lock-step, and that needs it")
    lone = (Path(each) if each else None for each in (setup, check, teardown))
    scripts = read_scripts([Path(each) for each in sessions], *lone)
    only = parse_schedule(schedule, lengths(scripts.sessions)) if schedule else None
    asked = ExploreOptions(_seed(seed), schedules, None if only else strategy, depth, statement_limit, only)
    strategy_of(scripts, asked)
    directory = _directory(out, f"explore-{asked.seed}")
    try:
        found = record_exploration(chosen, scripts, asked, directory, _baseline(baseline), tell, servers)
    finally:
        directory.discard_unused()
    return ExploreRun(tuple(found.findings), asked.seed, directory.path, found)


def matrix(
    target: str | None = None,
    *,
    release: str | None = None,
    url: str | None = None,
    options: Mapping[str, Any] | None = None,
    kinds: Sequence[str] = (),
    kinds_from: Sequence[str | Path] = (),
    operations: Sequence[str] = (),
    every: bool = False,
    runtime: float = float("inf"),
    servers: int = 2,
    statement_limit: float = 10.0,
    out: str | Path | None = None,
) -> Matrix:
    """Try every operation of a catalogue against every other as `racehound matrix` does; `operations`: patterns of names."""
    from racehound.loops.matrix.run import MatrixOptions, MatrixRun
    from racehound.report.sessions import write_sessions

    chosen = _choice(target, release, url, options, kinds_from)
    asked = MatrixOptions(tuple(kinds), tuple(operations), every or bool(operations), runtime, servers, statement_limit)
    directory = _directory(out, f"matrix-{release or 'own'}")
    store = Store(directory.findings, Baseline(), write_sessions)
    try:
        return MatrixRun(chosen, asked, directory, store, lambda *_: None).run()
    finally:
        directory.discard_unused()


def replay(
    finding: str | Path,
    *,
    repetitions: int = 100,
    release: str | None = None,
    url: str | None = None,
    options: Mapping[str, Any] | None = None,
    storm: bool = False,
    statement_limit: float = 10.0,
) -> Rate:
    """Run the program of a finding (its directory, `RUN/findings/ID`) again, or what it was reduced to; how often it shows.

    `storm`: run the hunt's own program, even if it was reduced. Without `release` and `url` the run's own release is used.
    """
    from racehound.loops.reduction import replay_scene
    from racehound.loops.replay import replay as replay_program

    path = Path(finding)
    run = read_run(path.parent.parent)
    known = None if release or url else run.get("release")
    chosen = _choice(run["target"], release or known, url, options)
    with opened(chosen, path.parent.parent / "replay-server.log") as place:
        rate = None if storm else replay_scene(path, place, repetitions, statement_limit)
        if rate is None:
            _, rate = replay_program(path, place, repetitions, statement_limit)
    return Rate(rate.reproduction.tried, rate.reproduction.reproduced)


def findings(run: str | Path) -> list[Finding]:
    """The findings of a run directory, worst first."""
    return [read_finding(directory)[0] for directory in finding_directories(Path(run))]


def _choice(
    target: str | None,
    release: str | None,
    url: str | None,
    options: Mapping[str, Any] | None,
    kinds_from: Sequence[str | Path] = (),
) -> Choice:
    name = target or default_name()
    chosen = database(name)
    known = {str(each.name): each.default for each in chosen.options()}
    unknown = [given for given in options or {} if given not in known]
    if unknown:
        raise UserError(f"{chosen.title} has no option {unknown[0]!r}; there are: {', '.join(known) or 'none'}")
    del kinds_from
    return Choice(name, release, url, chosen.read_options(known | dict(options or {})))


def _seed(seed: int | None) -> int:
    import random

    return random.SystemRandom().randrange(SEED_LIMIT) if seed is None else seed


def _baseline(path: str | Path | None) -> Baseline:
    return read_baseline(Path(path)) if path else Baseline()


def _directory(out: str | Path | None, name: str) -> RunDirectory:
    return RunDirectory(Path(out or f"racehound-runs/{time.strftime('%Y%m%d-%H%M%S')}-{name}"))
