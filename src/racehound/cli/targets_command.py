"""`racehound targets`: lists the databases that can be tested."""

from __future__ import annotations

import click


@click.command("targets")
def command() -> None:
    """List the databases that can be tested."""
    from racehound.databases.registry import databases

    for database in databases().values():
        click.echo(f"{database.name}: {database.summary} ({len(database.kinds()) or 'no'} kinds)")
