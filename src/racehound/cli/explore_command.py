"""`racehound explore`: runs the interleavings of session scripts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import default_target, option, statement_limit, target_option
from racehound.cli.target_options import own_options, require_stepping, stepping_options
from racehound.data.plan import SEED_LIMIT

if TYPE_CHECKING:
    from racehound.loops.explore import Exploration, OutcomeGroup
    from racehound.report.exploration import ShownGroup

_SAME_AS_API = (
    "setup", "teardown", "check", "strategy", "schedules", "depth", "seed", "servers", "release", "url", "statement_limit", "out",
)  # fmt: skip
"""Options that are also parameters of `api.explore`."""
_ALSO_FOR_REPLAY = ("setup", "teardown", "check", "release")
"""Options that the command that runs one schedule again needs, too."""


@click.command("explore")
@click.argument("files", nargs=-1, required=True, metavar="SCRIPTS…")
@option("--setup", metavar="FILE", help="Run before each schedule.")
@option("--teardown", metavar="FILE", help="Run after each schedule; what it leaves in the database is dropped.")
@option("--check", metavar="FILE", help="Run at the end of each schedule. An .sql check must return no row.")
@option("--strategy", type=click.Choice(["all", "random", "pct"]), help="Which interleavings.",
        show_default="all if there are no more than --schedules, else random")  # fmt: skip
@option("--schedules", type=click.IntRange(1), metavar="N", help="Run so many at most.", show_default="1000")
@option("--depth", type=click.IntRange(1, 10), default=3, help="Depth of the bugs that --strategy pct looks for.")
@option("--seed", type=click.IntRange(0, SEED_LIMIT - 1), help="Draw with this seed.", show_default="random")
@option("--replay", metavar="SCHEDULE", help="Run this schedule only, e.g. '1 2 1 2' (--schedules times).", show_default=False)
@option("--servers", type=click.IntRange(1, 64), default=2, help="Embedded servers at most that work at the same time.")
@target_option
@stepping_options
@statement_limit
@option("--out", metavar="DIR", help="The run directory.", show_default="racehound-runs/TIME-explore-SEED")
def command(*, files: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 click's values
    """Explore the interleavings of two or more session SCRIPTS (.td or .sql): each has a session, one statement is let go at a
    time, all oracles judge after each schedule.

    Exit code 0: nothing worse than an expected error or what needs no race, 1: findings, 2: bad input, 130: interrupted.
    """
    from racehound import api
    from racehound.loops.explore import HARMLESS

    require_stepping(options["target"], "racehound explore")
    explored = api.explore(
        *files,
        target=options["target"],
        options=own_options(options["target"], options),
        schedule=options["replay"],
        tell=lambda line: click.echo(f"--- {line}"),
        **{name: options[name] for name in _SAME_AS_API},
    )
    exploration = explored.exploration
    _print(exploration, files, _command_line(files, options), explored.directory)
    if exploration.interrupted:
        return 130
    return 1 if any(group.outcome not in HARMLESS for group in exploration.classes) else 0


def _print(exploration: Exploration, files: Sequence[str], command_line: str, directory: Path) -> None:
    from racehound.report.exploration import exploration_finding, exploration_text

    facts = (
        f"{'interrupted after ' if exploration.interrupted else ''}{exploration.seconds:.1f} s: {exploration.schedules:,} "
        f"schedules of {exploration.interleavings:,} interleavings ({exploration.strategy}), "
        f"{exploration.different:,} different, {exploration.rate:.0f} per second"
    )
    names = [Path(file).name for file in files]
    click.echo(exploration_text(facts, [_shown(group) for group in exploration.classes], names, command_line))
    apart = [finding for finding in exploration.findings if finding.needs_no_race]
    for finding in exploration.findings:
        click.echo("\n" + "\n".join(exploration_finding(finding)))
        click.echo(f"    {directory / 'findings' / finding.id}")
    told = f" and {len(apart)} that need no race" if apart else ""
    click.echo(f"\n{len(exploration.findings) - len(apart)} findings{told}; everything is in {directory}")


def _shown(group: OutcomeGroup) -> ShownGroup:
    from racehound.data.schedule import print_schedule
    from racehound.report.exploration import ShownGroup, ShownTurn

    turns = tuple(
        ShownTurn(move.session, move.sql, move.outcome, move.passed, move.behind, move.released_by, move.unlike)
        for move in group.first.moves
    )
    return ShownGroup(group.outcome, group.reasons, group.count, print_schedule(group.first.schedule), turns)


def _command_line(files: Sequence[str], options: Mapping[str, Any]) -> str:
    """The command that runs one schedule again, without the schedule."""
    words = ["racehound", "explore", *files]
    if options["target"] != default_target():
        words += ["--target", options["target"]]
    for name in _ALSO_FOR_REPLAY:
        if options[name]:
            words += [f"--{name}", options[name]]
    return shlex.join([*words, *(["--url", "…"] if options["url"] else [])])
