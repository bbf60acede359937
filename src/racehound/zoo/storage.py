"""The rows, in an embedded PostgreSQL.

A relation is kept under its id, so that renaming, moving and swapping touch nothing here. Tables and what sources fill are
tables; views are views. A materialized view is a view too: it equals its query at every moment by being it, which no upkeep could
do better; one that is refreshed on a schedule is a table that its schedule fills.

All writes go through one connection, one after the other, each in a transaction of its own: their order is the order of time
(`now`), and a reader that begins after a write's acknowledgement sees it. What is dropped from the catalog is removed here later,
by the janitor: a reader that still holds it keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from racehound.targets.postgres import releases
from racehound.targets.postgres.server import EmbeddedServer
from racehound.zoo.backend import NO_PARAMETERS, Backend, Description, Field, Parameters, Rows
from racehound.zoo.catalog.model import Column
from racehound.zoo.changes import Change, Staging
from racehound.zoo.copying import copy_text, quoted
from racehound.zoo.datatypes import of_oid
from racehound.zoo.errors import SqlError
from racehound.zoo.release import RECORDED, Release

_SETUP = """
CREATE SCHEMA zoo;
CREATE DOMAIN zoo.uint2 AS integer;
CREATE DOMAIN zoo.uint4 AS bigint;
CREATE DOMAIN zoo.uint8 AS numeric;
CREATE DOMAIN zoo.mz_timestamp AS numeric;
CREATE DOMAIN zoo.mz_aclitem AS text;
CREATE DOMAIN zoo.string AS text;
CREATE FUNCTION zoo.mz_now() RETURNS numeric STABLE LANGUAGE sql
    AS $$ SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::numeric $$;
CREATE FUNCTION zoo.mz_version() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{version}'::text $$;
CREATE FUNCTION zoo.version() RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT 'PostgreSQL 9.5 on x86_64-unknown-linux-gnu (Materialize {release})'::text $$;
CREATE FUNCTION zoo.mz_environment_id() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{environment}'::text $$;
CREATE FUNCTION zoo.mz_uptime() RETURNS interval STABLE LANGUAGE sql AS $$ SELECT now() - pg_postmaster_start_time() $$;
CREATE FUNCTION zoo.current_database() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.database', true) $$;
CREATE FUNCTION zoo.current_schema() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.schema', true) $$;
CREATE FUNCTION zoo.speaker() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.user', true) $$;
CREATE SCHEMA mz_unsafe;
CREATE FUNCTION mz_unsafe.mz_sleep(double precision) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep($1); RETURN NULL; END $$;
CREATE SCHEMA mz_internal;
CREATE FUNCTION mz_internal.mz_version() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{version}'::text $$;
"""
_ENVIRONMENT = "racehound-zoo-00000000-0000-0000-0000-000000000000-0"
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
_REMOVING_WAITS = "SET lock_timeout = '5ms'"
_HELD_PAUSE = 0.1
_LOCK_NOT_AVAILABLE = "canceling statement due to lock timeout"

Update = tuple[Sequence[str | None], int]
"""A row, its values in PostgreSQL's text format, and how many more (or less) of it there are."""
Batch = Sequence[tuple[str, "Sequence[Update] | Change"]]
"""What changes in several relations, by their ids."""


