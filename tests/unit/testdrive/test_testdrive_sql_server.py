"""SQL Server's connection strings, and what becomes of actions where no server is. No real server was ever asked."""

from __future__ import annotations

import socket
import time
from typing import Self

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.session import Outcome
from racehound.testdrive.actions import sql_server
from racehound.testdrive.actions.sql_server import Ado
from racehound.testdrive.errors import ActionError, CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, run_file
from racehound.testdrive.state import Call, State


class NoSession:
    """A target that these scripts never speak to."""

    pid = 0

    def execute(self, sql: str) -> Outcome:
        raise AssertionError(sql)

    def cancel(self) -> None:
        """Nothing runs."""

    def reset(self) -> Outcome:
        raise AssertionError

    def close(self) -> None:
        """Nothing is open."""


def failure(text: str, context: Context) -> str:
    with pytest.raises(CommandFailed) as raised:
        run_file(text, "some.td", context)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "ado"),
    [
        (
            "server=tcp:sql-server,1433;IntegratedSecurity=true;TrustServerCertificate=true;User ID=SA;Password=RPSsql12345",
            Ado("sql-server", 1433, "SA", "RPSsql12345"),
        ),
        ("Server=h;UID=u;PWD=p;Initial Catalog=test;", Ado("h", 1433, "u", "p", "test")),
        ("data source = 10.0.0.1 , 5 ; user = u ; password = a b=c ; database = d", Ado("10.0.0.1", 5, "u", "a b=c", "d")),
        ("server=(local);User ID={u};Password={a;b\"'};Database=d", Ado("localhost", 1433, "u", "a;b\"'", "d")),
        ("server=.;user='it''s';password=\"a;\"\"b\"", Ado("localhost", 1433, "it's", 'a;"b')),
        ("server=h;user=u;password=;encrypt=true;TrustServerCertificateCA=/ca.pem", Ado("h", 1433, "u", "", "", True, "/ca.pem")),
        ("server=h;user=u;Encrypt=no\n", Ado("h", 1433, "u", "")),
    ],
)
def test_a_connection_string_is_read(text: str, ado: Ado) -> None:
    assert Ado.parse(text) == ado


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no server"),
        ("user=u;password=secret", "names no server"),
        ("server=h;IntegratedSecurity=true", "has no User ID"),
        ("server=np:h;user=u;password=secret", "tcp:HOST,PORT"),
        ("server=h\\instance;user=u", "tcp:HOST,PORT"),
        ("server=h,port;user=u", "tcp:HOST,PORT"),
        ("server=h;user=u;nonsense;password=secret", "cannot be read after server, user"),
        ("server=h;user=u;password='secret", "cannot be read after server, user"),
    ],
)
def test_what_cannot_be_read_is_told_without_the_password(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("\\", "\\\\")) as raised:
        Ado.parse(text)
    assert "secret" not in str(raised.value)


def test_where_nothing_listens_the_error_is_clear_and_comes_at_once() -> None:
    context = Context(NoSession(), services=ServiceAddresses(hosts={"sql-server": "127.0.0.1:1"}))
    start = time.monotonic()
    script = "$ sql-server-connect name=s\nserver=tcp:sql-server,1433;User ID=SA;Password=hunter2\n"
    message = failure(script, context)
    assert "cannot connect to SQL Server at 127.0.0.1:1: [Errno 111] Connection refused" in message
    assert "hunter2" not in message
    assert time.monotonic() - start < 5


def test_a_server_that_does_not_answer_fails_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        script = f"$ sql-server-connect name=s\nserver=127.0.0.1,{silent.getsockname()[1]};User ID=SA;Password=x\n"
        start = time.monotonic()
        assert "timed out" in failure(script, Context(NoSession(), timeout=0.3))
    assert time.monotonic() - start < 5


def test_encryption_needs_an_authority() -> None:
    script = "$ sql-server-connect name=s\nserver=127.0.0.1,1;User ID=SA;Password=x;Encrypt=true\n"
    assert "Encrypt=true needs TrustServerCertificateCA" in failure(script, Context(NoSession()))


