"""PostgreSQL clients can use the zoo."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql
from pygwire import messages as m
from pygwire.codec import BackendMessageDecoder
from pygwire.constants import ConnectionPhase

from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows, until


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


@pytest.fixture
def session(zoo: Zoo) -> Iterator[Connection]:
    connection = connect(zoo.url)
    connection.execute("DROP SCHEMA IF EXISTS mine CASCADE")
    connection.execute("CREATE SCHEMA mine")
    connection.execute("SET search_path = mine")
    yield connection
    connection.close()


def test_parameters_go_in_as_text_and_as_binary_and_results_come_back_as_both(session: Connection) -> None:
    session.execute("CREATE TABLE t (a text, b int, c jsonb)")
    session.execute("INSERT INTO t VALUES (%s, %b, %s)", ("x", 7, '{"k": [1]}'))
    for binary in (False, True):
        with session.cursor(binary=binary) as cursor:
            assert cursor.execute("SELECT a, b, c FROM t WHERE b = %s", (7,)).fetchall() == [("x", 7, {"k": [1]})]


def test_a_statement_prepared_by_the_driver_is_reused(session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    for number in range(8):
        session.execute("INSERT INTO t VALUES (%s)", (number,), prepare=True)
    assert session.execute("SELECT count(*) FROM t WHERE a < %s", (5,), prepare=True).fetchone() == (5,)


def test_a_prepared_query_of_another_shape_is_refused(session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    session.pgconn.prepare(b"p", b"SELECT * FROM t")
    assert session.pgconn.exec_prepared(b"p", []).status == pq.ExecStatus.TUPLES_OK
    session.execute("ALTER TABLE t ADD COLUMN b int")
    refused = session.pgconn.exec_prepared(b"p", [])
    assert refused.error_field(pq.DiagnosticField.SQLSTATE) == b"0A000"
    assert refused.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) == b"cached plan must not change result type"


def test_a_pipeline_is_answered_up_to_its_first_error(session: Connection) -> None:
    answers: list[psycopg.Cursor[Any]] = []

    def speak() -> None:
        with session.pipeline():
            answers.extend(session.execute(text) for text in ("SELECT 1", "SELECT * FROM nosuch", "SELECT 2"))

    with pytest.raises(psycopg.errors.InternalError_, match="unknown catalog item 'nosuch'"):
        speak()
    assert answers[0].fetchone() == (1,)
    assert rows(session, "SELECT 3") == [(3,)]


def test_an_error_has_all_its_fields_and_ends_what_stands_with_it_in_one_message(session: Connection) -> None:
    with pytest.raises(psycopg.Error) as caught:
        session.execute("CREATE CLUSTER w (SIZE 'nosuch'); SELECT 1")
    assert caught.value.sqlstate == "25001"
    with pytest.raises(psycopg.Error) as caught:
        session.execute("CREATE CLUSTER w (SIZE 'nosuch')")
    assert caught.value.diag.severity == "ERROR"
    assert (caught.value.diag.message_hint or "").startswith("Valid cluster replica sizes are: 1, ")


def test_several_statements_in_one_message_are_all_answered_and_are_one_transaction(session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    cursor = session.execute("SELECT 1; SELECT 2")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]
    assert refusal(session, "INSERT INTO t VALUES (1); INSERT INTO t VALUES ('x')")[0] == "XX000"
    assert rows(session, "SELECT * FROM t") == []


def test_a_query_is_cancelled_by_another_connection(session: Connection) -> None:
    timer = threading.Timer(0.2, session.cancel_safe)
    timer.start()
    assert refusal(session, "SELECT mz_unsafe.mz_sleep(30)") == ("57014", "canceling statement due to user request")
    timer.join()
    assert rows(session, "SELECT 1") == [(1,)]


def test_a_subscription_streams_by_copy_until_it_is_cancelled(zoo: Zoo, session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    session.execute("INSERT INTO t VALUES (1)")
    heard: list[list[bytes]] = []

    def listen() -> None:
        with session.cursor() as cursor, cursor.copy("COPY (SUBSCRIBE t) TO STDOUT") as copy:
            heard.extend(bytes(line).split(b"\t")[1:] for line in copy)

    def write_and_cancel() -> None:
        with connect(zoo.url) as other:
            until(lambda: heard == [[b"1", b"1\n"]])
            other.execute("INSERT INTO mine.t VALUES (2)")
            until(lambda: len(heard) == 2)
        session.cancel_safe()

    writer = threading.Thread(target=write_and_cancel)
    writer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        listen()
    writer.join()
    assert heard == [[b"1", b"1\n"], [b"1", b"2\n"]]


def test_a_subscription_ends_when_its_relation_is_dropped(zoo: Zoo, session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    with connect(zoo.url) as other:
        waiting = threading.Thread(target=_drop_once_subscribed, args=(other,))
        waiting.start()
        error = refusal(session, "SUBSCRIBE t")
        waiting.join()
    assert error == ("XX000", 'subscribe has been terminated because underlying relation "t" was dropped')


def _drop_once_subscribed(session: Connection) -> None:
    until(lambda: rows(session, "SELECT count(*) FROM mz_internal.mz_subscriptions") == [(1,)])
    session.execute("DROP TABLE mine.t")


class Raw:
    """A client that sends exactly the messages it is given."""

    def __init__(self, zoo: Zoo) -> None:
        host, _, port = zoo.sql_address.partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self._decoder = BackendMessageDecoder()
        self._decoder.phase = ConnectionPhase.READY

    def start(self) -> None:
        """Connect as materialize, until statements can be sent."""
        self.send(m.StartupMessage({"user": "materialize"}))
        while not self.socket.recv(65536).endswith(b"Z\x00\x00\x00\x05I"):
            pass
        self._decoder.phase = ConnectionPhase.EXTENDED_QUERY

    def send(self, *messages: m.PGMessage) -> None:
        self.socket.sendall(b"".join(message.to_wire() for message in messages))

    def until_ready(self) -> list[m.PGMessage]:
        """The answers up to ReadyForQuery."""
        found: list[m.PGMessage] = []
        while not found or not isinstance(found[-1], m.ReadyForQuery):
            self._decoder.feed(self.socket.recv(65536))
            found += list(self._decoder)
        return found


@pytest.fixture
def raw(zoo: Zoo) -> Iterator[Raw]:
    client = Raw(zoo)
    yield client
    client.socket.close()


def test_encryption_is_refused_and_the_conversation_goes_on(raw: Raw) -> None:
    for request in (m.SSLRequest(), m.GSSEncRequest()):
        raw.send(request)
        assert raw.socket.recv(1) == b"N"
    raw.send(m.StartupMessage({"user": "materialize", "database": "materialize"}))
    assert b"mz_version" in raw.socket.recv(65536)


def test_a_statement_is_described_without_being_done(session: Connection, raw: Raw) -> None:
    session.execute("CREATE TABLE t (a text, b int)")
    raw.start()
    raw.send(m.Parse("p", "INSERT INTO mine.t VALUES ($1, $2)"), m.Describe("S", "p"), m.Sync())
    _, described, columns, _ = raw.until_ready()
    assert described == m.ParameterDescription([25, 23])
    assert isinstance(columns, m.NoData)
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]


def test_row_limits_of_execute_are_kept(raw: Raw) -> None:
    raw.start()
    raw.send(
        m.Parse("", "SELECT * FROM generate_series(1, 3)"),
        m.Bind(),
        m.Describe("P"),
        m.Execute("", 2),
        m.Execute("", 2),
        m.Sync(),
    )
    names = [type(message).__name__ for message in raw.until_ready()]
    assert names == [
        "ParseComplete", "BindComplete", "RowDescription", "DataRow", "DataRow", "PortalSuspended", "DataRow", "CommandComplete",
        "ReadyForQuery",
    ]  # fmt: skip


def test_settings_of_the_startup_message_hold(zoo: Zoo) -> None:
    with psycopg.connect(zoo.url, options="-c cluster=nosuch --search_path=elsewhere", application_name="tests") as session:
        assert rows(session, "SHOW cluster") == [("nosuch",)]
        assert rows(session, "SHOW search_path") == [("elsewhere",)]
        assert session.info.parameter_status("application_name") == "tests"
        assert session.info.parameter_status("server_version") == "9.5.0"


def test_a_query_knows_who_asks_and_where(zoo: Zoo) -> None:
    with connect(zoo.url) as session:
        asked = "SELECT current_user, session_user AS s, current_database(), current_schema(), 'current_user'"
        assert rows(session, asked) == [("materialize", "materialize", "materialize", "public", "current_user")]


def test_only_the_internal_port_lets_the_operator_in(zoo: Zoo) -> None:
    with pytest.raises(psycopg.OperationalError, match="unauthorized login to user 'mz_system'"):
        connect(zoo.url.replace("materialize@", "mz_system@"))
    with connect(zoo.internal_url) as operator:
        operator.execute("ALTER SYSTEM SET max_tables = 1000000")
        assert rows(operator, "SHOW max_tables") == [("1000000",)]


def test_notices_and_changed_parameters_reach_the_client(session: Connection) -> None:
    heard: list[str] = []
    session.add_notice_handler(lambda notice: heard.append(f"{notice.severity} {notice.message_primary}"))
    session.execute("SET cluster = nosuch")
    session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("Not There")))
    assert heard == ['NOTICE cluster "nosuch" does not exist', 'NOTICE TABLE "Not There" does not exist, skipping']
    assert session.info.parameter_status("cluster") == "nosuch"


def test_temporary_things_go_with_their_session(zoo: Zoo, session: Connection) -> None:
    with connect(zoo.url) as other:
        other.execute("CREATE TEMPORARY TABLE tt (a int)")
        assert rows(other, "SELECT * FROM tt") == []
        assert refusal(session, "SELECT * FROM tt") == ("XX000", "unknown catalog item 'tt'")
    until(lambda: rows(session, "SELECT count(*) FROM mz_tables WHERE name = 'tt'") == [(0,)])