class Storage:
    """Used from many threads. `start` and `stop` from one."""

    def __init__(self, directory: Path, release: Release = RECORDED) -> None:
        self._release = release
        self._server = EmbeddedServer(releases.find(), directory, directory / "storage.log", _SETTINGS)
        self._idle: queue.SimpleQueue[Backend] = queue.SimpleQueue()
        self._removals: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._janitor = threading.Thread(target=self._clean, name="zoo-janitor", daemon=True)
        self._writing = threading.RLock()
        self._committed = threading.Condition()
        self._changes: dict[str, int] = {}
        self._unique: dict[str, Sequence[str]] = {}
        self._last = 0
        self._writer: Backend | None = None

    def start(self) -> None:
        """TargetError when PostgreSQL does not start."""
        self._server.start()
        conninfo = self._server.address.conninfo()
        told = {"{version}": self._release.mz_version, "{release}": self._release.version, "{environment}": _ENVIRONMENT}
        setup = functools.reduce(lambda text, place: text.replace(place, told[place]), told, _SETUP)
        self._writer = Backend(conninfo)
        self._writer.script(setup)
        self._janitor.start()

    def stop(self) -> None:
        """End everything; what was stored goes with the directory."""
        if self._janitor.is_alive():
            self._removals.put(None)
            self._janitor.join()
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
        if self._writer is not None:
            self._writer.close()
        self._server.stop()

    # Time

    def now(self) -> int:
        """The time of the next thing that happens: milliseconds since 1970, never the same twice."""
        with self._committed:
            self._last = max(self._last + 1, int(time.time() * 1000))
            return self._last

    def changed(self, keys: Sequence[str]) -> int:
        """When one of these was last written or made, 0 for never."""
        with self._committed:
            return max((self._changes.get(key, 0) for key in keys), default=0)

    def await_change(self, keys: Sequence[str], after: int, timeout: float, stop: Callable[[], bool]) -> int:
        """When one of these was last written, as soon as that is later than `after`, or `stop` or the time (seconds) says so."""
        with self._committed:
            self._committed.wait_for(
                lambda: stop() or max((self._changes.get(key, 0) for key in keys), default=0) > after, timeout
            )
        return self.changed(keys)

    def wake(self) -> None:
        """Have those who wait for changes look again."""
        with self._committed:
            self._committed.notify_all()

    # Reading

    @contextlib.contextmanager
    def reader(self) -> Iterator[Backend]:
        """A connection to read with, for a while."""
        backend = self.take()
        try:
            yield backend
        finally:
            self.give_back(backend)

    def take(self) -> Backend:
        """A connection to read with, until it is given back."""
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

    # Shapes

    def create_table(self, key: str, columns: Sequence[tuple[str, str, bool, str | None]], unique: Sequence[str] = ()) -> None:
        """Columns: name, physical type, nullable, default. `unique`: by which columns rows of a source are found again."""
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
        """A view, or a table filled from its query once. Its columns."""
        names = _column_list(columns)
        view = physical_name(_query_of(key) if stored else key)
        with self._writing:
            self._the_writer.script(f"CREATE VIEW {view}{names} AS {sql}")
            if stored:
                self._the_writer.script(f"CREATE TABLE {physical_name(key)} AS SELECT * FROM {view}")
            fields = self._the_writer.describe(f"SELECT * FROM {physical_name(key)}").fields
            self._note([key])
        return tuple(Column(field.name, of_oid(field.oid)) for field in fields)

    def replace_by_copy(self, key: str) -> None:
        """Make a table of a view, with what it shows now."""
        with self._writing:
            name, copy = physical_name(key), physical_name(f"{key}_copy")
            self._the_writer.script(
                f"BEGIN; CREATE TABLE {copy} AS SELECT * FROM {name}; DROP VIEW {name}; "
                f"ALTER TABLE {copy} RENAME TO {quoted(key)}; COMMIT"
            )

    def keep_copy(self, key: str) -> None:
        """Remember what a view shows now."""
        with self._writing:
            self._the_writer.script(f"CREATE TABLE {physical_name(f'{key}_copy')} AS SELECT * FROM {physical_name(key)}")

    def forget_since_copy(self, key: str) -> None:
        """Have a view never show what it shows now beyond its copy."""
        with self._writing:
            name, copy, lost = physical_name(key), physical_name(f"{key}_copy"), physical_name(f"{key}_lost")
            text = (self._the_writer.run(f"SELECT pg_get_viewdef('{name}'::regclass)").rows[0][0] or b"").decode().rstrip(";")
            self._the_writer.script(
                f"CREATE TABLE {lost} AS SELECT * FROM {name} EXCEPT ALL SELECT * FROM {copy}; "
                f"CREATE OR REPLACE VIEW {name} AS ({text}) EXCEPT ALL SELECT * FROM {lost}"
            )

    def replace_view(self, key: str, sql: str, columns: Sequence[str]) -> bool:
        """Have a view show something else, of the same columns. False when a reader holds it, as for `add_column`."""
        with self._writing:
            replaced = self._reshape(f"CREATE OR REPLACE VIEW {physical_name(key)}{_column_list(columns)} AS {sql}")
            if replaced:
                self._note([key])
            return replaced

    def refill(self, key: str, allowed: Callable[[], None]) -> None:
        """The rows of a table that `create_view` made, anew from its query, in one moment. `allowed` as for `write`."""
        table, query = physical_name(key), physical_name(_query_of(key))
        with self._write([key]) as writer:
            allowed()
            writer.script(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {query}")

    def expanded(self, sql: str) -> tuple[str, tuple[Field, ...]]:
        """The query with the columns named that its wildcards mean now, and these columns."""
        with self.reader() as backend:
            backend.script("BEGIN")
            try:
                # From here to the end, nothing that the query reads is altered.
                fields = backend.describe(sql).fields
                names = _column_list([f"c{number}" for number in range(len(fields))])
                backend.script(f"CREATE TEMP VIEW expanded{names} AS {sql}")
                text = backend.run("SELECT pg_get_viewdef('pg_temp.expanded'::regclass)").rows[0][0] or b""
                return text.decode().rstrip(";"), fields
            finally:
                backend.script("ROLLBACK")

    def add_column(self, key: str, name: str, physical: str) -> bool:
        """False when a reader holds the table, so that the caller should let others on and ask again."""
        with self._writing:
            return self._reshape(f"ALTER TABLE {physical_name(key)} ADD COLUMN {quoted(name)} {physical}")

    def _reshape(self, sql: str) -> bool:
        """False when a reader stands in the way."""
        writer = self._the_writer
        try:
            writer.script(f"BEGIN; {_ALTERING_WAITS}; {sql}; COMMIT")
        except SqlError as error:
            writer.script("ROLLBACK")
            if error.message == _LOCK_NOT_AVAILABLE:
                return False
            raise
        return True

    @staticmethod
    def altering_tries() -> Iterator[None]:
        """Turns at a table that readers hold, for five seconds."""
        for _ in range(_ALTERING_TRIES):
            yield
            time.sleep(_ALTERING_PAUSE)
        raise SqlError("the table is held by a reader", "55P03")

    def remove(self, *keys: str) -> None:
        """Have relations removed when nobody reads them any more."""
        for key in keys:
            self._removals.put(key)

    # Writing

    def write(
        self, key: str, sql: str, parameters: Parameters = NO_PARAMETERS, allowed: Callable[[], None] | None = None
    ) -> Rows:
        """One statement that changes a relation. `allowed` raises when it may not, asked when nobody else writes."""
        with self._write([key]) as writer:
            if allowed is not None:
                allowed()
            return writer.run(sql, parameters)

    def write_all(self, statements: Sequence[tuple[str, str, Parameters]], allowed: Callable[[], None]) -> None:
        """Several (key, text, parameters), all or none."""
        with self._write([key for key, _, _ in statements]) as writer:
            allowed()
            for _, sql, parameters in statements:
                writer.run(sql, parameters)

    def apply(self, batch: Batch, is_there: Callable[[str], bool]) -> frozenset[str]:
        """Changes of several relations, all in one moment. Which of these were there, asked when nobody else writes."""
        with self._writing:
            there = [(key, updates) for key, updates in batch if is_there(key)]
            with self._write([key for key, _ in there]) as writer:
                for key, updates in there:
                    unique = self._unique.get(key, ())
                    if isinstance(updates, Sequence):
                        _apply(writer, key, updates, unique)
                    else:
                        updates.write(writer, physical_name(key), unique)
        return frozenset(key for key, _ in there)

    @contextlib.contextmanager
    def staging(self, key: str) -> Iterator[Staging]:
        """A place to gather what `apply` will show at one moment. SqlError when the relation is gone."""
        place = physical_name(f"{key}_staged_{self.now()}")
        with self.reader() as backend:
            staging = Staging(backend, physical_name(key), place, self._unique.get(key, ()))
            try:
                yield staging
            finally:
                staging.close()

    @contextlib.contextmanager
    def _write(self, keys: Sequence[str]) -> Iterator[Backend]:
        """A transaction; those who watch these relations learn of it once it is there."""
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
        """These have just been written."""
        moment = self.now()
        with self._committed:
            self._changes.update(dict.fromkeys(keys, moment))
            self._committed.notify_all()

    def _await_readers(self, held: list[str]) -> None:
        """Give those that hold something a moment, then come back to it."""
        if held:
            with self._committed:
                self._committed.wait(_HELD_PAUSE)
            self.remove(*held)
            held.clear()

    @property
    def _the_writer(self) -> Backend:
        if self._writer is None:
            raise SqlError("the storage is not up", "57P03")
        return self._writer

    def _clean(self) -> None:
        """The janitor's work. What is held by a reader comes again later."""
        backend = Backend(self._server.address.conninfo())
        backend.script(_REMOVING_WAITS)
        later: list[str] = []
        while (key := self._removals.get()) is not None:
            try:
                # Whoever writes has looked, while writing, whether the relation is there: not now.
                with self._writing:
                    _remove(backend, key)
            except SqlError as error:
                if error.message == _LOCK_NOT_AVAILABLE:
                    later.append(key)
            if self._removals.empty():
                self._await_readers(later)
        backend.close()


def physical_name(key: str) -> str:
    return f"zoo.{quoted(key)}"


def _column_list(names: Sequence[str]) -> str:
    """Behind a view's name: nothing where there are none, which no list can say."""
    return f" ({', '.join(map(quoted, names))})" if names else ""


def _query_of(key: str) -> str:
    """The view beside a table that is filled from it."""
    return f"{key}_query"


def _remove(backend: Backend, key: str) -> None:
    for name in (physical_name(key), physical_name(_query_of(key))):
        kind = backend.run(f"SELECT relkind FROM pg_class WHERE oid = to_regclass('{name}')").rows
        if kind:
            backend.script(f"DROP {'VIEW' if kind[0][0] == b'v' else 'TABLE'} {name} CASCADE")


def _apply(writer: Backend, key: str, updates: Sequence[Update], unique: Sequence[str]) -> None:
    net: Counter[tuple[str | None, ...]] = Counter()
    for row, difference in updates:
        net[tuple(row)] += difference
    added = [row for row, difference in net.items() for _ in range(difference)]
    gone = [row for row, difference in net.items() for _ in range(-difference)]
    if gone:
        _take_away(writer, key, gone, unique)
    if added:
        writer.copy_in(f"COPY {physical_name(key)} FROM STDIN", copy_text(added))


def _take_away(writer: Backend, key: str, rows: Sequence[Sequence[str | None]], unique: Sequence[str]) -> None:
    """As many of each row as are listed, none the more often for being there several times."""
    table = physical_name(key)
    writer.script(f"CREATE TEMP TABLE gone (LIKE {table}) ON COMMIT DROP")
    writer.copy_in("COPY gone FROM STDIN", copy_text(rows))
    columns = [quoted(field.name) for field in writer.describe("SELECT * FROM gone").fields]
    # Equality finds the rows through the index; NULL, which a key never is, equals NULL in the other columns.
    found = [f"t.{quoted(c)} = d.{quoted(c)}" for c in unique]
    same = " AND ".join([*found, *(f"t.{c} IS NOT DISTINCT FROM d.{c}" for c in columns)])
    listed = ", ".join(columns)
    writer.script(
        f"DELETE FROM {table} WHERE ctid IN (SELECT zoo_place FROM (SELECT t.ctid AS zoo_place, d.zoo_count, "
        f"row_number() OVER (PARTITION BY {', '.join(f't.{c}' for c in columns)}) AS zoo_nth FROM {table} t "
        f"JOIN (SELECT {listed}, count(*) AS zoo_count FROM gone GROUP BY {listed}) d ON {same}) AS counted "
        "WHERE zoo_nth <= zoo_count)"
    )
    writer.script("DROP TABLE pg_temp.gone")
