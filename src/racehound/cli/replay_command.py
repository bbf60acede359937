"""`racehound replay`: how often a finding shows again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from racehound.cli.options import option, statement_limit
from racehound.cli.target_options import choice, target_options
from racehound.cli.termination import ending_early, tell


@click.command("replay")
@click.argument("path", metavar="RUN_DIR|FINDING")
@option("--repetitions", type=click.IntRange(1), default=100, help="How often to run each finding's program.")
@option("--storm", is_flag=True, help="The original program in a storm, also of what was found in lock-step or reduced to turns.")
@target_options
@statement_limit
def command(
    *,
    path: str,
    repetitions: int,
    storm: bool,
    statement_limit: float,
    **options: Any,  # noqa: ANN401 click's values
) -> int:
    """Run the program of each finding of RUN_DIR (or of one FINDING, its directory) again and say how often it was met.

    What `racehound reduce` has made of it is run in its place. What was found in lock-step is run in its schedule.

    Exit code 1 when a finding was met again, 0 when none was, 2 when it ended early and none had been.
    """
    from racehound.data.finding import finding_directories, read_finding
    from racehound.data.run_directory import read_run
    from racehound.databases.registry import opened
    from racehound.loops.reduction import replay_scene
    from racehound.loops.replay import replay

    directories = finding_directories(Path(path))
    if not directories:
        click.echo("no findings", err=True)
        return 0
    run_directory = directories[0].parent.parent
    run = read_run(run_directory)
    chosen = choice(run["target"], options, run.get("release"))
    met = 0
    with opened(chosen, run_directory / "replay-server.log", tell) as server, ending_early(chosen, run_directory) as early:
        click.echo(f"--- {chosen.name} {server.target.release}, {repetitions} repetitions each")
        for directory in directories:
            rate = None if storm else replay_scene(directory, server, repetitions, statement_limit)
            finding, _ = read_finding(directory)
            how = " in lock-step" if rate or (finding.schedule and not storm) else ""
            if rate is None:
                _, rate = replay(directory, server, repetitions, statement_limit, storm=storm)
            low, high = rate.interval
            click.echo(
                f"{finding.id}  {finding.severity:17} {rate.reproduction.reproduced} of {repetitions} repetitions{how} "
                f"({low:.0%}–{high:.0%}){f', first in number {rate.first}' if rate.first else ''}: {finding.title}"
            )
            met += bool(rate.reproduction.reproduced)
    return 1 if met else 2 * early.ended
