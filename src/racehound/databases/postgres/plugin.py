"""PostgreSQL as a plug-in of racehound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racehound.databases.database import Choice, Database, Footprints, ScriptServer
from racehound.databases.postgres.actions import ACTION_SPECS
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.kinds.kind import Kind
from racehound.testdrive.actions import Spec

if TYPE_CHECKING:
    from racehound.data.addresses import ServiceAddresses
    from racehound.data.finding import Finding
    from racehound.data.reduction import HandOver
    from racehound.data.scene import Scene
    from racehound.data.verification import Verification
    from racehound.judge.oracle import Oracle
    from racehound.kinds.text_kinds import KindBases
    from racehound.run.perturbations.perturbation import Perturbation

_SCRIPTS = "testdrive"
"""Name of the database in which scripts run."""


class PostgresDatabase(Database):
    """PostgreSQL 14 to 18."""

    dialect = POSTGRES
    summary = "PostgreSQL 14 to 18: embedded (default), any release (--release), or a server of yours (--url)"
    is_default = True
    can_start = True
    can_step = True
    oracles = ("crash", "hang", "catalog", "contents", "errors", "leaks")

    @contextlib.contextmanager
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:
        from racehound.databases.postgres.server_location import EmbeddedServerLocation, RemoteServerLocation
        from racehound.databases.postgres.target import PostgresTarget

        location = RemoteServerLocation(choice.url) if choice.url else EmbeddedServerLocation(choice.release, directory, log_path)
        target = PostgresTarget(location, run_id)
        try:
            target.start()
            yield target
        finally:
            target.stop()

    def clean(self, url: str, values: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
        from psycopg.conninfo import make_conninfo

        from racehound.databases.postgres.leftovers import dead_runs, remove_noted_rows, remove_run
        from racehound.databases.postgres.shared_catalogs import noted
        from racehound.wire.session import LibpqSession

        def connect(database: str) -> LibpqSession:
            return LibpqSession.connect(make_conninfo(url, dbname=database))

        with contextlib.closing(LibpqSession.connect(url)) as session:
            for run_id, left in dead_runs(session, values.get("run_id")).items():
                rows = noted(session, f"{run_id}_owner")
                failures = [] if dry_run else remove_run(session, run_id, connect)
                if failures:
                    raise TargetError(f"run {run_id} could not be removed: {failures[0]}")
                yield from left
                yield from remove_noted_rows(session, run_id, rows, dry_run=dry_run)

    @contextlib.contextmanager
    def script_server(self, choice: Choice, values: Mapping[str, Any], services: ServiceAddresses) -> Iterator[ScriptServer]:  # noqa: ARG002
        from racehound.databases.addresses import script_variables
        from racehound.databases.postgres.scripts import started

        if choice.url is not None:
            yield ScriptServer(choice.url, script_variables(choice.url), services)
            return

        with started(choice.release, _SCRIPTS) as (url, renew):
            yield ScriptServer(url, script_variables(url), services, renew)

    @property
    def actions(self) -> Mapping[str, Spec]:
        return ACTION_SPECS

    def kinds(self) -> Sequence[type[Kind]]:
        from racehound.databases.postgres.kinds import KINDS

        return KINDS

    def may_have(self, choice: Choice, kind: type[Kind]) -> bool:
        from racehound.databases.postgres.target import embedded_capabilities, is_available
        from racehound.services.embedded import installation, releases

        major = releases.parse(choice.release or installation.wheel().version)[0]
        return is_available(kind, major, embedded_capabilities())

    def kind_bases(self) -> KindBases:
        from racehound.databases.postgres.kinds import PostgresKind
        from racehound.databases.postgres.kinds.text_kind import PostgresTextKind
        from racehound.kinds.text_kinds import KindBases

        return KindBases(PostgresKind, PostgresTextKind)

    def plain_table(self, name: str) -> Kind:
        from racehound.databases.postgres.kinds.table import Table

        return Table(name=name)

    def own_oracles(self) -> Mapping[str, Callable[[], Oracle]]:
        from racehound.databases.postgres.oracles.at_rest import CatalogJudge, LeakJudge

        return {"catalog": CatalogJudge, "leaks": LeakJudge}

    def perturbations(self) -> Sequence[type[Perturbation]]:
        from racehound.databases.postgres.perturbations import Freeze, Kill, Restart

        return (Freeze, Kill, Restart)

    def footprints(self, target: Target) -> Footprints:
        from racehound.databases.postgres.footprint import CatalogFootprints
        from racehound.databases.postgres.target import PostgresTarget

        assert isinstance(target, PostgresTarget)
        return CatalogFootprints(target)

    def hand_over(self, scene: Scene, finding: Finding, title: str) -> HandOver:
        from racehound.databases.postgres.handover import hand_over

        return hand_over(scene, finding, title)

    def verify_hand_over(
        self, directory: Path, scene: Scene, finding: Finding, release: str, scratch: Path, limit_s: float, *, fetch: bool
    ) -> Verification:
        from racehound.databases.postgres.handover.kit import kit_of
        from racehound.databases.postgres.handover.verify import verify

        return verify(directory, kit_of(scene, finding, finding.title), release, scratch, limit_s, fetch=fetch)
