"""Which target: the options that say it, the same for every command that hunts in one, and the choice that they come to."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from racehound.cli import addresses
from racehound.cli.options import option, server_options, together
from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.databases.materialize.opening import Options
    from racehound.databases.materialize.surroundings import Surroundings
    from racehound.databases.registry import Choice


def _database_url(_ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """`SCHEME://[USER@]HOST[:PORT]`, of the scheme that the option's hint shows."""
    if value is not None:
        scheme = (parameter.metavar or "").partition("://")[0]
        parts = urllib.parse.urlsplit(value)
        if parts.scheme not in {scheme, f"{scheme}ql"} or not parts.hostname:
            raise click.BadParameter(f"{value!r} is not a URL: write {parameter.metavar}")
    return value


service_options = together(
    addresses.composition_option,
    addresses.kafka_option,
    addresses.registry_option,
    option("--postgres-url", metavar="postgres://USER@HOST:PORT", callback=_database_url, show_default=False,
           help="The PostgreSQL, as a superuser, that sources of a Materialize read."),
    option("--mysql-url", metavar="mysql://USER@HOST:PORT", callback=_database_url, show_default=False,
           help="The MySQL that sources of a Materialize read."),
    option("--mysql-password", metavar="WORD", help="Its user's password.", show_default=False),
)  # fmt: skip
"""Where the services around a Materialize are."""

_materialize_options = together(
    addresses.materialize_ports,
    option("--materialize-log", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
           help="The log of the server at --url, to be searched for panics.", show_default=False),
    service_options,
    option("--upsert-records", type=click.IntRange(1), default=1_000_000, help="Records in the topic of an UpsertSource."),
)  # fmt: skip
_MATERIALIZE_ONLY = (
    "materialize_internal_url", "materialize_http_url", "materialize_internal_http_url", "materialize_log", "composition",
    "kafka_addr", "schema_registry_url", "postgres_url", "mysql_url", "mysql_password", "upsert_records",
)  # fmt: skip

target_options = together(server_options, _materialize_options)
"""`--release`, `--url`, and what more there is to say of a Materialize."""


def choice(name: str, options: Mapping[str, Any], release: str | None = None) -> Choice:
    """The target of that name as the options describe it. `release`: the one to start where they say nothing.

    UserError for options that the target does not have.
    """
    from racehound.databases.registry import Choice

    release = options["release"] or (None if options["url"] else release)
    if name != "materialize":
        _refuse_strangers(name)
        return Choice(name, release, options["url"])
    return Choice(name, release, options["url"], _materialize(options))


def _refuse_strangers(name: str) -> None:
    """What was typed for another target must not be silently without effect (variables and files serve several commands)."""
    context = click.get_current_context()
    for stranger in _MATERIALIZE_ONLY:
        if context.get_parameter_source(stranger) is ParameterSource.COMMANDLINE:
            raise UserError(f"--{stranger.replace('_', '-')} says something of a Materialize, and the target is {name}")


def _materialize(options: Mapping[str, Any]) -> Options:
    from racehound.databases.materialize.opening import Options

    return Options(
        internal_url=options["materialize_internal_url"],
        http_url=options["materialize_http_url"],
        internal_http_url=options["materialize_internal_http_url"],
        log=options["materialize_log"],
        composition=options["composition"],
        services=given_services(options),
        kinds=options.get("kinds", ()),
        upsert_records=options["upsert_records"],
        tell=lambda text: click.echo(text, err=True),
    )


def given_services(options: Mapping[str, Any]) -> Surroundings | None:
    """Those whose addresses were given; None where none was."""
    from racehound.databases.materialize.surroundings import Surroundings

    found = Surroundings(
        kafka=options["kafka_addr"],
        registry=(options["schema_registry_url"] or "").rstrip("/") or None,
        postgres=options["postgres_url"],
        mysql=options["mysql_url"],
        mysql_password=options["mysql_password"] or "",
    )
    return found if found.capabilities else None
