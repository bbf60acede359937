"""`racehound clean`: what killed runs have left."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import option
from racehound.cli.target_options import given_services, service_options

if TYPE_CHECKING:
    from racehound.databases.materialize.surroundings import Surroundings
    from racehound.wire.session import LibpqSession


@click.command("clean")
@option("--url", metavar="URL", help="Clean this server, too: what it holds under the ids of runs that are over.")
@option("--materialize-internal-url", metavar="URL", help="Its internal SQL port, if it is a Materialize.", show_default="6877")
@service_options
@option(
    "--run", "run_id", metavar="ID", help="Remove what this run left in a Materialize, though nobody knows whether it is over."
)
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
    from racehound.wire.session import LibpqSession

    session = LibpqSession.connect(options["url"])
    with contextlib.closing(session):
        if session.execute("SELECT mz_version()").ok:
            return _clean_materialize(options, verb, dry_run=dry_run)
        return _clean_postgres(session, options["url"], verb, dry_run=dry_run)


def _clean_postgres(session: LibpqSession, url: str, verb: str, *, dry_run: bool) -> int:
    from psycopg.conninfo import make_conninfo

    from racehound.databases.postgres.leftovers import dead_runs, remove_run
    from racehound.errors import TargetError
    from racehound.wire.session import LibpqSession

    def connect(database: str) -> LibpqSession:
        return LibpqSession.connect(make_conninfo(url, dbname=database))

    runs = dead_runs(session)
    for run_id, left in runs.items():
        failures = [] if dry_run else remove_run(session, run_id, connect)
        if failures:
            raise TargetError(f"run {run_id} could not be removed: {failures[0]}")
        for name in left:
            click.echo(f"{verb} {name}")
    return len(runs)


def _clean_materialize(options: Mapping[str, Any], verb: str, *, dry_run: bool) -> int:
    """Runs that are on are passed over without a word, those of which that cannot be known are named."""
    from racehound.databases.materialize.leftovers import remove, runs
    from racehound.databases.materialize.place import Addresses
    from racehound.databases.materialize.session import MaterializeSession
    from racehound.errors import TargetError

    address = Addresses.given(options["url"], options["materialize_internal_url"]).internal
    removed = 0
    with contextlib.closing(MaterializeSession.connect(address, "racehound clean")) as operator:
        for left in runs(operator):
            if left.is_ours and not left.is_dead:
                continue
            if not left.is_dead and left.run_id != options["run_id"]:
                click.echo(
                    f"left alone {', '.join(left.names)}: whether the run is over cannot be known; --run {left.run_id} removes it"
                )
                continue
            failures = [] if dry_run else remove(operator, left, _services_of(options))
            if failures:
                raise TargetError(f"run {left.run_id} could not be removed: {failures[0]}")
            for name in left.names:
                click.echo(f"{verb} {name}")
            removed += 1
    return removed


def _services_of(options: Mapping[str, Any]) -> Surroundings:
    """The services whose addresses were given, else those of the composition, as far as they are there."""
    from racehound.cli.addresses import composition
    from racehound.databases.materialize.surroundings import Surroundings, of_variables

    given = given_services(options)
    running = composition(options["composition"]) if given is None else None
    return given or (of_variables(running.variables) if running else Surroundings())
