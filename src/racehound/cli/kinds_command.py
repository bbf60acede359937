"""`racehound kinds`: the catalogue."""

from __future__ import annotations

import click

from racehound.cli.options import target_argument


@click.command("kinds")
@target_argument
def command(target: str) -> None:
    """List the kinds of TARGET: what a seed draws for each, and its manipulations."""
    from racehound.databases.registry import database, require_kinds

    require_kinds(target)
    for kind in database(target).kinds():
        flags = [] if kind.can_be_referenced else ["cannot be referred to"]
        flags += [] if kind.enabled else ["only when named by --kinds"]
        summary = (kind.__doc__ or "").strip().split("\n")[0]
        click.echo(f"{kind.__name__}: {summary}" + (f" ({', '.join(flags)})" if flags else ""))
        for name, values in kind.attributes().items():
            click.echo(f"    {name}: {', '.join(map(str, values))}")
        click.echo(f"    manipulations: {', '.join(kind.all_manipulations())}")
