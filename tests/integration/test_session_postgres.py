"""A session with a real server: what statements become, and what is left after errors, cancels and lost connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from psycopg.pq import TransactionStatus

from racehound.errors import TargetError, UserError
from racehound.services.embedded.server import EmbeddedServer
from racehound.session import Outcome, Session
from racehound.wire.session import LibpqSession

Connect = Callable[[], LibpqSession]


def test_a_command_has_its_tag_and_the_count_where_there_is_one(connect: Connect) -> None:
    session: Session = connect()
    assert session.execute("CREATE TABLE t (a TEXT)") == Outcome("ok", "CREATE TABLE")
    assert session.execute("INSERT INTO t VALUES ('x'), ('y')") == Outcome("ok", "INSERT 0 2", 2)
    assert session.execute("") == Outcome("ok")


def test_rows_come_in_the_servers_text_form(connect: Connect) -> None:
    outcome = connect().execute(
        "SELECT true AS yes, NULL::int4, 'grün'::text, '\\x00ff'::bytea UNION ALL SELECT false, 2, '', ''"
    )
    assert (outcome.status, outcome.tag, outcome.count) == ("ok", "SELECT 2", 2)
    assert outcome.rows is not None
    assert outcome.rows.columns == ("yes", "int4", "text", "bytea")
    assert outcome.rows.types == (16, 23, 25, 17)
    assert outcome.rows.cells == [("t", None, "grün", "\\x00ff"), ("f", "2", "", "\\x")]


def test_an_empty_result_set_still_has_columns(connect: Connect) -> None:
    rows = connect().execute("SELECT 1 AS a WHERE false").rows
    assert rows is not None
    assert (rows.columns, rows.cells) == (("a",), [])


def test_an_error_carries_every_field_of_the_server(connect: Connect) -> None:
    session = connect()
    session.execute("CREATE SCHEMA s")
    session.execute("CREATE TABLE s.t (a int CONSTRAINT small CHECK (a < 10))")
    error = session.execute("INSERT INTO s.t VALUES (11)").error
    assert error is not None
    assert (error.sqlstate, error.schema, error.table, error.constraint) == ("23514", "s", "t", "small")
    assert "violates check constraint" in error.message
    assert error.detail == "Failing row contains (11)."
    assert error.source.startswith("execMain.c:")
    assert error.source.endswith(" ExecConstraints")

    raised = session.execute(
        "DO $$ BEGIN RAISE 'm' USING errcode = 'P0042', hint = 'h', column = 'c', datatype = 'd'; END $$"
    ).error
    assert raised is not None
    assert (raised.sqlstate, raised.message, raised.hint, raised.column, raised.datatype) == ("P0042", "m", "h", "c", "d")
    assert raised.context.startswith("PL/pgSQL function inline_code_block")


def test_the_session_lives_on_after_an_error(connect: Connect) -> None:
    session = connect()
    assert session.execute("SELECT 1/0").status == "error"
    assert session.execute("SELECT 1").ok


@pytest.mark.parametrize("text", ["SELECT 1\0; DROP TABLE t", "SELECT '\ud800'"])
def test_text_that_cannot_be_sent_is_refused_and_not_cut_short(connect: Connect, text: str) -> None:
    session = connect()
    error = session.execute(text).error
    assert error is not None
    assert error.sqlstate == "22021"
    assert session.execute("SELECT 1").ok


def test_copy_is_ended_and_reported_and_the_session_lives_on(connect: Connect) -> None:
    session = connect()
    session.execute("CREATE TABLE t (a int)")
    copied_in = session.execute("COPY t FROM STDIN")
    assert copied_in.status == "error"
    assert copied_in.error is not None
    assert copied_in.error.sqlstate == "57014"
    copied_out = session.execute("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 5000)) TO STDOUT")
    assert copied_out.status == "error"
    assert copied_out.error is not None
    assert "COPY" in copied_out.error.message
    broken = session.execute("COPY (SELECT 1 / (3 - i) FROM generate_series(1, 5) AS i) TO STDOUT")
    assert broken.error is not None
    assert broken.error.sqlstate == "22012"
    assert session.execute("SELECT count(*) FROM t").rows is not None


def test_a_terminated_session_is_lost_and_stays_lost(connect: Connect) -> None:
    session, other = connect(), connect()
    itself = session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert itself.status == "lost"
    assert itself.error is not None
    assert "terminating connection due to administrator command" in itself.error.message
    assert session.execute("SELECT 1").status == "lost"
    assert session.transaction_status == TransactionStatus.UNKNOWN
    assert session.fileno == -1
    assert other.execute("SELECT 1").ok


def test_a_session_terminated_by_another_while_idle_is_lost(connect: Connect) -> None:
    session, other = connect(), connect()
    assert other.execute(f"SELECT pg_terminate_backend({session.pid}, 5000)").ok
    assert session.execute("SELECT 1").status == "lost"


def test_a_closed_session_is_lost_and_harmless(connect: Connect) -> None:
    session = connect()
    session.close()
    session.close()
    session.cancel()
    assert session.execute("SELECT 1").status == "lost"
    assert session.reset().status == "lost"


def test_cancel_from_another_thread_ends_the_running_statement(connect: Connect) -> None:
    session, observer = connect(), connect()
    outcomes: list[Outcome] = []
    runner = threading.Thread(target=lambda: outcomes.append(session.execute("SELECT pg_sleep(60)")))
    begun = time.monotonic()
    runner.start()
    while not _is_sleeping(observer, session.pid):
        assert time.monotonic() - begun < 20
    session.cancel()
    runner.join(20)
    assert outcomes[0].error is not None
    assert outcomes[0].error.sqlstate == "57014"
    assert session.execute("SELECT 1").ok


def _is_sleeping(observer: LibpqSession, pid: int) -> bool:
    rows = observer.execute(f"SELECT FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'").rows
    return rows is not None and len(rows.cells) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_sleep(0.5)",
        "COPY (SELECT pg_sleep(0.5)) TO STDOUT",
        "COPY (SELECT 1, pg_sleep(0.25) UNION ALL SELECT 2, pg_sleep(0.25)) TO STDOUT",
    ],
)
def test_other_threads_run_while_one_waits_for_the_server(connect: Connect, statement: str) -> None:
    session = connect()
    waiting = threading.Thread(target=session.execute, args=(statement,))
    waiting.start()
    ticks = 0
    while waiting.is_alive():
        waiting.join(0.005)
        ticks += 1
    assert ticks > 30


def test_reset_leaves_nothing_behind(connect: Connect) -> None:
    session, other = connect(), connect()
    session.execute("SET search_path = nowhere")
    session.execute("SELECT pg_advisory_lock(7)")
    session.execute("PREPARE p AS SELECT 1")
    session.execute("BEGIN")
    session.execute("SELECT 1/0")
    states = [session.transaction_status]
    assert session.reset() == Outcome("ok", "DISCARD ALL")
    states.append(session.transaction_status)
    assert states == [TransactionStatus.INERROR, TransactionStatus.IDLE]
    path = session.execute("SHOW search_path").rows
    assert path is not None
    assert path.cells == [('"$user", public',)]
    assert session.execute("EXECUTE p").status == "error"
    free = other.execute("SELECT pg_try_advisory_lock(7)").rows
    assert free is not None
    assert free.cells == [("t",)]


def test_the_server_knows_the_session_by_its_pid_and_name(fresh_database: str) -> None:
    session = LibpqSession.connect(fresh_database, "session 3")
    rows = session.execute("SELECT pg_backend_pid(), application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()").rows
    session.close()
    assert rows is not None
    assert rows.cells == [(str(session.pid), "session 3")]


@pytest.mark.parametrize("text", ["postgres://[::1/", "host", "nonsense=1"])
def test_a_malformed_address_is_the_users_error_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="not a PostgreSQL connection string") as caught:
        LibpqSession.connect(text)
    assert "\n" not in str(caught.value)


def test_an_unreachable_server_or_database_is_told_in_one_line(embedded_server: EmbeddedServer) -> None:
    for conninfo, reason in (
        (embedded_server.address.conninfo("nothing_here"), "does not exist"),
        ("host=/nonexistent dbname=postgres", "No such file"),
    ):
        with pytest.raises(TargetError, match=reason) as caught:
            LibpqSession.connect(conninfo)
        assert "\n" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(unused_listener: int) -> None:
    with pytest.raises(TargetError, match=r"no answer within 0\.2 s"):
        LibpqSession.connect(f"host=127.0.0.1 port={unused_listener} dbname=x sslmode=disable", timeout=0.2)


@pytest.fixture
def unused_listener() -> Iterator[int]:
    """A port that accepts connections, by the kernel, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
