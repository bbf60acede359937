"""A source that reads the changes of another database, one transaction after the other.

One thread does everything. A new table begins with a snapshot, which the database takes at a position of its stream of changes.
The snapshot appears when the stream has reached that position, so that all tables of the source show the same moment.
Transactions are written one by one or, when several have arrived, together. A table that was truncated, dropped or altered
upstream ends with an error (status "ceased"); the other tables go on. While the database cannot be reached, the source is
stalled.
"""

from __future__ import annotations

import abc
import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence

from racehound_zoo.errors import SqlError
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.rows import Update
from racehound_zoo.sources.source import SourceFacts, TableFacts, Target
from racehound_zoo.sources.statuses import Statuses
from racehound_zoo.sources.stored_progress import FollowedTable, StoredProgress
from racehound_zoo.sources.upstream import UpstreamError, UpstreamTable
from racehound_zoo.sources.wakeup import StoppedError, Wakeup

_RETRY_S = 0.25
_HELD_MAX = 200
"""The largest number of transactions that are written together."""
_RETRY_MISSING_S = 1.0
"""The time, in seconds, after which a table that does not exist upstream is looked for again."""
WRONG_SNAPSHOT = "source-table-wrong-snapshot"


class CeasedError(Exception):
    """A table cannot be read any more. The text is the error that Materialize reports."""


@dataclasses.dataclass(frozen=True)
class TableSnapshot:
    """The rows of a table, or the error because of which it cannot be read."""

    table: UpstreamTable
    rows: Sequence[Update]
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class UpstreamSnapshot:
    """The tables at a position of the stream, by the ids of the relations that they fill.

    `missing` has the errors of tables without a snapshot.
    """

    position: str
    tables: Mapping[str, TableSnapshot]
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)


