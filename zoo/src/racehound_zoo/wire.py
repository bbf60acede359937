"""The PostgreSQL protocol, version 3, on the server's side of one socket. pygwire encodes and decodes the messages."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable, Iterator, Sequence

from pygwire import messages as m
from pygwire.codec import FrontendMessageDecoder
from pygwire.constants import ConnectionPhase, StartupRequestCode, TransactionStatus
from pygwire.exceptions import PygwireError

from racehound_zoo.backend import Field, Row
from racehound_zoo.errors import Notice, SqlError

_CHUNK = 65536
_FULL = 262_144
"""The number of bytes that are buffered before they are sent."""
_NEWEST_MINOR = 0
_REFUSED = b"N"


class DisconnectedError(Exception):
    """The client has disconnected or has violated the protocol."""


class Wire:
    """A connection.

    Messages are buffered until `flush`, or until there are many. DisconnectedError when the client has disconnected.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._decoder = FrontendMessageDecoder()
        self._out = bytearray()

    # Startup

    def startup(self) -> m.StartupMessage | m.CancelRequest:
        """Read the client's first message: it opens a session, or it cancels a statement of another one.

        Encryption is refused; clients continue without it.
        """
        for message in self.messages():
            if isinstance(message, m.SSLRequest | m.GSSEncRequest):
                self._send_now(_REFUSED)
            elif isinstance(message, m.StartupMessage):
                self._decoder.phase = ConnectionPhase.READY
                self._negotiate(message)
                return message
            elif isinstance(message, m.CancelRequest):
                return message
        raise DisconnectedError

    def _negotiate(self, message: m.StartupMessage) -> None:
        """Refuse a newer minor version of the protocol, and protocol options: none are known here."""
        unknown = [name for name in message.params if name.startswith("_pq_.")]
        if message.protocol_version != StartupRequestCode.V3_0 or unknown:
            self.send(m.NegotiateProtocolVersion(_NEWEST_MINOR, unknown))

    def send_authenticated(self, number: int, secret: bytes, parameters: Iterable[tuple[str, str]]) -> None:
        """Tell the client that it has been authenticated."""
        self.send(m.AuthenticationOk())
        self.parameters(parameters)
        self.send(m.BackendKeyData(number, secret))

    # Receiving

    def messages(self) -> Iterator[m.PGMessage]:
        """The messages of the client, until it disconnects."""
        try:
            while True:
                yield from self._decoder
                data = self._socket.recv(_CHUNK)
                if not data:
                    return
                self._decoder.feed(data)
        except (OSError, PygwireError) as error:
            raise DisconnectedError from error

    def is_gone(self) -> bool:
        """Whether the client has disconnected. Messages that it sent before that are kept."""
        try:
            readable, _, _ = select.select([self._socket], [], [], 0)
            return bool(readable) and self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except (OSError, ValueError):
            return True

    # Sending

    def send(self, message: m.PGMessage) -> None:
        self._out += message.to_wire()
        if len(self._out) > _FULL:
            self.flush()

    def flush(self) -> None:
        if self._out:
            data, self._out = bytes(self._out), bytearray()
            self._send_now(data)

    def _send_now(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise DisconnectedError from error

    def parameters(self, changed: Iterable[tuple[str, str]]) -> None:
        for name, value in changed:
            self.send(m.ParameterStatus(_SPELLINGS.get(name, name), value))

    def ready(self, status: str) -> None:
        self.send(m.ReadyForQuery(TransactionStatus(status)))
        self.flush()

    def describe_rows(self, fields: Sequence[Field], result_format: int) -> None:
        """RowDescription, or NoData for a result without columns."""
        if not fields:
            self.send(m.NoData())
            return
        described = [
            m.FieldDescription(field.name, 0, 0, field.oid, field.size, field.modifier, result_format) for field in fields
        ]
        self.send(m.RowDescription(described))

    def row(self, row: Row) -> None:
        self.send(m.DataRow(list(row)))

    def copy_begins(self, columns: int) -> None:
        self.send(m.CopyOutResponse(0, [0] * columns))

    def error(self, error: SqlError, severity: str = "ERROR") -> None:
        self.send(m.ErrorResponse(_fields(severity, error.sqlstate, error.message, error.detail, error.hint)))

    def notice(self, notice: Notice) -> None:
        self.send(m.NoticeResponse(_fields(notice.severity, notice.sqlstate, notice.message)))

    def close(self) -> None:
        """Close the socket. May be called from any thread: a thread that reads from it gets the end of the stream."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


_SPELLINGS = {"datestyle": "DateStyle", "timezone": "TimeZone", "intervalstyle": "IntervalStyle"}
"""Parameters whose names have capitals in the protocol."""


def _fields(severity: str, sqlstate: str, message: str, detail: str | None = None, hint: str | None = None) -> dict[str, str]:
    given = {"S": severity, "V": severity, "C": sqlstate, "M": message, "D": detail, "H": hint}
    return {name: value for name, value in given.items() if value is not None}
