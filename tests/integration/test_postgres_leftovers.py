"""What a run has made is gone afterwards, whatever holds on to it; and where it cannot be, that is told."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.databases.database import Choice
from racehound.databases.postgres.leftovers import remove_run
from racehound.databases.postgres.server_location import RemoteServerLocation
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import opened
from racehound.errors import LeftBehindError, TargetError
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession

_MADE = """
SELECT datname::text FROM pg_database WHERE datname ~ '^{run}_' UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^{run}_'
UNION ALL SELECT slot_name FROM pg_replication_slots WHERE slot_name ~ '^{run}_'
UNION ALL SELECT subname FROM pg_subscription WHERE subname ~ '^{run}_' UNION ALL SELECT gid FROM pg_prepared_xacts
"""


@pytest.fixture
def admin(embedded_server: EmbeddedServer) -> Iterator[LibpqSession]:
    session = LibpqSession.connect(embedded_server.address.conninfo(), "tests")
    yield session
    session.close()


def run(session: LibpqSession, *statements: str) -> None:
    for statement in statements:
        outcome = session.execute(statement)
        assert outcome.ok, (statement, outcome.error)


def made(session: LibpqSession, run_id: str) -> set[str | None]:
    outcome = session.execute(_MADE.format(run=run_id))
    assert outcome.rows
    return {name for (name,) in outcome.rows.cells}


def test_databases_with_subscriptions_and_prepared_transactions_are_removed(
    embedded_server: EmbeddedServer, admin: LibpqSession
) -> None:
    def connect(database: str) -> LibpqSession:
        return LibpqSession.connect(embedded_server.address.conninfo(database), "tests")

    run_id = f"rh{secrets.token_hex(4)}"
    here, there = f"{run_id}_db1", f"{run_id}_o_0_publisher"
    run(admin, f"CREATE DATABASE {here}", f"CREATE DATABASE {there}", f"CREATE ROLE {run_id}_o_1")
    with contextlib.closing(connect(there)) as publisher:
        run(publisher, "CREATE TABLE t (a integer)", "CREATE PUBLICATION p FOR TABLE t")
        run(publisher, f"SELECT pg_create_logical_replication_slot('{run_id}_o_0', 'pgoutput')")
    with contextlib.closing(connect(here)) as subscriber:
        conninfo = embedded_server.address.conninfo(there).replace("'", "''")
        source = f"CONNECTION '{conninfo}' PUBLICATION p"
        run(subscriber, "CREATE TABLE t (a integer)")
        run(subscriber, f"CREATE SUBSCRIPTION {run_id}_o_0 {source} WITH (create_slot = false, copy_data = false)")
        run(subscriber, "BEGIN", "INSERT INTO t VALUES (1)", f"PREPARE TRANSACTION '{run_id}_p'")
    assert made(admin, run_id) == {here, there, f"{run_id}_o_0", f"{run_id}_o_1", f"{run_id}_p"}
    assert remove_run(admin, run_id, connect) == []
    assert made(admin, run_id) == set()


def hold(session: LibpqSession, role: str) -> None:
    """Let the role own what is not the run's."""
    run(session, f"CREATE ROLE {role}", "CREATE TABLE held (a integer)", f"ALTER TABLE held OWNER TO {role}")


def test_what_a_server_of_the_users_does_not_let_go_of_is_told(embedded_server: EmbeddedServer, admin: LibpqSession) -> None:
    target = PostgresTarget(RemoteServerLocation(embedded_server.address.conninfo()), f"rh{secrets.token_hex(4)}")
    target.start()
    target.rebuild()
    role = f"{target.run_id}_o_0"
    run(admin, "CREATE DATABASE elsewhere")
    with contextlib.closing(LibpqSession.connect(embedded_server.address.conninfo("elsewhere"), "tests")) as elsewhere:
        hold(elsewhere, role)
    with pytest.raises(TargetError, match=f"an object of the run cannot be dropped: DROP ROLE IF EXISTS {role}: "):
        target.rebuild()
    with pytest.raises(TargetError, match=f"could not remove all of its objects: DROP ROLE IF EXISTS {role}: ") as stopped:
        target.stop()
    assert isinstance(stopped.value, LeftBehindError)
    assert stopped.value.left == (f"role {role}",)
    assert made(admin, target.run_id) == {role}
    run(admin, "DROP DATABASE elsewhere", f"DROP ROLE {role}")


def test_a_server_of_our_own_that_does_not_let_go_is_made_anew(tmp_path: Path) -> None:
    with opened(Choice("postgres"), tmp_path / "log") as place:
        target = place.target
        assert isinstance(target, PostgresTarget)
        target.rebuild()
        role = f"{target.run_id}_o_0"
        run(target.observer, "CREATE DATABASE elsewhere")
        with contextlib.closing(LibpqSession.connect(target.location.conninfo("elsewhere"), "tests")) as elsewhere:
            hold(elsewhere, role)
        target.rebuild()
        assert made(target.observer, target.run_id) == {f"{target.run_id}_{name}" for name in ("template", "owner", "db2")}
        databases = target.observer.execute("SELECT count(*) FROM pg_database WHERE datname = 'elsewhere'")
        assert databases.rows
        assert databases.rows.cells == [("0",)]
