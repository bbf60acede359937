"""The public Python API: what the command line does, as functions. All names here are also names of `racehound` itself.

    import racehound

    run = racehound.hunt(kinds=["Table", "View"], runtime=30)
    for finding in run.findings:
        rate = racehound.replay(run.directory / "findings" / finding.id)
        print(finding.severity, finding.title, rate.reproduced, "of", rate.tried)

Times are in seconds. Bad input raises `UserError`; a server that cannot be used raises `TargetError`; both are `RacehoundError`.
The names that `racehound.__all__` lists follow semantic versioning. Everything else may change with any version.

These parameters mean the same in all functions:

- `target`: the name of a database, as `racehound targets` lists them; None: the default one.
- `release`: start a server of this release. `url`: use the server at this address. At most one of them is given.
- `options`: options of the database, by the names of its command-line options with `_` for `-`: `{"upsert_records": 1000}`.
- `kinds`: names of kinds; empty: all. `kinds_from`: files and directories with further kinds.
- `statement_limit`: a statement that runs longer is judged as a hang.
- `reconnect`: how long to try to come back to a server that was lost.
- `seed`: a whole number from 0; None: a new one.
- `baseline`: a file that names known findings, which are then left out.
- `out`: the run directory; None: a new one in `racehound-runs`.
- `tell`: is called with each line that a person would read on the console.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from racehound.data.finding import Baseline, Finding, Reproduction, Store, finding_directories, read_baseline, read_finding
from racehound.data.matrix import Matrix
from racehound.data.plan import SEED_LIMIT, ScenarioName, seed_or_random
from racehound.data.run_directory import RunDirectory, read_run
from racehound.data.schedule import parse_schedule
from racehound.databases.catalogue import nonempty_catalogue
from racehound.databases.database import Choice, Database
from racehound.databases.registry import database, default_name, opened
from racehound.databases.target import Reset
from racehound.errors import UserError
from racehound.loops.explore import Exploration
from racehound.loops.hunt import HuntOptions, Summary
from racehound.loops.recorded_run import pace, read_scripts, record_exploration, record_hunt
from racehound.report.progress import FindingReporter
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.session_script import lengths
from racehound.run.strategies import ExploreOptions, Strategy, strategy_of

SCHEDULES = 1000
"""How many schedules an exploration runs at most where nothing else is asked for."""


def _say_nothing(_line: str) -> None:
    """For callers that read no lines."""


@dataclasses.dataclass(frozen=True)
class HuntRun:
    """The result of a hunt."""

    findings: tuple[Finding, ...]
    """Worst first."""
    seed: int
    directory: Path
    """The run directory, with all evidence."""
    summary: Summary


@dataclasses.dataclass(frozen=True)
class ExploreRun:
    """The result of an exploration."""

    findings: tuple[Finding, ...]
    """Worst first."""
    seed: int
    directory: Path
    """The run directory, with all evidence."""
    exploration: Exploration


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
    reconnect: float = 30.0,
    baseline: str | Path | None = None,
    out: str | Path | None = None,
    tell: Callable[[str], object] = _say_nothing,
) -> HuntRun:
    """Hunt as `racehound run` does, whose options the parameters are. Ctrl-C ends a hunt as if its time were up.

    `repetitions` of each plan: None for as many as suit the database. `reduce`: how long findings are reduced at the end.
    """
    _check("scenario", scenario, get_args(ScenarioName))
    _check("reset", reset, get_args(Reset))
    _check_names(kinds=kinds, kinds_from=kinds_from, perturb=perturb)
    _check_numbers(1, num_objects=num_objects, tries=tries, repetitions=repetitions, max_findings=max_findings)
    _check_numbers(0, runtime=runtime, reduce=reduce, statement_limit=statement_limit)
    choice = _choice(target, release, url, options, reconnect, kinds, kinds_from)
    chosen = database(choice.name)
    repetitions, plan_limit_s = pace(chosen, repetitions)
    asked = HuntOptions(
        seed=_seed(seed),
        runtime_s=runtime,
        repetitions=repetitions,
        plan_limit_s=plan_limit_s,
        scenario=scenario,
        num_objects=num_objects,
        tries=tries,
        reset=reset,
        statement_limit_s=statement_limit,
        kinds=tuple(kinds),
        max_findings=max_findings,
        perturb=PerturbationSet(chosen.perturbations()).named(perturb),
    )
    known = _baseline(baseline)
    directory = _directory(out, f"{asked.seed}")
    try:
        summary = record_hunt(choice, asked, perturb, directory, known, FindingReporter(tell), tell, reduce_s=reduce)
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
    schedules: int | None = None,
    strategy: Strategy | None = None,
    depth: int = 3,
    schedule: str | None = None,
    servers: int = 2,
    seed: int | None = None,
    statement_limit: float = 10.0,
    reconnect: float = 30.0,
    baseline: str | Path | None = None,
    out: str | Path | None = None,
    tell: Callable[[str], object] = _say_nothing,
) -> ExploreRun:
    """Explore the interleavings of session scripts (`.td` or `.sql`) as `racehound explore` does. Ctrl-C ends it early.

    `schedule`: run only this one, e.g. `1 2 1 2`, once or as often as `schedules` says. `depth`: for the strategy `pct`.
    """
    if strategy is not None:
        _check("strategy", strategy, get_args(Strategy))
    choice = _choice(target, release, url, options, reconnect)
    _require_stepping(choice.name, "explore")
    lone = (Path(each) if each else None for each in (setup, check, teardown))
    scripts = read_scripts([Path(each) for each in sessions], *lone)
    only = parse_schedule(schedule, lengths(scripts.sessions)) if schedule else None
    asked = ExploreOptions(
        seed=_seed(seed),
        schedules=schedules or (1 if only else SCHEDULES),
        strategy=None if only else strategy,
        depth=depth,
        statement_limit_s=statement_limit,
        only=only,
    )
    strategy_of(scripts, asked)
    known = _baseline(baseline)
    directory = _directory(out, f"explore-{asked.seed}")
    try:
        exploration = record_exploration(choice, scripts, asked, directory, known, tell, servers)
    finally:
        directory.discard_unused()
    return ExploreRun(tuple(exploration.findings), asked.seed, directory.path, exploration)


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
    reconnect: float = 30.0,
    out: str | Path | None = None,
) -> Matrix:
    """Try operations of a database's kinds against each other as `racehound matrix` does. Ctrl-C ends it early.

    `operations`: patterns of their names, e.g. `Schema.*`; empty: one of each sort, or with `every` all.
    """
    from racehound.loops.matrix.run import MatrixOptions, MatrixRun
    from racehound.report.sessions import write_sessions

    choice = _choice(target, release, url, options, reconnect, kinds, kinds_from)
    _require_stepping(choice.name, "matrix")
    nonempty_catalogue(database(choice.name), choice.kinds_from)
    asked = MatrixOptions(tuple(kinds), tuple(operations), every or bool(operations), runtime, servers, statement_limit)
    directory = _directory(out, f"matrix-{release or 'own'}")
    store = Store(directory.findings, Baseline(), write_sessions)
    try:
        return MatrixRun(choice, asked, directory, store, lambda *_: None).run()
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
    reconnect: float = 30.0,
) -> Reproduction:
    """Run the program of a finding again, or what it was reduced to, and count how often it shows the finding.

    `finding`: its directory, `RUN/findings/ID`. `storm`: run the program of the hunt even if the finding was reduced.
    Without `release` and `url` the server has the release that the run had.
    """
    from racehound.loops.reduction import replay_scene
    from racehound.loops.replay import replay as replay_program

    path = Path(finding)
    read_finding(path)
    run = read_run(path.parent.parent)
    known = None if release or url else run.get("release")
    choice = _choice(run["target"], release or known, url, options, reconnect)
    with opened(choice, path.parent.parent / "replay-server.log") as server:
        rate = None if storm else replay_scene(path, server, repetitions, statement_limit)
        if rate is None:
            _, rate = replay_program(path, server, repetitions, statement_limit, storm=storm)
    return rate.reproduction


def findings(run: str | Path) -> list[Finding]:
    """The findings of a run directory, worst first."""
    return [read_finding(directory)[0] for directory in finding_directories(Path(run))]


def _choice(
    target: str | None,
    release: str | None,
    url: str | None,
    options: Mapping[str, Any] | None,
    reconnect: float,
    kinds: Sequence[str] = (),
    kinds_from: Sequence[str | Path] = (),
) -> Choice:
    _check_numbers(0, reconnect=reconnect)
    chosen = database(target or default_name())
    values = _option_values(chosen, options or {})
    own = chosen.read_options({**values, "kinds": tuple(kinds)})
    return Choice(chosen.name, release, url, own, tuple(map(Path, kinds_from)), reconnect)


def _option_values(chosen: Database, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all options of a database, checked and converted as the command line does; defaults where none is given."""
    known = {str(each.name): each for each in chosen.options()}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UserError(f"{chosen.title} has no option {unknown[0]!r}; there are: {', '.join(known) or 'none'}")
    context = click.Context(click.Command(chosen.name))
    try:
        return {
            name: each.process_value(context, given[name] if name in given else each.to_info_dict()["default"])
            for name, each in known.items()
        }
    except click.ClickException as error:
        raise UserError(f"options: {error.format_message()}") from error


