"""Materialize as a plug-in of racehound."""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.databases import options
from racehound.databases.database import Choice, Database, ScriptServer
from racehound.databases.materialize.actions import ACTION_SPECS
from racehound.databases.materialize.dialect import MATERIALIZE
from racehound.databases.target import Target
from racehound.errors import TargetError, UserError
from racehound.kinds.kind import Kind
from racehound.session import Session
from racehound.testdrive.actions import Spec

if TYPE_CHECKING:
    from racehound.data.addresses import ServiceAddresses
    from racehound.databases.materialize.connected_services import ConnectedServices
    from racehound.databases.materialize.start import Options
    from racehound.judge.oracle import Oracle
    from racehound.kinds.text_kinds import KindBases
    from racehound.run.perturbations.perturbation import Perturbation


class MaterializeDatabase(Database):
    """Materialize with the services that its sources and sinks need."""

    dialect = MATERIALIZE
    summary = "Materialize: at an address (--url), in Docker, or environmentd and clusterd on the path"
    can_start = True
    oracles = ("crash", "hang", "contents", "errors", "names", "health")

    @contextlib.contextmanager
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:
        from racehound.databases.materialize import start

        asked = dataclasses.replace(choice.options or start.Options(), url=choice.url, release=choice.release)
        with start.opened(asked, run_id, directory, log_path) as target:
            yield target

    def options(self) -> Sequence[click.Option]:
        log = options.option(
            "--materialize-log", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The log of the server at --url, to be searched for panics.", show_default=False,
        )  # fmt: skip
        records = options.option(
            "--upsert-records", type=click.IntRange(1), default=1_000_000, help="Records in the topic of an UpsertSource."
        )
        return (*_ports(), log, *_services(), records)

    def read_options(self, values: Mapping[str, Any]) -> Options:
        from racehound.databases.materialize.start import Options

        return Options(
            internal_url=values["materialize_internal_url"],
            http_url=values["materialize_http_url"],
            internal_http_url=values["materialize_internal_http_url"],
            log=values["materialize_log"],
            composition=values["composition"],
            services=_given_services(values),
            kinds=values.get("kinds", ()),
            upsert_records=values["upsert_records"],
            tell=lambda text: click.echo(text, err=True),
        )

    def url_options(self) -> Sequence[str]:
        return ("--materialize-url",)

    def script_options(self) -> Sequence[click.Option]:
        return _ports()

    def script_addresses(
        self, values: Mapping[str, Any], services: ServiceAddresses
    ) -> tuple[ServiceAddresses, Mapping[str, str]]:
        from racehound.databases.materialize import scripts

        return scripts.addresses(values, services)

    def clean_options(self) -> Sequence[click.Option]:
        internal = options.option(
            "--materialize-internal-url",
            metavar="URL",
            help="Its internal SQL port, if it is a Materialize.",
            show_default="6877",
        )
        return (internal, *_services())

    def recognises(self, session: Session) -> bool:
        return session.execute("SELECT mz_version()").ok

    def clean(self, url: str, values: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
        """Remove the leftovers of runs. Live runs are skipped. Runs that may be alive are printed for the user to decide."""
        from racehound.databases.materialize.leftovers import remove, runs
        from racehound.databases.materialize.server_location import Addresses
        from racehound.databases.materialize.session import MaterializeSession

        address = Addresses.given(url, values["materialize_internal_url"]).internal
        with contextlib.closing(MaterializeSession.connect(address, "racehound clean")) as operator:
            for left in runs(operator):
                if left.is_ours and not left.is_dead:
                    continue
                if not left.is_dead and left.run_id != values["run_id"]:
                    names = ", ".join(left.names)
                    click.echo(f"left alone {names}: whether the run is over cannot be known; --run {left.run_id} removes it")
                    continue
                failures = [] if dry_run else remove(operator, left, _services_of(values))
                if failures:
                    raise TargetError(f"run {left.run_id} could not be removed: {failures[0]}")
                yield from left.names

    @contextlib.contextmanager
    def script_server(self, choice: Choice, values: Mapping[str, Any], services: ServiceAddresses) -> Iterator[ScriptServer]:
        from racehound.databases.materialize import scripts

        if choice.url is None:
            raise UserError("racehound testdrive --target materialize needs the address of one: --url")
        yield scripts.server_at(choice.url, values, services)

    @property
    def actions(self) -> Mapping[str, Spec]:
        return ACTION_SPECS

    def kind_bases(self) -> KindBases:
        from racehound.databases.materialize.kinds import MaterializeKind
        from racehound.databases.materialize.kinds.text_kind import MaterializeTextKind
        from racehound.kinds.text_kinds import KindBases

        return KindBases(MaterializeKind, MaterializeTextKind)

    def kinds(self) -> Sequence[type[Kind]]:
        from racehound.databases.materialize.kinds import KINDS

        return KINDS

    def own_oracles(self) -> Mapping[str, Callable[[], Oracle]]:
        from racehound.databases.materialize.health_oracle import HealthJudge

        return {"health": HealthJudge}

    def perturbations(self) -> Sequence[type[Perturbation]]:
        from racehound.databases.materialize.perturbations import ServiceKill

        return (ServiceKill,)


def _ports() -> Sequence[click.Option]:
    return (
        options.option("--materialize-internal-url", metavar="URL", show_default=False,
                       help="The target's internal SQL port; of a Materialize port 6877 by default."),
        options.http_url("--materialize-http-url", "The target's HTTP port, for webhooks; of a Materialize 6876 by default."),
        options.http_url(
            "--materialize-internal-http-url", "Its internal HTTP port, for its own checks; of a Materialize 6878 by default."
        ),
    )  # fmt: skip


def _services() -> Sequence[click.Option]:
    """The options for the addresses of the connected services."""
    return (
        options.composition(),
        options.kafka(),
        options.schema_registry(),
        options.option("--postgres-url", metavar="postgres://USER@HOST:PORT", callback=_checked_url, show_default=False,
                       help="The PostgreSQL, as a superuser, that sources of a Materialize read."),
        options.option("--mysql-url", metavar="mysql://USER@HOST:PORT", callback=_checked_url, show_default=False,
                       help="The MySQL that sources of a Materialize read."),
        options.option("--mysql-password", metavar="WORD", help="Its user's password.", show_default=False),
    )  # fmt: skip


def _checked_url(_ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check a value of the form `SCHEME://[USER@]HOST[:PORT]`, with the scheme in the option's hint."""
    if value is not None:
        scheme = (parameter.metavar or "").partition("://")[0]
        parts = urllib.parse.urlsplit(value)
        if parts.scheme not in {scheme, f"{scheme}ql"} or not parts.hostname:
            raise click.BadParameter(f"{value!r} is not a URL: write {parameter.metavar}")
    return value


def _given_services(values: Mapping[str, Any]) -> ConnectedServices | None:
    """The services whose addresses the user gave; None when the user gave none."""
    from racehound.databases.materialize.connected_services import ConnectedServices

    found = ConnectedServices(
        kafka=values["kafka_addr"],
        registry=(values["schema_registry_url"] or "").rstrip("/") or None,
        postgres=values["postgres_url"],
        postgres_password=_password(values["postgres_url"]) or ConnectedServices.postgres_password,
        mysql=values["mysql_url"],
        mysql_password=values["mysql_password"] or "",
    )
    return found if found.capabilities else None


def _password(url: str | None) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url or "").password or "")


def _services_of(values: Mapping[str, Any]) -> ConnectedServices:
    """The services whose addresses the user gave, otherwise those of the running composition, if there is one."""
    from racehound.databases.materialize.connected_services import ConnectedServices, from_variables
    from racehound.services import daemon_client

    given = _given_services(values)
    running = daemon_client.asked_for(values["composition"]) if given is None else None
    return given or (from_variables(running.variables) if running else ConnectedServices())
