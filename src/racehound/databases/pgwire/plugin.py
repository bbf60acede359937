"""The plug-in for any server that speaks the PostgreSQL protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.databases.database import Choice, Database, ScriptServer
from racehound.databases.pgwire.dialect import PGWIRE
from racehound.databases.target import Target
from racehound.errors import TargetError

if TYPE_CHECKING:
    from racehound.data.addresses import ServiceAddresses


class PgwireDatabase(Database):
    """Any server at an address; an ordinary user suffices. There are no kinds, so users write their own scripts."""

    dialect = PGWIRE
    summary = "any server that speaks the PostgreSQL protocol, at an address (--url), for scripts of yours"
    can_step = True

    @contextlib.contextmanager
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:  # noqa: ARG002 starts nothing
        from racehound.databases.pgwire.target import PgwireTarget

        assert choice.url is not None, "see can_start"
        target = PgwireTarget(choice.url, run_id, lambda text: click.echo(f"--- {text}", err=True))
        try:
            target.start()
            yield target
        finally:
            target.stop()

    def clean(self, url: str, values: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
        """Skip live runs silently. Report runs that may be live, unless the user names them."""
        from racehound.databases.pgwire.leftovers import drop, runs
        from racehound.databases.pgwire.session import PgwireSession

        with contextlib.closing(PgwireSession.connect(url, "racehound clean")) as session:
            for left in runs(session):
                if left.is_ours and not left.is_dead:
                    continue
                names = [f"schema {schema}" for schema in left.schemas]
                if not left.is_dead and left.run_id != values["run_id"]:
                    text = (
                        f"left alone {', '.join(names)}: whether the run is over cannot be known; --run {left.run_id} removes it"
                    )
                    click.echo(text)
                    continue
                failures = [] if dry_run else drop(session, left.schemas)
                if failures:
                    raise TargetError(f"run {left.run_id} could not be removed: {failures[0]}")
                yield from names

    @contextlib.contextmanager
    def script_server(self, choice: Choice, values: Mapping[str, Any], services: ServiceAddresses) -> Iterator[ScriptServer]:  # noqa: ARG002
        """Scripts run on the server as it is. Nothing is removed before they run."""
        from racehound.databases.addresses import script_variables

        assert choice.url is not None, "see can_start"
        yield ScriptServer(choice.url, script_variables(choice.url), services)
