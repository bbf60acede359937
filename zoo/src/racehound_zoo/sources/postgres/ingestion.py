"""The ingestion of a PostgreSQL source: reads the stream of a replication slot."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Sequence

from racehound_zoo.sources.following import FollowingIngestion, TableSnapshot, UpstreamSnapshot
from racehound_zoo.sources.postgres import slots
from racehound_zoo.sources.postgres.describing import tables_of, type_of
from racehound_zoo.sources.postgres.pgoutput import CommitMessage, RelationMessage, RowMessage, TruncateMessage, decoded
from racehound_zoo.sources.postgres.replication import ReplicationConnection, conninfo
from racehound_zoo.sources.postgres.rows import UpstreamTransaction, altered
from racehound_zoo.sources.postgres.spelling import confirmation, identifier, lsn_of, lsn_text
from racehound_zoo.sources.source import TableFacts
from racehound_zoo.sources.upstream import UpstreamError, UpstreamTable
from racehound_zoo.sources.wakeup import StoppedError

_COMPARE_S = 1.0
"""The time, in seconds, between two comparisons of the tables with their earlier definitions: the stream does not report DROP."""
_POLL_S = 0.01
"""The time, in seconds, between two requests for the server's position while a snapshot waits for the stream."""
_IDLE_S = 5.0
"""The time, in seconds, between two status messages to the server when nothing happens.

After a minute without one it disconnects.
"""
_DATA = struct.Struct("!cQQq")
_KEEPALIVE = struct.Struct("!cQqB")
LEAKED_SLOT = "leaked-slot"
_LEAK_S = 0.1
"""The time, in seconds, that passes between creating a slot and recording it, with the defect `leaked-slot`."""
_SLOT_BUSY = "is active for PID"
_SLOT_BUSY_S = 2.0
_MESSAGES_MAX = 2000
"""The largest number of messages that are read before other work is done."""


