"""The ingestion of a MySQL source: reads the binary log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from pymysql.cursors import SSCursor

from racehound_zoo.rows import Update
from racehound_zoo.sources.following import CeasedError, FollowingIngestion, TableSnapshot, UpstreamSnapshot
from racehound_zoo.sources.mysql.ddl import TableEffect, effects
from racehound_zoo.sources.mysql.describing import described, identity, type_of
from racehound_zoo.sources.mysql.gtids import GtidSet
from racehound_zoo.sources.mysql.session import Connection, connected, identifier, rows, translating_errors
from racehound_zoo.sources.mysql.stream import BinlogTransaction, DdlEvent, RowChange, Stream, Values
from racehound_zoo.sources.mysql.values import text
from racehound_zoo.sources.source import ConnectionFacts, TableFacts
from racehound_zoo.sources.upstream import UpstreamError, UpstreamTable

_LOCK_WAIT_S = 1
_LOCK_TRIES = 30
_LOCKED = "(1205)"
_ROWS_AT_ONCE = 10_000
_WAIT_S = 1.0
_TRANSACTIONS_MAX = 200
"""The largest number of transactions that are read before other work is done."""
_EXECUTED = "SELECT @@global.gtid_executed"
# Settings of sessions: the format of values, and the time to wait for a lock.
_SESSION = f"SET time_zone = '+00:00', sql_mode = '', lock_wait_timeout = {_LOCK_WAIT_S}"


class MySqlIngestion(FollowingIngestion):
    """See `FollowingIngestion`. The positions are sets of GTIDs."""

    system = "mysql"

    def _follow(self) -> None:
        with connected(self._connection) as self._query_connection:
            self.stored.position = self.stored.position or str(GtidSet(rows(self._query_connection, _EXECUTED)[0][0]))
            self._read_gtids, self._next = GtidSet(self.stored.position), ""
            self.target.apply((), self.stored.saved())
            with contextlib.closing(Stream(self._connection, self.stored.position, self.wakeup)) as self._stream:
                self._stream.wanted.update(each.table.name for each in self.stored.tables.values())
                while not self._stream.flows:
                    self._stream.next()
                    self.wakeup.wait(_WAIT_S)
                self.resume()
                while True:
                    self._round()

    def _round(self) -> None:
        """Do one round: take snapshots of new tables, read the transactions that have arrived, and wait if there are no more."""
        self.update_tables()
        is_drained = self._read_transactions()
        self.show_snapshots()
        self.flush()
        if is_drained:
            self.wakeup.wait(_WAIT_S)
        else:
            self.wakeup.check()

    def _read_transactions(self) -> bool:
        """Read transactions. Returns whether there are no more for now."""
        for _ in range(_TRANSACTIONS_MAX):
            transaction = self._stream.next()
            if transaction is None:
                return True
            self._add_binlog_transaction(transaction)
        return False

    @property
    def _connection(self) -> ConnectionFacts:
        assert self.source.connection is not None, "a source of MySQL has a connection"
        return self.source.connection

    # Transactions

    def _add_binlog_transaction(self, transaction: BinlogTransaction) -> None:
        """Add a transaction. First, snapshots are written whose position has been reached: they do not contain it."""
        self._next = transaction.gtid
        self.show_snapshots()
        batch: dict[str, list[Update]] = {}
        for event in transaction.events:
            if isinstance(event, RowChange):
                for key in self.following(identity(event.schema, event.table)):
                    self._add(batch.setdefault(key, []), key, event)
            else:
                self._alter(event)
        self._read_gtids.add(transaction.gtid)
        self._next = ""
        self.add_transaction(batch, str(self._read_gtids))

    def _has_reached(self, position: str) -> bool:
        """Whether all transactions of the set have been read, or the next one is not in the set."""
        there = GtidSet(position)
        return self._read_gtids.has_all_of(there) or (bool(self._next) and not there.has(self._next))

    def _add(self, updates: list[Update], key: str, change: RowChange) -> None:
        table, names = self.stored.tables[key].table, self.columns_of(key)
        try:
            updates += [(_row(table, names, values), sign) for values, sign in ((change.old, -1), (change.new, 1)) if values]
        except CeasedError as error:
            self.cease(key, str(error))

    # Statements on tables

    def _alter(self, ddl: DdlEvent) -> None:
        for effect in effects(ddl.text, ddl.schema):
            for key, followed in [*self.stored.tables.items()]:
                table = followed.table
                if followed.error is None and table.namespace == effect.schema and effect.table in {None, table.name}:
                    error = self._error_of(effect, table)
                    if error is not None:
                        self.cease(key, error)

    def _error_of(self, effect: TableEffect, table: UpstreamTable) -> str | None:
        """The error because of which a table cannot be read any more; None if it can."""
        if effect.how == "altered":
            return _difference(table, described(self._query_connection, table.namespace, table.name))
        return f"table was {effect.how}: {identifier(table.namespace, table.name)}"

    # Snapshots

    def _snapshot(self, tables: Sequence[TableFacts]) -> UpstreamSnapshot:
        """Take a snapshot. The tables are locked while the position is read and the transaction begins, so that the two match."""
        looked = {table.id: described(self._query_connection, *table.offer.name) for table in tables}
        there = {key: table for key, table in looked.items() if table is not None}
        missing = {table.id: f"table was dropped: {identifier(*table.offer.name)}" for table in tables if table.id not in there}
        if not there:
            return UpstreamSnapshot(self.stored.position, {}, missing)
        self._stream.wanted.update(table.name for table in there.values())
        with connected(self._connection, init_command=_SESSION, cursorclass=SSCursor) as reading:
            with self._locked([*there.values()]) as locking:
                rows(reading, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                rows(reading, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                position = rows(locking, _EXECUTED)[0][0]
            found = {table.id: self._taken(reading, table, there[table.id]) for table in tables if table.id in there}
        return UpstreamSnapshot(str(GtidSet(position)), found, missing)

    @contextlib.contextmanager
    def _locked(self, tables: Sequence[UpstreamTable]) -> Iterator[Connection]:
        """A connection that holds a lock against writes to these tables."""
        listed = ", ".join(sorted({f"{identifier(table.namespace, table.name)} READ" for table in tables}))
        with connected(self._connection, init_command=_SESSION) as connection:
            for left in reversed(range(_LOCK_TRIES)):
                self.wakeup.check()
                try:
                    rows(connection, f"LOCK TABLES {listed}")
                    break
                except UpstreamError as error:
                    if _LOCKED not in str(error) or not left:
                        raise
            yield connection

    def _taken(self, connection: Connection, table: TableFacts, upstream: UpstreamTable) -> TableSnapshot:
        columns = {column.name: column for column in upstream.columns}
        for wanted in table.shape.columns:
            column = columns.get(wanted.name)
            if column is None or type_of(column) != wanted.type:
                return TableSnapshot(upstream, [], _altered(wanted.name, upstream))
        listed = [columns[wanted.name] for wanted in table.shape.columns]
        names = ", ".join(identifier(column.name) for column in listed)
        taken: list[Update] = []
        with translating_errors(), connection.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {identifier(upstream.namespace, upstream.name)}")
            while found := cursor.fetchmany(_ROWS_AT_ONCE):
                self.wakeup.check()
                for row in found:
                    values = zip(row, listed, strict=True)
                    taken.append(([text(value, column.kind, column.type) for value, column in values], 1))
        return TableSnapshot(upstream, taken)


def _row(table: UpstreamTable, names: Sequence[str], values: Values) -> list[str | None]:
    """The wanted columns of a row of the binary log. CeasedError if one is missing."""
    columns = {column.name: column for column in table.columns}
    lost = next((name for name in names if name not in values), None)
    if lost is not None:
        raise CeasedError(_altered(lost, table))
    return [text(values[name], columns[name].kind, columns[name].type) for name in names]


def _difference(then: UpstreamTable, now: UpstreamTable | None) -> str | None:
    """The error because of which a changed table cannot be read any more; None if it can."""
    if now is None:
        return f"table was dropped: {identifier(then.namespace, then.name)}"
    lost = now.lost(then)
    if lost is not None:
        return _altered(lost.name, then)
    if now.lost_key(then):
        return f"incompatible schema change: keys in table {then.name} have been altered"
    return None


def _altered(column: str, table: UpstreamTable) -> str:
    return f"incompatible schema change: column {column} in table {table.name} has been altered"