def _require_stepping(name: str, function: str) -> None:
    if not database(name).can_step:
        raise UserError(f"{database(name).title} cannot be run in lock-step, which {function} needs")


def _seed(seed: int | None) -> int:
    _check_numbers(0, seed=seed)
    if seed is not None and seed >= SEED_LIMIT:
        raise UserError(f"seed: {seed} is not in the range 0 to {SEED_LIMIT - 1}")
    return seed_or_random(seed)


def _check_names(**given: object) -> None:
    """UserError for one text where there must be a sequence of them: its characters would be taken for names."""
    for name, value in given.items():
        if isinstance(value, str):
            raise UserError(f"{name}: {value!r} is one text; give a list of them")


def _check_numbers(least: int, **given: object) -> None:
    """UserError for what is no number, or less than it may be."""
    for name, value in given.items():
        if value is not None and not (isinstance(value, int | float) and value >= least):
            raise UserError(f"{name}: {value!r} is no number from {least} on")


def _check(parameter: str, value: str, possible: Sequence[str]) -> None:
    if value not in possible:
        raise UserError(f"{parameter}: there is no {value!r}; there are: {', '.join(possible)}")


def _baseline(path: str | Path | None) -> Baseline:
    return read_baseline(Path(path)) if path else Baseline()


def _directory(out: str | Path | None, name: str) -> RunDirectory:
    return RunDirectory(Path(out or f"racehound-runs/{time.strftime('%Y%m%d-%H%M%S')}-{name}"))
