"""A session with PostgreSQL over libpq's simple query protocol, made for thousands of statements a second from many threads.

Other threads run while a session waits for the server: `PGconn.exec_` releases the interpreter's lock, and connecting, cancelling
and ending a COPY use libpq's asynchronous calls and wait on the socket.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Self

import msgspec
import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import DiagnosticField as Field
from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

from racehound.errors import UnreachableError, UserError
from racehound.session import Outcome, Rows, ServerError

# Plain integers, because a comparison with members of an enumeration costs more than a fast `execute`.
_EMPTY_QUERY = int(pq.ExecStatus.EMPTY_QUERY)
_COMMAND_OK = int(pq.ExecStatus.COMMAND_OK)
_TUPLES_OK = int(pq.ExecStatus.TUPLES_OK)
_COPY_OUT = int(pq.ExecStatus.COPY_OUT)
_COPY_IN = int(pq.ExecStatus.COPY_IN)
_COPY = (_COPY_IN, _COPY_OUT, int(pq.ExecStatus.COPY_BOTH))
_DONE = (_COMMAND_OK, _TUPLES_OK, _EMPTY_QUERY)
_CONNECTION_OK = int(pq.ConnStatus.OK)

_CONNECTION_FAILURE = "08006"
_NOT_SUPPORTED = "0A000"
_NOT_IN_REPERTOIRE = "22021"
_LAST_WORDS = (b"FATAL", b"PANIC")
"""Severities of messages after which a server ends the connection (PostgreSQL documentation, "Message Severity Levels")."""
_SESSION_ENDS = b"57P"
"""How SQLSTATEs begin by which a server tells a session why it ends it (PostgreSQL documentation, appendix A). A server process
that must end at once tells it in a warning."""
_CANCEL_LIMIT = 5.0
"""Seconds for a cancel request, which opens a connection to the server."""


class LibpqSession:
    """One connection. Methods return outcomes and raise nothing for what the server does.

    Notices are ignored, except those by which a server tells why it ends the connection.
    """

    def __init__(self, connection: PGconn) -> None:
        """`connection` is established and blocking; the session owns it."""
        self._connection = connection
        self._exec: Callable[[bytes], PGresult] = connection.exec_
        self.pid = connection.backend_pid
        """Process id of the backend."""
        self._refused: Outcome | None = None
        self._result: PGresult | None = None
        """The first error of the statement that was sent, else its last result so far."""
        self._farewells: list[ServerError] = []
        """What the server told when it ended the connection while no statement ran, or in a warning."""
        # The handler does not refer to the session, so that a session that nobody uses any more is closed at once.
        connection.notice_handler = functools.partial(_keep_farewell, self._farewells)

    @classmethod
    def connect(cls, conninfo: str, application_name: str = "racehound", *, timeout: float = 10.0) -> Self:
        """Connect within `timeout` seconds.

        `conninfo`: key=value pairs or a postgres:// URL, as libpq takes them; the session's client encoding is UTF-8. UserError
        when the text is malformed; UnreachableError, with libpq's reason in one line, when the connection fails.
        """
        try:
            full = make_conninfo(conninfo, application_name=application_name, client_encoding="UTF8")
            connection = pq.PGconn.connect_start(full.encode())
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise UserError(f"not a PostgreSQL connection string: {_one_line(str(error))}") from None
        state = _drive(connection, connection.connect_poll, timeout)
        if state != pq.PollingStatus.OK:
            reason = _one_line(_text(connection.error_message)) if state is not None else f"no answer within {timeout:g} s"
            connection.finish()
            raise UnreachableError(f"cannot connect to PostgreSQL: {reason}", silent=state is None)
        return cls(connection)

    @property
    def transaction_status(self) -> pq.TransactionStatus:
        """Idle, in a transaction, in a failed transaction, or unknown when the connection is lost."""
        return pq.TransactionStatus(self._connection.transaction_status)

    @property
    def fileno(self) -> int:
        """The socket for select and poll; -1 when the connection is lost."""
        return self._connection.socket if self._connection.status == _CONNECTION_OK else -1

    @property
    def server_version(self) -> str:
        """What the server called its version when the session began, e.g. `18.6`; "" where it said nothing."""
        return _text(self._connection.parameter_status(b"server_version"))

    def execute(self, sql: str) -> Outcome:
        """Run one statement and return its outcome.

        A lost connection has the server's last message, if any, as its message, and its SQLSTATE where libpq tells it, else
        08006. Several statements in one text are one transaction for the server; the outcome is that of the last. COPY from or to
        the client is an error.
        """
        try:
            query = sql.encode()
            if b"\0" in query:
                return _refusal(_NOT_IN_REPERTOIRE, "a statement cannot hold a zero byte")
            result = self._exec(query)
        except UnicodeEncodeError as error:
            return _refusal(_NOT_IN_REPERTOIRE, f"a statement must be Unicode text: {error.reason}")
        except psycopg.Error as error:
            return self._loss(error)
        return self._outcome(result)

    def ask_within(self, sql: str, seconds: float) -> Outcome:
        """As `execute`; after so many seconds without an answer the connection is closed. Then UnreachableError is raised."""
        deadline = time.monotonic() + seconds
        self.send(sql)
        while (outcome := self.take()) is None:
            if not _wait(self._connection.socket, select.POLLIN, max(0.0, deadline - time.monotonic())):
                self.close()
                raise UnreachableError(f"no answer within {seconds:g} s", silent=True)
        return outcome

    def farewell(self) -> ServerError | None:
        """What the server told when it ended this connection, which is idle; None while it has not ended it, or said nothing."""
        if self.fileno >= 0:
            with contextlib.suppress(psycopg.Error):
                self._connection.consume_input()
                self._connection.notifies()  # libpq parses what it has read
        return self._farewells[-1] if self._farewells else None

    def send(self, sql: str) -> None:
        """Send a statement without waiting. `take` or `finish` returns its outcome and must do so before the next statement."""
        self._refused = self._result = None
        try:
            query = sql.encode()
            if b"\0" in query:
                self._refused = _refusal(_NOT_IN_REPERTOIRE, "a statement cannot hold a zero byte")
            else:
                self._connection.send_query(query)
        except UnicodeEncodeError as error:
            self._refused = _refusal(_NOT_IN_REPERTOIRE, f"a statement must be Unicode text: {error.reason}")
        except psycopg.Error as error:
            self._refused = self._loss(error)

    def take(self) -> Outcome | None:
        """The outcome of the statement that was sent; None while the server works. It waits only for the end of a COPY."""
        if self._refused is not None:
            return self._refused
        with contextlib.suppress(psycopg.Error):
            # When the connection is lost, the result from libpq says so.
            self._connection.consume_input()
        try:
            while not self._connection.is_busy():
                result = self._connection.get_result()
                if result is None:
                    assert self._result is not None
                    return self._outcome(self._result)
                if result.status in _COPY:
                    return self._outcome(result)
                if self._result is None or self._result.status in _DONE:
                    self._result = result
        except psycopg.Error as error:
            return self._loss(error)
        return None

    def finish(self) -> Outcome:
        """Wait for the outcome of the statement that was sent."""
        while (outcome := self.take()) is None:
            _wait(self._connection.socket, select.POLLIN, None)
        return outcome

    def _outcome(self, result: PGresult) -> Outcome:
        status = result.status
        if status in _DONE:
            rows = _rows(result) if status == _TUPLES_OK else None
            return Outcome("ok", (result.command_status or b"").decode(), result.command_tuples, None, rows)
        return self._end_copy(status) if status in _COPY else self._failure(result)

    def cancel(self) -> None:
        """Ask the server to cancel the running statement; may be called from another thread. Errors are ignored.

        The outcome of the statement shows whether the request came in time (SQLSTATE 57014).
        """
        try:
            request: PGcancelConn = self._connection.cancel_conn()
            request.start()
            _drive(request, request.poll, _CANCEL_LIMIT)
            request.finish()
        except psycopg.Error:
            # The connection is closed or lost: nothing runs.
            return

    def sever(self) -> None:
        """Break the connection, from any thread: what runs in it is lost, and comes back as lost."""
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno)) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def reset(self) -> Outcome:
        """Roll back an open transaction and all session state (DISCARD ALL); the first outcome that is not ok, else the last."""
        if self._connection.transaction_status != pq.TransactionStatus.IDLE:
            outcome = self.execute("ROLLBACK")
            if not outcome.ok:
                return outcome
        return self.execute("DISCARD ALL")

    def close(self) -> None:
        """End the session; the server rolls back an open transaction. May be called twice."""
        self._connection.finish()

    def _failure(self, result: PGresult) -> Outcome:
        # Every error of a server has a SQLSTATE, and none of libpq's own has. The status is not enough: when the statement could
        # not be sent, libpq still reports the connection as good.
        told = _server_error(result) if result.error_field(Field.SQLSTATE) else None
        if (
            told
            and self._connection.status == _CONNECTION_OK
            and result.error_field(Field.SEVERITY_NONLOCALIZED) not in _LAST_WORDS
        ):
            return Outcome("error", error=told)
        # The result may say only that the connection was lost; the connection has the server's last message, too.
        last_words = _one_line(_text(self._connection.error_message)) or _one_line(_text(result.error_message))
        self._connection.finish()
        return self._lost(last_words, told)

    def _loss(self, error: psycopg.Error) -> Outcome:
        return self._lost(_one_line(str(error)))

    def _lost(self, last_words: str, told: ServerError | None = None) -> Outcome:
        """The connection has ended. `told`: why, as the server said in answer to a statement."""
        told = told or (self._farewells[-1] if self._farewells else None)
        if told is None:
            return Outcome("lost", error=ServerError(_CONNECTION_FAILURE, last_words))
        message = last_words if told.message in last_words else f"{told.message}; {last_words}"
        return Outcome("lost", error=msgspec.structs.replace(told, message=message))

    def _end_copy(self, status: int) -> Outcome:
        """End a COPY, so that the session can go on."""
        message = "COPY from and to the client is not supported here: use a file, INSERT or SELECT"
        try:
            if status == _COPY_IN:
                self._connection.put_copy_end(message.encode())
            elif status == _COPY_OUT:
                self._drain()
            else:
                # A client cannot end replication.
                self._connection.finish()
                return Outcome("lost", error=ServerError(_NOT_SUPPORTED, "replication is not supported in a session"))
            last = self._last_result()
        except psycopg.Error as error:
            return self._loss(error)
        if last is not None and last.status not in (_COMMAND_OK, _TUPLES_OK):
            return self._failure(last)
        return _refusal(_NOT_SUPPORTED, message)

    def _drain(self) -> None:
        """Read a COPY TO to its end and discard the data."""
        while True:
            size, _ = self._connection.get_copy_data(1)
            if size < 0:
                return
            if size == 0:
                self._await_input()

    def _last_result(self) -> PGresult | None:
        """Read the remaining results; returns the first error, else the last result."""
        last = None
        while True:
            while self._connection.is_busy():
                self._await_input()
            result = self._connection.get_result()
            if result is None:
                return last
            if last is None or last.status in (_COMMAND_OK, _TUPLES_OK):
                last = result

    def _await_input(self) -> None:
        _wait(self._connection.socket, select.POLLIN, None)
        self._connection.consume_input()


def _drive(connection: PGconn | PGcancelConn, poll: Callable[[], int], timeout: float) -> int | None:
    """Poll an asynchronous exchange until it is OK or FAILED; None after the timeout (seconds)."""
    deadline = time.monotonic() + timeout
    # libpq wants the first poll to be as if it had said WRITING ("libpq-connect", PQconnectStart).
    state = int(pq.PollingStatus.WRITING)
    if connection.status == pq.ConnStatus.BAD:
        return pq.PollingStatus.FAILED
    while state not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
        direction = select.POLLIN if state == pq.PollingStatus.READING else select.POLLOUT
        if not _wait(connection.socket, direction, max(0.0, deadline - time.monotonic())):
            return None
        state = poll()
    return state


def _wait(socket: int, direction: int, timeout: float | None) -> bool:
    events = select.poll()
    events.register(socket, direction)
    return bool(events.poll(None if timeout is None else timeout * 1000))


def _rows(result: PGresult) -> Rows:
    width = range(result.nfields)
    get = result.get_value
    columns = tuple([_text(result.fname(column)) for column in width])
    types = tuple([result.ftype(column) for column in width])
    cells = [tuple([_cell(get(row, column)) for column in width]) for row in range(result.ntuples)]
    return Rows(columns, types, cells)


def _cell(value: bytes | bytearray | memoryview | None) -> str | None:
    return None if value is None else str(value, "utf-8", "replace")


def _server_error(result: PGresult) -> ServerError:
    def field(code: Field) -> str:
        return _text(result.error_field(code))

    line = field(Field.SOURCE_LINE)
    return ServerError(
        sqlstate=field(Field.SQLSTATE),
        message=field(Field.MESSAGE_PRIMARY),
        detail=field(Field.MESSAGE_DETAIL),
        hint=field(Field.MESSAGE_HINT),
        context=field(Field.CONTEXT),
        schema=field(Field.SCHEMA_NAME),
        table=field(Field.TABLE_NAME),
        column=field(Field.COLUMN_NAME),
        datatype=field(Field.DATATYPE_NAME),
        constraint=field(Field.CONSTRAINT_NAME),
        source=f"{field(Field.SOURCE_FILE)}:{line} {field(Field.SOURCE_FUNCTION)}" if line else "",
    )


def _keep_farewell(farewells: list[ServerError], result: PGresult) -> None:
    """Called by libpq for each notice, and for an error that comes while no statement runs."""
    sqlstate = result.error_field(Field.SQLSTATE) or b""
    if sqlstate.startswith(_SESSION_ENDS) or result.error_field(Field.SEVERITY_NONLOCALIZED) in _LAST_WORDS:
        farewells.append(_server_error(result))


def _refusal(sqlstate: str, message: str) -> Outcome:
    """An error of racehound's own."""
    return Outcome("error", error=ServerError(sqlstate, message))


def _text(value: bytes | None) -> str:
    # Errors are replaced: a name may be cut within a character, and early messages come in another encoding.
    return "" if value is None else value.decode("utf-8", "replace")


def _one_line(message: str) -> str:
    return " ".join(message.split())
