"""`racehound clean`: removes what killed runs have left."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import click

from racehound.cli.options import option
from racehound.cli.target_options import clean_options


@click.command("clean")
@option("--url", metavar="URL", help="Clean this server, too: what it holds under the ids of runs that are over.")
@option("--target", metavar="NAME", help="The database at --url.", show_default="what answers there, else the default one")
@clean_options
@option("--run", "run_id", metavar="ID", show_default=False,
        help="Remove what this run left at --url, though nobody knows whether it is over.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(*, dry_run: bool, **options: Any) -> None:  # noqa: ANN401 click's values
    """Remove exactly what killed runs have left: scratch directories, compositions, and with --url what bears their ids."""
    from racehound.services import daemon_client, scratch

    verb = "would remove" if dry_run else "removed"
    removed = 0
    for leftover in scratch.leftovers():
        if not dry_run:
            scratch.remove(leftover.path)
        click.echo(f"{verb} {leftover.path} of run {leftover.run_id}")
        removed += 1
    for name in daemon_client.names():
        if not daemon_client.is_up(name):
            if not dry_run:
                daemon_client.forget(name)
            click.echo(f"{verb} what the daemon of composition {name} left")
            removed += 1
    removed += _clean_docker(verb, dry_run=dry_run)
    if options["url"]:
        removed += _clean_server(options, verb, dry_run=dry_run)
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


def _clean_server(options: Mapping[str, Any], verb: str, *, dry_run: bool) -> int:
    from racehound.databases.registry import database, recognised
    from racehound.wire.session import LibpqSession

    if options["target"]:
        chosen = database(options["target"])
    else:
        with contextlib.closing(LibpqSession.connect(options["url"])) as session:
            chosen = recognised(session)
    removed = 0
    for name in chosen.clean(options["url"], options, dry_run=dry_run):
        click.echo(f"{verb} {name}")
        removed += 1
    return removed
