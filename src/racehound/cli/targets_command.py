"""`racehound targets`: the databases that can be tested."""

from __future__ import annotations

import click


@click.command("targets")
def command() -> None:
    """List the databases that can be tested."""
    from racehound.databases.registry import dialects

    for dialect in dialects():
        click.echo(f"{dialect.name}: {dialect.summary} ({len(dialect.kinds)} kinds)")