class FollowingIngestion(abc.ABC):
    """An `Ingestion`.

    When one of its abstract methods raises UpstreamError, the source is stalled until a later attempt succeeds.
    """

    system: str
    """The name of the system, which comes first in the errors of statuses."""

    def __init__(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> None:
        self.source = source
        self.target = target
        self.wakeup = Wakeup()
        self.statuses = Statuses(source.id, self.system)
        self.stored = StoredProgress({})
        self._lock = threading.Lock()
        self._wanted = {table.id: table for table in tables}
        self._pending: list[UpstreamSnapshot] = []
        self._retry_after = 0.0
        self._held: dict[str, list[Update]] = {}
        self._held_count = 0
        self._held_position = ""
        self._thread = threading.Thread(target=self._run, name=f"zoo-{self.system}-{source.id}", daemon=True)
        self._thread.start()

    # Methods of Ingestion, for any thread

    def add_table(self, table: TableFacts) -> None:
        with self._lock:
            self._wanted[table.id] = table
        self.wakeup.notify()

    def remove_table(self, key: str) -> None:
        with self._lock:
            self._wanted.pop(key, None)
        self.wakeup.notify()

    def status(self, key: str) -> Status:
        return self.statuses.of(key)

    def stop(self) -> None:
        self.wakeup.stop()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    # Methods that each system implements, for the source's thread

    @abc.abstractmethod
    def _follow(self) -> None:
        """Connect and read changes until StoppedError or UpstreamError."""

    @abc.abstractmethod
    def _snapshot(self, tables: Sequence[TableFacts]) -> UpstreamSnapshot:
        """Take a snapshot of these tables."""

    @abc.abstractmethod
    def _has_reached(self, position: str) -> bool:
        """Whether the stream has reached that position."""

    # The thread

    def _run(self) -> None:
        try:
            while True:
                self._try()
                self.wakeup.wait(_RETRY_S)
        except StoppedError:
            return
        except BaseException as error:
            self._stall(f"internal error: {error!r}")
            raise
        finally:
            self.wakeup.close()

    def _try(self) -> None:
        self.stored = StoredProgress(self.target.progress)
        self._pending.clear()
        self._held, self._held_count = {}, 0
        self._retry_after = 0.0
        try:
            self._follow()
        except (UpstreamError, SqlError) as error:
            self._stall(str(error))

    def _stall(self, error: str) -> None:
        for key in (self.source.id, *self._current_tables()):
            if self.error_of(key) is None:
                self.statuses.stall(key, error)

    def _current_tables(self) -> dict[str, TableFacts]:
        with self._lock:
            return dict(self._wanted)

    def resume(self) -> None:
        """The stream has started: set the statuses of the source and of its known tables."""
        self.statuses.run(self.source.id)
        for key in self.stored.tables:
            self._set_status(key)

    def _set_status(self, key: str) -> None:
        error = self.error_of(key)
        if error is None:
            self.statuses.run(key)
        else:
            self.statuses.cease(key, error)

    # Tables

    def update_tables(self) -> None:
        """Take snapshots of new tables, and forget removed ones."""
        wanted = self._current_tables()
        for key in self.stored.tables.keys() - wanted.keys():
            self.stored.forget(key)
        coming = {key for snapshot in self._pending for key in snapshot.tables}
        new = [table for key, table in wanted.items() if key not in self.stored.tables and key not in coming]
        if new and time.monotonic() >= self._retry_after:
            self._take_snapshot(new)
        elif not new and self.statuses.of(self.source.id).status != "running":
            self.statuses.run(self.source.id)

    def _take_snapshot(self, tables: Sequence[TableFacts]) -> None:
        snapshot = self._snapshot(tables)
        for key, error in snapshot.missing.items():
            self._retry_after = time.monotonic() + _RETRY_MISSING_S
            self.statuses.stall(key, error)
            self.statuses.stall(self.source.id, error)
        if snapshot.tables:
            self._pending.append(snapshot)
        if self.target.has_defect(WRONG_SNAPSHOT):
            self.show_snapshots(everything=True)

    @property
    def all_snapshots_shown(self) -> bool:
        """Whether all snapshots have been written."""
        return not self._pending

    def show_snapshots(self, *, everything: bool = False) -> None:
        """Write the snapshots whose position the stream has reached."""
        while self._pending and (everything or self._has_reached(self._pending[0].position)):
            self.flush()
            taken = self._pending.pop(0).tables
            for key, each in taken.items():
                self.stored.remember(key, FollowedTable(each.table, each.error))
            self._write({key: each.rows for key, each in taken.items()})
            for key in taken:
                self._set_status(key)

    def cease(self, key: str, error: str) -> None:
        """Stop reading a table because of an error."""
        self.flush()
        self.stored.remember(key, FollowedTable(self.stored.tables[key].table, error))
        self.target.apply((), self.stored.saved())
        self.statuses.cease(key, error)

    def error_of(self, key: str) -> str | None:
        """The error because of which a relation is no longer filled; None if there is none."""
        followed = self.stored.tables.get(key)
        return followed.error if followed is not None else None

    def following(self, table: str) -> list[str]:
        """The ids of the relations that an upstream table fills."""
        return [key for key, each in self.stored.tables.items() if each.table.id == table and each.error is None]

    def columns_of(self, key: str) -> tuple[str, ...]:
        """The names of a relation's columns; none if it has been removed."""
        with self._lock:
            table = self._wanted.get(key)
        return tuple(column.name for column in table.shape.columns) if table is not None else ()

    def add_transaction(self, batch: Mapping[str, Sequence[Update]], position: str) -> None:
        """Add the changes of a transaction of the upstream database, and the position after it. `flush` writes them."""
        for key, updates in batch.items():
            self._held.setdefault(key, []).extend(updates)
        self._held_count, self._held_position = self._held_count + 1, position
        if self._held_count >= _HELD_MAX:
            self.flush()

    def flush(self) -> None:
        """Write the transactions that have been added, as one transaction."""
        if self._held_count:
            batch, count = self._held, self._held_count
            self._held, self._held_count = {}, 0
            self.stored.position = self._held_position
            self._write({key: updates for key, updates in batch.items() if self.error_of(key) is None})
            self.statuses.count(count, 0)

    def _write(self, batch: Mapping[str, Sequence[Update]]) -> None:
        """Write rows. A table with a value that the storage cannot read ends with an error, so that the others can go on."""
        try:
            self.target.apply([*batch.items()], self.stored.saved())
        except SqlError:
            broken = {key: error for key, updates in batch.items() if (error := self._unreadable(key, updates)) is not None}
            if not broken:
                raise
            for key, error in broken.items():
                self.stored.remember(key, FollowedTable(self.stored.tables[key].table, error))
                self.statuses.cease(key, error)
            batch = {key: updates for key, updates in batch.items() if key not in broken}
            self.target.apply([*batch.items()], self.stored.saved())
        self.statuses.count(0, sum(len(updates) for updates in batch.values()))

    def _unreadable(self, key: str, updates: Sequence[Update]) -> str | None:
        """The error because of which the storage cannot read these rows; None if it can."""
        with self.target.staging(key) as staging:
            try:
                staging.append([tuple(row) for row, _ in updates])
            except SqlError as error:
                return f"unable to decode: {error}"
        return None
