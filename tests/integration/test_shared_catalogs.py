"""A server of the user's is as it was before a hunt, also where races have broken rows of the shared catalogs."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from racehound.cli.clean_command import command
from racehound.data.history import Recorder
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.database import Choice
from racehound.databases.postgres.shared_catalogs import BrokenRow, broken_rows, note, noted, remove_rows
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import opened
from racehound.errors import TargetError
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession
from tests.end_to_end.command import racehound

Snapshot = dict[str, list[tuple[str | None, ...]]]

DAMAGE = (
    "CREATE ROLE {run}_o_0",
    "COMMENT ON ROLE {run}_o_0 IS 'o_0'",
    "ALTER ROLE {run}_o_0 SET work_mem = '1MB'",
    "GRANT pg_monitor TO {run}_o_0",
    "GRANT {run}_o_0 TO somebody",
    "DELETE FROM pg_authid WHERE rolname = '{run}_o_0'",
    "CREATE DATABASE {run}_o_1 TEMPLATE template0",
    "COMMENT ON DATABASE {run}_o_1 IS 'o_1'",
    "ALTER DATABASE {run}_o_1 SET work_mem = '1MB'",
)
"""What a race leaves of a role: its comment, a setting, and memberships on both sides. The database is dropped by its name."""


@pytest.fixture(scope="module")
def server(scratch_dir: Path) -> Iterator[EmbeddedServer]:
    """A server of somebody's own, on which something was broken before."""
    own = EmbeddedServer(releases.find(), scratch_dir, scratch_dir / "shared.log")
    own.start()
    with contextlib.closing(LibpqSession.connect(own.address.conninfo(), "tests")) as session:
        run(
            session,
            "CREATE ROLE somebody",
            "CREATE DATABASE theirs OWNER somebody",
            "CREATE ROLE gone",
            "COMMENT ON ROLE gone IS 'before'",
            "GRANT gone TO somebody",
            "ALTER DATABASE theirs SET work_mem = '2MB'",
            "SELECT pg_create_physical_replication_slot('theirs')",
            "SET allow_system_table_mods = on",
            "DELETE FROM pg_authid WHERE rolname = 'gone'",
        )
    yield own
    own.stop()


@pytest.fixture
def admin(server: EmbeddedServer) -> Iterator[LibpqSession]:
    with contextlib.closing(LibpqSession.connect(server.address.conninfo(), "tests")) as session:
        yield session


def run(session: LibpqSession, *statements: str) -> None:
    for statement in statements:
        outcome = session.execute(statement)
        assert outcome.ok, (statement, outcome.error)


def rows(session: LibpqSession, sql: str) -> list[tuple[str | None, ...]]:
    outcome = session.execute(sql)
    assert outcome.rows is not None, outcome.error
    return sorted(outcome.rows.cells, key=str)


def snapshot(session: LibpqSession) -> Snapshot:
    """All rows of all shared catalogs, but for what every transaction moves, and the slots and settings of the server."""
    names = [name for (name,) in rows(session, "SELECT relname FROM pg_class WHERE relisshared AND relkind = 'r'")]
    found = {str(name): rows(session, f"SELECT * FROM {name}") for name in names}
    found["pg_database"] = rows(session, "SELECT to_jsonb(d) - 'datfrozenxid' - 'datminmxid' FROM pg_database d")
    found["slots"] = rows(session, "SELECT slot_name, plugin, slot_type, database FROM pg_replication_slots")
    found["settings"] = rows(session, "SELECT name, setting, source FROM pg_settings WHERE source <> 'client'")
    return found


def damaging(run_id: str, fragment: str = "") -> Program:
    fragment = fragment or "> SET allow_system_table_mods = on\n" + "".join(f"> {each.format(run=run_id)}\n" for each in DAMAGE)
    return Program(
        seed=1, scenario="concurrent", title="by hand", refers_to={}, reset_each=True, once=(), setup=(),
        sessions=(ProgramSession("o_0", (Step("o_0", "manipulate", fragment),)),), verify=(), teardown=(),
    )  # fmt: skip


def hunt(server: EmbeddedServer, directory: Path, *, killed: bool) -> str:
    """One repetition of a program that leaves broken rows, at the server's URL; the id of the run.

    killed: the run ends without removing anything.
    """
    with opened(Choice("postgres", url=server.address.url()), directory / "log") as place:
        target = place.target
        assert isinstance(target, PostgresTarget)
        with contextlib.closing(Recorder(directory / "history.jsonl")) as recorder:
            runner = StormRunner(target, damaging(target.run_id), recorder, place.scratch, statement_limit_s=10.0)
            with contextlib.closing(runner):
                found = RepetitionRunner.of(place.database).run(runner, 1).findings
        told = [text for finding in found if finding.severity == "corruption" for text in (finding.title, *finding.consequences)]
        for broken in (
            "pg_shdescription.objoid -> pg_authid.oid: row missing",
            "pg_db_role_setting.setrole -> pg_authid.oid: row missing",
            "pg_auth_members.member -> pg_authid.oid: row missing",
            "pg_auth_members.roleid -> pg_authid.oid: row missing",
        ):
            assert any(broken in text for text in told), (broken, told)
        if killed:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("racehound.databases.postgres.leftovers.remove_run", lambda *_: [])
                patch.setattr("racehound.databases.postgres.target.remove_rows", lambda *_: [])
                patch.setattr(PostgresTarget, "_broken_rows_left", lambda _: [])
                target.stop()
                target.stop = lambda: None  # type: ignore[method-assign]
        return target.run_id


