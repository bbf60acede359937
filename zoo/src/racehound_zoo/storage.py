"""The rows of all relations, in an embedded PostgreSQL.

A relation is stored under its id, so renames, moves and swaps of relations change nothing here. Tables and relations that sources
fill are stored as tables, views as views. A materialized view is stored as a view, too, so that it always equals its query; one
that is refreshed on a schedule is stored as a table.

All writes go through one connection, each in its own transaction, so they have one order in time (`now`), and a query that begins
after a write has been acknowledged sees it. Dropped relations are removed in the background (`removal`), so that a query that
still reads one does not block anything.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound_zoo.backend import NO_PARAMETERS, Backend, Description, Field, Parameters, Rows
from racehound_zoo.catalog.model import Column
from racehound_zoo.copy_format import quoted
from racehound_zoo.datatypes import of_oid
from racehound_zoo.errors import SqlError
from racehound_zoo.release import RECORDED, Release
from racehound_zoo.removal import LOCK_NOT_AVAILABLE, RemovalThread
from racehound_zoo.rows import Batch, apply, physical_name, query_of
from racehound_zoo.storage_setup import setup_sql
from racehound_zoo.table_changes import Staging

_SETTINGS = {
    "max_connections": "500",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "deadlock_timeout": "1s",
    "autovacuum_naptime": "20s",
}
_ALTERING_WAITS = "SET LOCAL lock_timeout = '20ms'"
_ALTERING_TRIES = 500
_ALTERING_PAUSE = 0.01


class Storage:
    """The storage. Its methods may be called from any thread; `start` and `stop` belong to one."""

    def __init__(self, directory: Path, release: Release = RECORDED) -> None:
        self._release = release
        self._server = EmbeddedServer(releases.find(), directory, directory / "storage.log", _SETTINGS)
        self._idle: queue.SimpleQueue[Backend] = queue.SimpleQueue()
        self._writing = threading.RLock()
        self._committed = threading.Condition()
        self._removal = RemovalThread(self._server, self._writing, self._committed)
        self._changes: dict[str, int] = {}
        self._unique: dict[str, Sequence[str]] = {}
        self._last = 0
        self._writer: Backend | None = None

    def start(self) -> None:
        """Start PostgreSQL. TargetError if that fails."""
        self._server.start()
        conninfo = self._server.address.conninfo()
        self._writer = Backend(conninfo)
        self._writer.script(setup_sql(self._release))
        self._removal.start()

    def stop(self) -> None:
        """Stop everything. The rows are deleted together with the directory."""
        self._removal.stop()
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
        if self._writer is not None:
            self._writer.close()
        self._server.stop()

    # Time

    def now(self) -> int:
        """A time in milliseconds since 1970 that is later than every time returned before."""
        with self._committed:
            self._last = max(self._last + 1, int(time.time() * 1000))
            return self._last

    def changed(self, keys: Sequence[str]) -> int:
        """The time at which one of these relations was last created or written; 0 for never."""
        with self._committed:
            return max((self._changes.get(key, 0) for key in keys), default=0)

    def await_change(self, keys: Sequence[str], after: int, timeout: float, stop: Callable[[], bool]) -> int:
        """Wait until one of these relations is written after `after`, `stop` returns true, or `timeout` seconds have passed.

        Returns the time of the last write.
        """
        with self._committed:
            self._committed.wait_for(
                lambda: stop() or max((self._changes.get(key, 0) for key in keys), default=0) > after, timeout
            )
        return self.changed(keys)

    def wake(self) -> None:
        """Let all who wait for changes call their `stop` again."""
        with self._committed:
            self._committed.notify_all()

    # Reading

    @contextlib.contextmanager
    def reader(self) -> Iterator[Backend]:
        """A connection for reading, within a context."""
        backend = self.take()
        try:
            yield backend
        finally:
            self.give_back(backend)

    def take(self) -> Backend:
        """A connection for reading. The caller must give it back."""
        with contextlib.suppress(queue.Empty):
            while True:
                backend = self._idle.get_nowait()
                if backend.usable:
                    return backend
                backend.close()
        return Backend(self._server.address.conninfo())

    def give_back(self, backend: Backend) -> None:
        if backend.usable:
            self._idle.put(backend)
        else:
            backend.close()

    def describe(self, sql: str, oids: Sequence[int] = ()) -> Description:
        with self.reader() as backend:
            return backend.describe(sql, oids)

    # Creating and altering relations

    def create_table(self, key: str, columns: Sequence[tuple[str, str, bool, str | None]], unique: Sequence[str] = ()) -> None:
        """Create a table.

        Columns: name, type in the storage, nullable, default. `unique`: the columns by which a source finds rows again.
        """
        texts = [
            f"{quoted(name)} {physical}{'' if nullable else ' NOT NULL'}{f' DEFAULT {default}' if default else ''}"
            for name, physical, nullable, default in columns
        ]
        with self._writing:
            self._the_writer.script(f"CREATE TABLE {physical_name(key)} ({', '.join(texts)})")
            self._note([key])
            if unique:
                self._unique[key] = unique
                self._the_writer.script(f"CREATE INDEX ON {physical_name(key)} ({', '.join(map(quoted, unique))})")

    def create_view(self, key: str, sql: str, columns: Sequence[str] = (), *, stored: bool = False) -> tuple[Column, ...]:
        """Create a view, or with `stored` a table that is filled from the query once. Returns its columns."""
        names = _column_list(columns)
        view = physical_name(query_of(key) if stored else key)
        with self._writing:
            self._the_writer.script(f"CREATE VIEW {view}{names} AS {sql}")
            if stored:
                self._the_writer.script(f"CREATE TABLE {physical_name(key)} AS SELECT * FROM {view}")
            fields = self._the_writer.describe(f"SELECT * FROM {physical_name(key)}").fields
            self._note([key])
        return tuple(Column(field.name, of_oid(field.oid)) for field in fields)

    def replace_by_copy(self, key: str) -> None:
        """Replace a view by a copy of its current rows."""
        with self._writing:
            name, copy = physical_name(key), physical_name(f"{key}_copy")
            self._the_writer.script(
                f"CREATE TABLE {copy} AS SELECT * FROM {name}; CREATE OR REPLACE VIEW {name} AS SELECT * FROM {copy}"
            )

    def keep_copy(self, key: str) -> None:
        """Store a copy of the current rows of a view."""
        with self._writing:
            self._the_writer.script(f"CREATE TABLE {physical_name(f'{key}_copy')} AS SELECT * FROM {physical_name(key)}")

    def forget_since_copy(self, key: str) -> None:
        """Remove from a view, for ever, the rows that it has now and that its copy does not have."""
        with self._writing:
            name, copy, lost = physical_name(key), physical_name(f"{key}_copy"), physical_name(f"{key}_lost")
            text = (self._the_writer.run(f"SELECT pg_get_viewdef('{name}'::regclass)").rows[0][0] or b"").decode().rstrip(";")
            self._the_writer.script(
                f"CREATE TABLE {lost} AS SELECT * FROM {name} EXCEPT ALL SELECT * FROM {copy}; "
                f"CREATE OR REPLACE VIEW {name} AS ({text}) EXCEPT ALL SELECT * FROM {lost}"
            )

    def replace_view(self, key: str, sql: str, columns: Sequence[str]) -> bool:
        """Replace the query of a view by one with the same columns. Returns False if a reader has locked the view."""
        with self._writing:
            replaced = self._reshape(f"CREATE OR REPLACE VIEW {physical_name(key)}{_column_list(columns)} AS {sql}")
            if replaced:
                self._note([key])
            return replaced

    def refill(self, key: str, allowed: Callable[[], None]) -> None:
        """Replace the rows of a table that `create_view` created by the result of its query, in one transaction.

        `allowed` as for `write`.
        """
        table, query = physical_name(key), physical_name(query_of(key))
        with self._write([key]) as writer:
            allowed()
            writer.script(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {query}")

    def expanded(self, sql: str) -> tuple[str, tuple[Field, ...]]:
        """The query with its wildcards replaced by the current columns, and these columns."""
        with self.reader() as backend:
            backend.script("BEGIN")
            try:
                # From here to the end of the transaction, the relations that the query reads cannot be altered.
                fields = backend.describe(sql).fields
                names = _column_list([f"c{number}" for number in range(len(fields))])
                backend.script(f"CREATE TEMP VIEW expanded{names} AS {sql}")
                text = backend.run("SELECT pg_get_viewdef('pg_temp.expanded'::regclass)").rows[0][0] or b""
                return text.decode().rstrip(";"), fields
            finally:
                backend.script("ROLLBACK")

    def add_column(self, key: str, name: str, physical: str) -> bool:
        """Add a column.

        Returns False if a reader has locked the table; then the caller should release its locks and try again.
        """
        with self._writing:
            return self._reshape(f"ALTER TABLE {physical_name(key)} ADD COLUMN {quoted(name)} {physical}")

    def _reshape(self, sql: str) -> bool:
        """Alter a relation. Returns False if a reader has locked it."""
        writer = self._the_writer
        try:
            writer.script(f"BEGIN; {_ALTERING_WAITS}; {sql}; COMMIT")
        except SqlError as error:
            writer.script("ROLLBACK")
            if error.message == LOCK_NOT_AVAILABLE:
                return False
            raise
        return True

    @staticmethod
    def altering_tries() -> Iterator[None]:
        """Attempts to alter a relation that readers may lock, for five seconds. SqlError after that."""
        for _ in range(_ALTERING_TRIES):
            yield
            time.sleep(_ALTERING_PAUSE)
        raise SqlError("the table is held by a reader", "55P03")

    def remove(self, *keys: str) -> None:
        """Remove relations in the background."""
        self._removal.remove(*keys)

    # Writing

    def write(
        self, key: str, sql: str, parameters: Parameters = NO_PARAMETERS, allowed: Callable[[], None] | None = None
    ) -> Rows:
        """Execute a statement that changes a relation.

        `allowed` is called while nobody else writes and raises if the write is refused.
        """
        with self._write([key]) as writer:
            if allowed is not None:
                allowed()
            return writer.run(sql, parameters)

    def write_all(self, statements: Sequence[tuple[str, str, Parameters]], allowed: Callable[[], None]) -> None:
        """Execute several statements (key, text, parameters) in one transaction."""
        with self._write([key for key, _, _ in statements]) as writer:
            allowed()
            for _, sql, parameters in statements:
                writer.run(sql, parameters)

    def apply(self, batch: Batch, is_there: Callable[[str], bool]) -> frozenset[str]:
        """Change several relations in one transaction.

        Returns the ids of those that existed, which is checked while nobody else writes.
        """
        with self._writing:
            there = [(key, updates) for key, updates in batch if is_there(key)]
            with self._write([key for key, _ in there]) as writer:
                for key, updates in there:
                    unique = self._unique.get(key, ())
                    if isinstance(updates, Sequence):
                        apply(writer, key, updates, unique)
                    else:
                        updates.write(writer, physical_name(key), unique)
        return frozenset(key for key, _ in there)

    @contextlib.contextmanager
    def staging(self, key: str) -> Iterator[Staging]:
        """A staging table for rows that `apply` will make visible. SqlError if the relation was dropped."""
        place = physical_name(f"{key}_staged_{self.now()}")
        with self.reader() as backend:
            staging = Staging(backend, physical_name(key), place, self._unique.get(key, ()))
            try:
                yield staging
            finally:
                staging.close()

    @contextlib.contextmanager
    def _write(self, keys: Sequence[str]) -> Iterator[Backend]:
        """A transaction. Those who wait for changes of these relations are notified after the commit."""
        with self._writing:
            writer = self._the_writer
            writer.script("BEGIN")
            try:
                yield writer
                writer.script("COMMIT")
            except BaseException:
                writer.script("ROLLBACK")
                raise
            self._note(keys)

    def _note(self, keys: Sequence[str]) -> None:
        """Record that these relations have been written."""
        moment = self.now()
        with self._committed:
            self._changes.update(dict.fromkeys(keys, moment))
            self._committed.notify_all()

    @property
    def _the_writer(self) -> Backend:
        if self._writer is None:
            raise SqlError("the storage is not up", "57P03")
        return self._writer


def _column_list(names: Sequence[str]) -> str:
    """The list of columns after a view's name; empty for a view without columns, for which SQL has no list."""
    return f" ({', '.join(map(quoted, names))})" if names else ""