class PostgresIngestion(FollowingIngestion):
    """See `FollowingIngestion`. The positions are LSNs."""

    system = "postgres"

    def _follow(self) -> None:
        with contextlib.ExitStack() as ending:
            self._stream = self._link(ending, replication=True)
            self._query_connection = self._link(ending)
            self._create_slot()
            self._begin()
            self._transaction = UpstreamTransaction(self)
            self._position = lsn_of(self.stored.position)
            self._compare_at = self._confirm_at = 0.0
            self.resume()
            while True:
                self._round()

    @property
    def _publication(self) -> str:
        return self.source.options["PUBLICATION"]

    def _link(self, ending: contextlib.ExitStack, *, replication: bool = False) -> ReplicationConnection:
        assert self.source.connection is not None, "a source of PostgreSQL has a connection"
        link = ReplicationConnection(conninfo(self.source.connection, replication=replication), self.wakeup)
        ending.callback(link.close)
        return link

    # The slot

    def _create_slot(self) -> None:
        """Create the slot unless it exists. Its name is saved first, so that it is dropped whatever happens afterwards."""
        if self.stored.position:
            return
        if self.stored.slot and slots.is_there(self._query_connection, self.stored.slot):
            slots.drop(self._query_connection, self.stored.slot)
        self.stored.slot = self.stored.slot or slots.new_name()
        if not self.target.has_defect(LEAKED_SLOT):
            self._save()
        self.stored.position = lsn_text(slots.create(self._stream, self.stored.slot))
        deadline = time.monotonic() + (_LEAK_S if self.target.has_defect(LEAKED_SLOT) else 0.0)
        while time.monotonic() < deadline:
            self.wakeup.wait(deadline - time.monotonic())
        self._save()

    def _save(self) -> None:
        """Save the progress. StoppedError if another ingestion has replaced this one."""
        self.target.apply((), self.stored.saved())
        if self.target.progress.get("slot") != self.stored.slot:
            raise StoppedError

    # The stream

    def _begin(self) -> None:
        """Start the stream. The ingestion before this one may still use the slot for a moment."""
        deadline = time.monotonic() + _SLOT_BUSY_S
        while True:
            try:
                return self._stream.stream(self.stored.slot, self.stored.position, self._publication)
            except UpstreamError as error:
                if _SLOT_BUSY not in str(error) or time.monotonic() > deadline:
                    raise
                self.wakeup.wait(_POLL_S)

    def _round(self) -> None:
        """Do one round: take snapshots of new tables, read the messages that have arrived, and wait if there are no more."""
        self.update_tables()
        self._compare_tables()
        is_drained = self._read_messages()
        self.flush()
        if not self.target.is_current:
            # What was read has not been written and must not be confirmed, or the slot would not send it to the next ingestion.
            raise StoppedError
        # Everything before the last position that was read has been written.
        self.stored.position = lsn_text(self._position)
        self._confirm(reply=not self.all_snapshots_shown)
        if is_drained:
            self._stream.await_message(_COMPARE_S if self.all_snapshots_shown else _POLL_S)
        else:
            self.wakeup.check()

    def _read_messages(self) -> bool:
        """Read messages. Returns whether there are no more for now."""
        for _ in range(_MESSAGES_MAX):
            message = self._stream.receive()
            if message is None:
                return True
            self._read_message(message)
        return False

    def _read_message(self, message: bytes) -> None:
        if message[:1] == b"k":
            _, position, _, reply = _KEEPALIVE.unpack_from(message)
            if not self._transaction.is_open:
                self._advance(position)
            if reply:
                self._confirm_at = 0.0
        elif message[:1] == b"w":
            self._take(message[_DATA.size :])

    def _take(self, data: bytes) -> None:
        message = decoded(data)
        if isinstance(message, RelationMessage):
            self._transaction.learn(message)
        elif isinstance(message, RowMessage):
            self._transaction.add(message)
        elif isinstance(message, TruncateMessage):
            self._transaction.truncate(message)
        elif isinstance(message, CommitMessage):
            self._commit(message)
        elif message is not None:
            self._transaction.begin()

    def _commit(self, commit: CommitMessage) -> None:
        """Add a transaction. First, snapshots are written whose position has been reached: they do not contain it."""
        self._advance(commit.lsn)
        batch = self._transaction.end()
        self._position = commit.end
        self.add_transaction(batch, lsn_text(commit.end))

    def _advance(self, position: int) -> None:
        self._position = max(self._position, position)
        self.show_snapshots()

    def _has_reached(self, position: str) -> bool:
        return self._position >= lsn_of(position)

    def _confirm(self, *, reply: bool) -> None:
        """Confirm to the server the position up to which everything has been written."""
        now = time.monotonic()
        if reply or now >= self._confirm_at:
            self._confirm_at = now + _IDLE_S
            self._stream.send(confirmation(lsn_of(self.stored.position), reply=reply))

    # Tables

    def _snapshot(self, tables: Sequence[TableFacts]) -> UpstreamSnapshot:
        with contextlib.ExitStack() as ending:
            link = self._link(ending, replication=True)
            position = slots.begin_snapshot(link)
            offered = {table.offer.name: table for table in tables_of(link, self._publication)}
            found, missing = {}, {}
            for table in tables:
                upstream = offered.get(table.offer.name)
                if upstream is None:
                    missing[table.id] = f"failed to get estimate count for {'.'.join(table.offer.name)}"
                else:
                    found[table.id] = self._taken(link, table, upstream)
        return UpstreamSnapshot(lsn_text(position), found, missing)

    def _taken(self, link: ReplicationConnection, table: TableFacts, upstream: UpstreamTable) -> TableSnapshot:
        wanted = table.shape.columns
        types = {column.name: type_of(column.kind) for column in upstream.columns}
        if any(types.get(column.name) != column.type for column in wanted):
            return TableSnapshot(upstream, [], str(altered(upstream)))
        columns = ", ".join(identifier(column.name) for column in wanted)
        rows = link.copy(f"COPY (SELECT {columns} FROM {identifier(upstream.namespace, upstream.name)}) TO STDOUT")
        return TableSnapshot(upstream, [(row, 1) for row in rows])

    def _compare_tables(self) -> None:
        """Compare the tables with their earlier definitions, if that is due."""
        if time.monotonic() < self._compare_at:
            return
        self._compare_at = time.monotonic() + _COMPARE_S
        there = {table.id: table for table in tables_of(self._query_connection, self._publication)}
        for key, followed in [*self.stored.tables.items()]:
            now, then = there.get(followed.table.id), followed.table
            if followed.error is None and now is None:
                self.cease(key, "table was dropped")
            elif followed.error is None and now is not None and (now.lost(then) or now.lost_key(then)):
                self.cease(key, str(altered(then)))
