"""`racehound replay`: is it real, and how often does it show?"""

from __future__ import annotations

from pathlib import Path

import click

from racehound.cli.options import option, server_options, statement_limit


@click.command("replay")
@click.argument("path", metavar="RUN_DIR|FINDING")
@option("--repetitions", type=click.IntRange(1), default=100, help="How often to run each finding's program.")
@server_options
@statement_limit
def command(*, path: str, repetitions: int, release: str | None, url: str | None, statement_limit: float) -> int:
    """Run the program of each finding of RUN_DIR (or of one FINDING, its directory) again and say how often it was met.

    Exit code 1 when a finding was met again, 0 when none was.
    """
    from racehound.evidence import read_run
    from racehound.finding import finding_directories
    from racehound.replay import replay
    from racehound.targets.registry import Choice, opened

    directories = finding_directories(Path(path))
    if not directories:
        click.echo("no findings", err=True)
        return 0
    run_directory = directories[0].parent.parent
    asked = read_run(run_directory)
    choice = Choice(asked["target"], release or (None if url else asked["release"]), url)
    met = 0
    with opened(choice, run_directory / "replay-server.log") as place:
        click.echo(f"--- {choice.name} {place.target.release}, {repetitions} repetitions each")
        for directory in directories:
            finding, rate = replay(directory, place, repetitions, statement_limit)
            low, high = rate.interval
            click.echo(
                f"{finding.id}  {finding.severity:17} {rate.reproduction.reproduced} of {repetitions} repetitions "
                f"({low:.0%}–{high:.0%}){f', first in number {rate.first}' if rate.first else ''}: {finding.title}"
            )
            met += bool(rate.reproduction.reproduced)
    return 1 if met else 0
