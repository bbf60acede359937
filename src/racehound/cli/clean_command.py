"""`racehound clean`: what killed runs have left."""

from __future__ import annotations

import click

from racehound.cli.options import option


@click.command("clean")
@option("--url", metavar="URL", help="Clean this server, too: databases, roles, tablespaces and slots of runs that are over.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(url: str | None, *, dry_run: bool) -> None:
    """Remove exactly what killed runs have left: scratch directories, compositions, and with --url what bears their ids."""
    from racehound.services import kept, scratch

    verb = "would remove" if dry_run else "removed"
    removed = 0
    for leftover in scratch.leftovers():
        if not dry_run:
            scratch.remove(leftover.path)
        click.echo(f"{verb} {leftover.path} of run {leftover.run_id}")
        removed += 1
    for name in kept.names():
        if not kept.is_up(name):
            if not dry_run:
                kept.forget(name)
            click.echo(f"{verb} what the keeper of composition {name} left")
            removed += 1
    removed += _clean_docker(verb, dry_run=dry_run)
    if url:
        removed += _clean_server(url, verb, dry_run=dry_run)
    if not removed:
        click.echo("nothing was left")


def _clean_docker(verb: str, *, dry_run: bool) -> int:
    from racehound.services.backends.docker_leftovers import leftovers, remove

    found = leftovers()
    for leftover in found:
        if not dry_run:
            remove(leftover)
        click.echo(f"{verb} the containers of composition {leftover.composition} ({leftover.project})")
    return len(found)


def _clean_server(url: str, verb: str, *, dry_run: bool) -> int:
    from racehound.errors import TargetError
    from racehound.targets.postgres.leftovers import dead_runs, remove_run
    from racehound.targets.postgres.session import PostgresSession

    session = PostgresSession.connect(url)
    runs = dead_runs(session)
    for run_id, left in runs.items():
        failures = [] if dry_run else remove_run(session, run_id)
        if failures:
            raise TargetError(f"run {run_id} could not be removed: {failures[0]}")
        for name in left:
            click.echo(f"{verb} {name}")
    session.close()
    return len(runs)