def test_a_connection_that_nobody_made_is_told() -> None:
    for action in (
        "sql-server-execute name=s",
        "sql-server-execute name=s split-lines=false",
        "sql-server-set-from-sql name=s var=x",
    ):
        assert "no SQL Server connection named s" in failure(f"$ {action}\nSELECT 1\n", Context(NoSession()))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$ sql-server-connect\nserver=h;user=u\n", "missing parameter name"),
        ("$ sql-server-connect name=s retry-max-duration=soon\nserver=h;user=u\n", "not a number of seconds"),
        ("$ sql-server-connect name=s\nuser=u\n", "names no server"),
        ("$ sql-server-execute name=s split-lines=no\nSELECT 1\n", "neither true nor false"),
        ("$ sql-server-set-from-sql name=s\nSELECT 1\n", "missing parameter var"),
    ],
)
def test_bad_arguments_are_told(script: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        run_file(script, "some.td", Context(NoSession()))


class _Cursor:
    """Answers batches by the functions of its connection: rows, or what is raised."""

    description = ("column",)

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def execute(self, batch: str) -> None:
        self.connection.batches.append(batch)
        if self.connection.errors:
            raise self.connection.errors.pop(0)

    def fetchall(self) -> list[tuple[object, ...]]:
        return self.connection.rows

    def nextset(self) -> bool | None:
        return None


class _Connection:
    """What the driver's connection looks like to the actions."""

    def __init__(self, rows: list[tuple[object, ...]], errors: list[Exception]) -> None:
        self.rows = rows
        self.errors = errors
        self.batches: list[str] = []

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def close(self) -> None:
        """There is nothing to close."""


def act(name: str, connection: _Connection, *lines: str, **arguments: str) -> tuple[State, list[float]]:
    """Run an action on the connection `s`; the state, and how long it slept in between."""
    slept: list[float] = []
    state = State(Context(NoSession(), sleep=slept.append))
    state.replace_resource("sql-server s", connection)
    sql_server.ACTIONS[name](Call(name, {"name": "s", **arguments}, lines), state)
    return state, slept


def _refused(number: int) -> Exception:
    pytds = pytest.importorskip("pytds")
    error: Exception = pytds.OperationalError("Transaction was deadlocked")
    error.msg_no = error.number = number  # type: ignore[attr-defined]
    return error


def test_lines_are_batches_or_all_together() -> None:
    connection = _Connection([], [])
    act("sql-server-execute", connection, "USE test;", "SELECT 1")
    act("sql-server-execute", connection, "IF 1 = 1", "BEGIN", "END", **{"split-lines": "false"})
    assert connection.batches == ["USE test;", "SELECT 1", "IF 1 = 1\nBEGIN\nEND"]


def test_the_victim_of_a_deadlock_is_run_again() -> None:
    connection = _Connection([], [_refused(1205), _refused(1205)])
    _, slept = act("sql-server-execute", connection, "DELETE FROM t")
    assert connection.batches == ["DELETE FROM t"] * 3
    assert slept == [0.5, 1.0]


def test_any_other_error_fails_with_its_number() -> None:
    with pytest.raises(ActionError, match=r"^SELECT 1: Transaction was deadlocked \(208\)$"):
        act("sql-server-execute", _Connection([], [_refused(208)]), "SELECT 1", "SELECT 2")


def test_a_variable_is_set_from_one_row() -> None:
    state, _ = act("sql-server-set-from-sql", _Connection([(7, "x")], []), "SELECT", "7", var="v")
    assert state.variables["v"] == "7"
    several: list[list[tuple[object, ...]]] = [[], [(1,), (2,)], [(None,)]]
    for rows in several:
        with pytest.raises(ActionError, match="needs one row"):
            act("sql-server-set-from-sql", _Connection(rows, []), "SELECT 7", var="v")
