"""`racehound explore`: a user's own sessions, interleaving by interleaving."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import default_target, option, seed_or_random, statement_limit, target_option
from racehound.cli.target_options import choice, require_stepping, stepping_options

if TYPE_CHECKING:
    from racehound.data.run_directory import RunDirectory
    from racehound.loops.explore import Exploration, OutcomeGroup
    from racehound.report.exploration import Kind
    from racehound.run.session_script import Scripts
    from racehound.run.strategies import ExploreOptions

_SCHEDULES = 1000
_AGAIN = ("setup", "teardown", "check", "release")
"""Options that the command to run a schedule again needs, too."""


@click.command("explore")
@click.argument("files", nargs=-1, required=True, metavar="SCRIPTS…")
@option("--setup", metavar="FILE", help="Run before each schedule.")
@option("--teardown", metavar="FILE", help="Run after each schedule; what it leaves in the database is dropped.")
@option("--check", metavar="FILE", help="Run at the end of each schedule: what it does not find as it says is a wrong result.")
@option("--strategy", type=click.Choice(["all", "random", "pct"]), help="Which interleavings.",
        show_default="all if there are no more than --schedules, else random")  # fmt: skip
@option("--schedules", type=click.IntRange(1), metavar="N", help="Run so many at most.", show_default=str(_SCHEDULES))
@option("--depth", type=click.IntRange(1, 10), default=3, help="Depth of the bugs that --strategy pct looks for.")
@option("--seed", type=click.IntRange(0, 2**63 - 1), help="Draw with this seed.", show_default="random")
@option("--replay", metavar="SCHEDULE", help="Run this schedule only, e.g. '1 2 1 2' (--schedules times).", show_default=False)
@option("--servers", type=click.IntRange(1, 64), default=2, help="Embedded servers at most that work at the same time.")
@target_option
@stepping_options
@statement_limit
@option("--out", metavar="DIR", help="The run directory.", show_default="racehound-runs/TIME-explore-SEED")
def command(*, files: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 click's values
    """Explore the interleavings of two or more session SCRIPTS (.td or .sql): each has a session, one statement is let go at a
    time, all oracles judge after each schedule.

    Exit code 0: nothing worse than an expected error, 1: findings, 2: bad input, 130: interrupted.
    """
    from racehound.data.finding import Baseline
    from racehound.data.run_directory import RunDirectory
    from racehound.loops.recorded_run import read_scripts, record_exploration

    require_stepping(options["target"], "racehound explore")
    lone = (Path(options[name]) if options[name] else None for name in ("setup", "check", "teardown"))
    scripts = read_scripts([Path(file) for file in files], *lone)
    asked = _asked(scripts, options)
    place = choice(options["target"], options)
    directory = RunDirectory(Path(options["out"] or f"racehound-runs/{time.strftime('%Y%m%d-%H%M%S')}-explore-{asked.seed}"))
    try:
        exploration = record_exploration(place, scripts, asked, directory, Baseline(), _tell, options["servers"])
    finally:
        directory.discard_unused()
    _report(exploration, scripts, _again(files, options), directory)
    if exploration.interrupted:
        return 130
    return 1 if any(met.outcome not in ("fine", "fail") for met in exploration.classes) else 0


def _asked(scripts: Scripts, options: Mapping[str, Any]) -> ExploreOptions:
    from racehound.data.schedule import parse_schedule
    from racehound.run.session_script import lengths
    from racehound.run.strategies import ExploreOptions, strategy_of

    only = parse_schedule(options["replay"], lengths(scripts.sessions)) if options["replay"] else None
    asked = ExploreOptions(
        seed=seed_or_random(options["seed"]),
        schedules=options["schedules"] or (1 if only else _SCHEDULES),
        strategy=None if only else options["strategy"],
        depth=options["depth"],
        statement_limit_s=options["statement_limit"],
        only=only,
    )
    strategy_of(scripts, asked)
    return asked


def _tell(line: str) -> None:
    click.echo(f"--- {line}")


def _report(exploration: Exploration, scripts: Scripts, again: str, directory: RunDirectory) -> None:
    from racehound.report.exploration import exploration_text

    facts = (
        f"{'interrupted after ' if exploration.interrupted else ''}{exploration.seconds:.1f} s: {exploration.schedules:,} "
        f"schedules of {exploration.interleavings:,} interleavings ({exploration.strategy}), "
        f"{exploration.different:,} different, {exploration.rate:.0f} per second"
    )
    names = [Path(script.file).name for script in scripts.sessions]
    click.echo(exploration_text(facts, [_kind(met) for met in exploration.classes], names, again))
    for finding in exploration.findings:
        click.echo(f"\n*** {finding.severity}, met {finding.count} times: {finding.title}")
        click.echo(f"    {directory.findings / finding.id}")
    click.echo(f"\n{len(exploration.findings)} findings; everything is in {directory.path}")


def _kind(met: OutcomeGroup) -> Kind:
    from racehound.data.schedule import print_schedule
    from racehound.report.exploration import Kind, Line

    lines = tuple(
        Line(move.session, move.sql, move.outcome, move.passed, move.behind, move.released_by, move.unlike)
        for move in met.first.moves
    )
    return Kind(met.outcome, met.reasons, met.count, print_schedule(met.first.schedule), lines)


def _again(files: tuple[str, ...], options: Mapping[str, Any]) -> str:
    words = ["racehound", "explore", *files]
    if options["target"] != default_target():
        words += ["--target", options["target"]]
    for name in _AGAIN:
        if options[name]:
            words += [f"--{name}", options[name]]
    return shlex.join([*words, *(["--url", "…"] if options["url"] else [])])
