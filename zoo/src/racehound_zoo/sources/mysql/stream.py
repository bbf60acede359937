"""The binary log as a stream of transactions. It uses mysql-replication."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.event import GtidEvent, HeartbeatLogEvent, QueryEvent, XidEvent
from pymysqlreplication.logger import logger
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from racehound_zoo.sources.mysql.session import Connection, connect, settings, translating_errors
from racehound_zoo.sources.source import ConnectionFacts
from racehound_zoo.sources.upstream import UpstreamError
from racehound_zoo.sources.wakeup import Wakeup

_HEARTBEAT_S = 0.2
_SILENCE_S = 10
"""The number of seconds without a heartbeat after which the server counts as unreachable."""
_CONNECTIONS = 2
"""One connection for the log and one for queries about it."""
_READ_AHEAD = 1000
_FULL_S = 0.1
_EVENTS = (GtidEvent, QueryEvent, XidEvent, WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent, HeartbeatLogEvent)

# Errors of a lost connection are reported by the source's status, not by a log.
logger.addHandler(logging.NullHandler())

Values = dict[str, object]
Event = Any
"""An event of mysql-replication, which has no type annotations."""


@dataclasses.dataclass(frozen=True, slots=True)
class RowChange:
    """The change of a row: its old and its new values."""

    schema: str
    table: str
    old: Values | None
    new: Values | None


@dataclasses.dataclass(frozen=True, slots=True)
class DdlEvent:
    """A DDL statement, and the schema in which it was executed."""

    schema: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class BinlogTransaction:
    gtid: str
    events: tuple[RowChange | DdlEvent, ...]


class Stream:
    """All transactions that are not in a set of GTIDs. A thread reads them.

    They contain the rows of the tables in `wanted` only; names may be added to it. The wakeup is notified when there is something
    new.
    """

    def __init__(self, connection: ConnectionFacts, position: str, wakeup: Wakeup) -> None:
        self.wanted: set[str] = set()
        self.flows = False
        """Whether the server has begun to send."""
        self._bell = wakeup
        self._read: queue.Queue[BinlogTransaction] = queue.Queue(_READ_AHEAD)
        self._failure: UpstreamError | None = None
        self._closed = threading.Event()
        self._connections: list[Connection] = []
        self._reader = BinLogStreamReader(
            connection_settings={**settings(connection), "read_timeout": _SILENCE_S},
            server_id=1 << 30 | uuid.uuid4().int & (1 << 30) - 1,
            blocking=True, resume_stream=True, auto_position=position, only_events=_EVENTS, only_tables=self.wanted,
            slave_heartbeat=_HEARTBEAT_S, enable_logging=False, pymysql_wrapper=self._connect,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="zoo-mysql-stream", daemon=True)
        self._thread.start()

    def next(self) -> BinlogTransaction | None:
        """The next transaction; None if there is none for now. UpstreamError if the stream has ended."""
        with contextlib.suppress(queue.Empty):
            return self._read.get_nowait()
        if self._failure is not None:
            raise self._failure
        return None

    def close(self) -> None:
        """Close the connections and wait for the thread."""
        self._closed.set()
        for connection in [*self._connections]:
            reading = connection._sock  # noqa: SLF001 only shutting the socket down wakes a thread that reads
            if reading is not None:
                with contextlib.suppress(OSError):
                    reading.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _connect(self, **arguments: object) -> Connection:
        """Connect.

        The reader would connect again after it has lost the server, and would start at the old position, so that is refused.
        """
        if self._closed.is_set() or len(self._connections) == _CONNECTIONS:
            raise UpstreamError("stream ended prematurely")
        if "db" in arguments:
            arguments["database"] = arguments.pop("db")
        self._connections.append(connect(**arguments))
        return self._connections[-1]

    def _run(self) -> None:
        try:
            with translating_errors():
                self._read_all()
        except UpstreamError as error:
            self._failure = error
        finally:
            for connection in self._connections:
                if connection.open:
                    connection._force_close()  # noqa: SLF001 the public method waits for a server that is busy sending
            self._bell.notify()

    def _read_all(self) -> None:
        gtid, events = "", list[RowChange | DdlEvent]()
        while (event := self._reader.fetchone()) is not None:
            if isinstance(event, GtidEvent):
                gtid, events = event.gtid, []
            elif not isinstance(event, HeartbeatLogEvent) and self._ends(event, events):
                self._give(BinlogTransaction(gtid, tuple(events)))
            if not self.flows:
                self.flows = True
                self._bell.notify()
        raise UpstreamError("stream ended prematurely")

    def _give(self, transaction: BinlogTransaction) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._read.put(transaction, timeout=_FULL_S)
                self._bell.notify()
                return
        raise UpstreamError("stream ended prematurely")

    @staticmethod
    def _ends(event: Event, events: list[RowChange | DdlEvent]) -> bool:
        """Append what an event contains. Returns whether it is the last event of its transaction."""
        if isinstance(event, XidEvent):
            return True
        if not isinstance(event, QueryEvent):
            events += _changes(event)
            return False
        word = event.query.strip().partition(" ")[0].upper()
        if word in {"BEGIN", "SAVEPOINT", "ROLLBACK", "XA"}:
            return False
        if word != "COMMIT":
            events.append(DdlEvent(event.schema.decode(), event.query))
        return True


def _changes(event: Event) -> Iterator[RowChange]:
    for row in event.rows:
        if isinstance(event, UpdateRowsEvent):
            yield RowChange(event.schema, event.table, row["before_values"], row["after_values"])
        elif isinstance(event, WriteRowsEvent):
            yield RowChange(event.schema, event.table, None, row["values"])
        else:
            yield RowChange(event.schema, event.table, row["values"], None)