def clean(server: EmbeddedServer, *options: str) -> str:
    done = CliRunner().invoke(command, ["--url", server.address.url(), *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_hunt_leaves_the_shared_catalogs_as_they_were(server: EmbeddedServer, admin: LibpqSession, tmp_path: Path) -> None:
    before = snapshot(admin)
    assert len([name for name in before["pg_shdescription"] if "before" in name]) == 1
    hunt(server, tmp_path, killed=False)
    assert snapshot(admin) == before


def test_a_hunt_that_meets_real_races_leaves_them_as_they_were(
    server: EmbeddedServer, admin: LibpqSession, tmp_path: Path
) -> None:
    """On 18.6 a comment may outlive its tablespace, and a setting its database (docs/findings-postgresql.md)."""
    before = snapshot(admin)
    options = ("--kinds", "Tablespace,Database,Comment", "--scenario", "concurrent", "--seed", "3", "--runtime", "8")
    ended = racehound("run", "--url", server.address.url(), *options, "--reduce", "0", "--out", tmp_path / "run", cwd=tmp_path)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    assert snapshot(admin) == before


@pytest.mark.leftovers
def test_clean_removes_what_a_killed_hunt_has_broken(server: EmbeddedServer, admin: LibpqSession, tmp_path: Path) -> None:
    before = snapshot(admin)
    run_id = hunt(server, tmp_path, killed=True)
    assert snapshot(admin) != before
    assert f"would remove a row that run {run_id} left: DELETE FROM pg_catalog.pg_shdescription" in clean(server, "--dry-run")
    assert f"removed a row that run {run_id} left: DELETE FROM pg_catalog.pg_shdescription" in clean(server)
    assert snapshot(admin) == before


def test_what_may_be_somebody_elses_is_named_and_left_alone(server: EmbeddedServer, admin: LibpqSession, tmp_path: Path) -> None:
    """No repetition has left it, but it came during the run."""
    before = snapshot(admin)

    def during_a_run() -> None:
        with opened(Choice("postgres", url=server.address.url()), tmp_path / "log") as place:
            place.target.rebuild()
            run(admin, "CREATE ROLE stranger", "COMMENT ON ROLE stranger IS 'strange'", "SET allow_system_table_mods = on")
            run(admin, "DELETE FROM pg_authid WHERE rolname = 'stranger'")

    with pytest.raises(TargetError, match=r"DELETE FROM pg_catalog\.pg_shdescription") as caught:
        during_a_run()
    named = [row.statement for row in broken_rows(admin) if row.statement in str(caught.value)]
    assert len(named) == 1
    run(admin, *named, "RESET allow_system_table_mods")
    assert snapshot(admin) == before


def test_what_breaks_beside_a_repetition_that_touches_nothing_shared_is_left_alone(
    server: EmbeddedServer, admin: LibpqSession, tmp_path: Path
) -> None:
    before = snapshot(admin)
    elsewhere = "> SET allow_system_table_mods = on\n> CREATE ROLE other\n> COMMENT ON ROLE other IS 'x'\n"

    def run_once() -> None:
        with (
            opened(Choice("postgres", url=server.address.url()), tmp_path / "log") as place,
            contextlib.closing(Recorder(tmp_path / "history.jsonl")) as recorder,
        ):
            program = damaging("unused", f"{elsewhere}> DELETE FROM pg_authid WHERE rolname = 'other'\n")
            with contextlib.closing(StormRunner(place.target, program, recorder, place.scratch, 10.0)) as runner:
                assert RepetitionRunner.of(place.database).run(runner, 1).findings

    with pytest.raises(TargetError, match=r"DELETE FROM pg_catalog\.pg_shdescription") as caught:
        run_once()
    run(admin, *[row.statement for row in broken_rows(admin) if row.statement in str(caught.value)])
    assert snapshot(admin) == before


def test_rows_that_fall_with_a_removed_row_are_removed_too(admin: LibpqSession) -> None:
    """A membership has an OID, and pg_shdepend says that it depends on its grantor."""
    before = snapshot(admin)
    known = {row.statement for row in broken_rows(admin)}
    run(
        admin,
        "CREATE ROLE granted",
        "CREATE ROLE grantor",
        "CREATE ROLE member",
        "GRANT granted TO grantor WITH ADMIN OPTION",
        "GRANT granted TO member GRANTED BY grantor",
        "SET allow_system_table_mods = on",
        "DELETE FROM pg_authid WHERE rolname = 'member'",
    )
    new = {row.statement for row in broken_rows(admin)} - known
    assert len(new) == 1
    first, second = remove_rows(admin, new)
    assert first in new
    assert second.startswith("DELETE FROM pg_catalog.pg_shdepend")
    run(admin, "DROP ROLE grantor", "DROP ROLE granted", "RESET allow_system_table_mods")
    assert snapshot(admin) == before


def test_statements_that_are_for_no_broken_row_are_not_run(admin: LibpqSession) -> None:
    """The list is kept as a comment, which others can change."""
    owner = f"rh{secrets.token_hex(4)}_owner"
    run(admin, f"CREATE ROLE {owner}")
    note(admin, owner, [BrokenRow("DROP ROLE somebody -- '", 1, whole=True, own=0)])
    assert noted(admin, owner) == {"DROP ROLE somebody -- '"}
    assert remove_rows(admin, noted(admin, owner)) == []
    assert rows(admin, "SELECT rolname FROM pg_roles WHERE rolname = 'somebody'")
    run(admin, f"COMMENT ON ROLE {owner} IS 'not ours'")
    assert noted(admin, owner) == frozenset()
    run(admin, f"COMMENT ON ROLE {owner} IS '{json.dumps({'a': 1})}'")
    assert noted(admin, owner) == frozenset()
    run(admin, f"DROP ROLE {owner}")
