"""A connection to an upstream PostgreSQL. It can stream changes, and waiting on it can be interrupted at any time."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

from racehound_zoo.sources.postgres.spelling import Row, copied, identifier, literal
from racehound_zoo.sources.source import ConnectionFacts
from racehound_zoo.sources.upstream import UpstreamError
from racehound_zoo.sources.wakeup import Wakeup

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_CONNECT_S = 5.0
_ANSWER_S = 600.0
"""The largest time, in seconds, to wait for an answer.

A snapshot takes long, and creating a slot waits for running transactions.
"""
_CANCEL_S = 1.0
# The format of values must not depend on the settings of the server, the database or the role.
_SETTINGS = {
    "DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC", "extra_float_digits": "3", "bytea_output": "hex",
    "statement_timeout": "0",
}  # fmt: skip
_NAME = "materialize"
_FAILED = {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.NONFATAL_ERROR}
_POLLING = {pq.PollingStatus.READING: False, pq.PollingStatus.WRITING: True}


def conninfo(connection: ConnectionFacts, *, replication: bool = False) -> str:
    """The connection string for libpq."""
    options = connection.options
    parameters = {
        "host": options.get("HOST"), "port": options.get("PORT") or "5432", "dbname": options.get("DATABASE"),
        "user": options.get("USER"), "password": options.get("PASSWORD"), "sslmode": options.get("SSL MODE") or "disable",
        "application_name": _NAME, "client_encoding": "UTF8",
        "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items()),
        "replication": "database" if replication else None,
    }  # fmt: skip
    return make_conninfo(**{name: value for name, value in parameters.items() if value is not None})


class ReplicationConnection:
    """A connection. It belongs to one thread. Its methods raise UpstreamError when the database fails, and StoppedError when the
    wakeup is stopped.

    All waiting is done here, because libpq's own functions would block the other threads of this process while they wait.
    """

    def __init__(self, info: str, wakeup: Wakeup) -> None:
        self._bell = wakeup
        self._connection = pq.PGconn.connect_start(info.encode())
        try:
            self._connect()
        except BaseException:
            self._connection.finish()
            raise

    def _connect(self) -> None:
        deadline = time.monotonic() + _CONNECT_S
        while (status := pq.PollingStatus(self._connection.connect_poll())) != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED:
                raise UpstreamError(_of_connecting(self._connection.get_error_message()))
            if not self._bell.await_socket(self._connection.socket, deadline, writing=_POLLING[status]):
                raise UpstreamError("error connecting to server: connection timed out")
        self._connection.nonblocking = 1

    def close(self) -> None:
        """Close the connection. A running statement is cancelled first, because the server would not notice the disconnect."""
        if self._connection.transaction_status == pq.TransactionStatus.ACTIVE:
            self._cancel()
        self._connection.finish()

    def _cancel(self) -> None:
        cancelling = self._connection.cancel_conn()
        deadline = time.monotonic() + _CANCEL_S
        with contextlib.closing(Wakeup()) as unheard, contextlib.suppress(OperationalError):
            cancelling.start()
            while (status := pq.PollingStatus(cancelling.poll())) in _POLLING:
                if not unheard.await_socket(cancelling.socket, deadline, writing=_POLLING[status]):
                    break
        cancelling.finish()

    # Queries

    def rows(self, sql: str) -> list[Row]:
        """The rows of the last of these statements."""
        results = self._ask(sql)
        last = results[-1]
        return [tuple(_text(last.get_value(row, column)) for column in range(last.nfields)) for row in range(last.ntuples)]

    def copy(self, sql: str) -> list[Row]:
        """The rows of COPY … TO STDOUT."""
        self._begin(sql, pq.ExecStatus.COPY_OUT)
        lines = []
        while (data := self._receive(_ANSWER_S)) is not None:
            lines.append(copied(data))
        self._results()
        return lines

    def _ask(self, sql: str) -> list[PGresult]:
        self._connection.send_query(sql.encode())
        return self._results()

    def _results(self) -> list[PGresult]:
        """The results of all statements, up to the first that failed."""
        results = []
        while (result := self._result()) is not None:
            results.append(result)
        return results

    def _result(self) -> PGresult | None:
        self._flush()
        deadline = time.monotonic() + _ANSWER_S
        while self._connection.is_busy():
            self._await(deadline)
            self._consume()
        result = self._connection.get_result()
        if result is not None and result.status in _FAILED:
            while self._connection.get_result() is not None:
                continue
            raise UpstreamError(_of_result(result))
        return result

    def _begin(self, sql: str, expected: pq.ExecStatus) -> None:
        self._connection.send_query(sql.encode())
        result = self._result()
        if result is None or result.status != expected:
            raise UpstreamError(f"unexpected answer to {sql.split(maxsplit=1)[0]}")

    # The stream

    def stream(self, slot: str, position: str, publication: str) -> None:
        """Start to stream the changes of a publication's tables that were committed after an LSN."""
        options = f"proto_version '1', publication_names {literal(identifier(publication))}"
        self._begin(f"START_REPLICATION SLOT {identifier(slot)} LOGICAL {position} ({options})", pq.ExecStatus.COPY_BOTH)

    def receive(self) -> bytes | None:
        """The next message of the stream; None if none has arrived."""
        size, data = self._connection.get_copy_data(1)
        if size == 0:
            self._consume()
            size, data = self._connection.get_copy_data(1)
        return self._copied(size, data) if size else None

    def send(self, data: bytes) -> None:
        """Send a message to the server during the stream."""
        self._connection.put_copy_data(data)
        self._flush()

    def await_message(self, seconds: float) -> None:
        """Wait until a message arrives, the wakeup is notified, or the time is over."""
        self._bell.wait(seconds, self._connection.socket)

    def _receive(self, seconds: float) -> bytes | None:
        """The next message of a copy; None at its end."""
        deadline = time.monotonic() + seconds
        while True:
            size, data = self._connection.get_copy_data(1)
            if size == -1:
                return None
            if size:
                return bytes(data)
            self._await(deadline)
            self._consume()

    def _copied(self, size: int, data: memoryview) -> bytes:
        if size > 0:
            return bytes(data)
        self._results()
        raise UpstreamError("replication stream ended prematurely")

    # The socket

    def _await(self, deadline: float) -> None:
        if not self._bell.await_socket(self._connection.socket, deadline):
            raise UpstreamError("the server does not answer")

    def _flush(self) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while self._connection.flush():
            self._bell.await_socket(self._connection.socket, deadline, writing=True)

    def _consume(self) -> None:
        try:
            self._connection.consume_input()
        except OperationalError as error:
            raise UpstreamError("connection closed") from error


def _of_connecting(message: str) -> str:
    """The message of libpq about a failed connection, in the words of Materialize's driver."""
    text = " ".join(message.split())
    if "FATAL:" in text:
        return f"db error: FATAL: {text.partition('FATAL:')[2].strip()}"
    if "Connection refused" in text:
        return "error connecting to server: Connection refused (os error 111)"
    return f"error connecting to server: {text.rpartition('failed: ')[2]}"


def _of_result(result: PGresult) -> str:
    def field(which: pq.DiagnosticField) -> str:
        return (result.error_field(which) or b"").decode(errors="replace")

    message = field(pq.DiagnosticField.MESSAGE_PRIMARY)
    if not message:
        return "connection closed"
    return f"db error: {field(pq.DiagnosticField.SEVERITY) or 'ERROR'}: {message}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
