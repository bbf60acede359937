"""`racehound baseline`: makes a baseline file of the findings of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("baseline")
@click.argument("path", metavar="RUN_DIR|FINDING")
def command(path: str) -> None:
    """Print the findings of RUN_DIR as a baseline file: `racehound baseline RUN_DIR > known.toml`."""
    from racehound.data.finding import finding_directories, print_baseline, read_finding

    click.echo(print_baseline(read_finding(directory)[0] for directory in finding_directories(Path(path))), nl=False)
