"""Tests that hold for every source that reads from another database."""

from __future__ import annotations

import abc
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from racehound.services.backends.instance import Instance
from racehound_zoo.server import Zoo
from zoo_support.connections import connect, refusal, rows, until

_numbers = itertools.count(1)
_STATUSES = "SELECT name, status, error FROM mz_internal.mz_source_statuses"


class Upstream(abc.ABC):
    """An upstream database."""

    service: str

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    @abc.abstractmethod
    def open(self) -> Callable[[str], list[tuple[Any, ...]]]:
        """Open a session. Returns a function that executes a statement in it."""

    @abc.abstractmethod
    def make_source(self, name: str, connection: str, tables: Sequence[str]) -> str:
        """The end of a CREATE SOURCE statement. The tables may be written from now on."""

    @abc.abstractmethod
    def connecting(self, password: str = "pw") -> str:
        """The end of a CREATE CONNECTION statement."""

    @abc.abstractmethod
    def reference(self, table: str) -> str: ...


class World:
    """A zoo, an upstream database, and a source with a cluster of its own that reads from it."""

    def __init__(self, zoo: Zoo, upstream: Upstream, *definitions: str) -> None:
        self.zoo, self.upstream = zoo, upstream
        self.session = connect(zoo.url)
        self.execute = self.session.execute
        self.write = upstream.open()
        self.name = f"w{next(_numbers)}"
        self.tables = [f"{self.name}_{number}" for number in range(len(definitions))]
        for table, definition in zip(self.tables, definitions, strict=True):
            self.write(f"CREATE TABLE {table} ({definition})")
        ending = upstream.make_source(self.name, "c", self.tables)
        for text in (
            "DROP SCHEMA IF EXISTS mine CASCADE", "CREATE SCHEMA mine", "SET search_path = mine",
            f"CREATE CLUSTER {self.name} (SIZE '1', REPLICATION FACTOR 1)",
            f"CREATE SECRET pw AS '{upstream.instance.access.password}'",
            f"CREATE CONNECTION c TO {upstream.connecting()}", f"CREATE SOURCE s IN CLUSTER {self.name} FROM {ending}",
        ):  # fmt: skip
            self.execute(text)

    def add(self, table: str) -> None:
        self.execute(f"CREATE TABLE {table} FROM SOURCE s (REFERENCE {self.upstream.reference(table)})")

    def here(self, table: str) -> list[tuple[Any, ...]]:
        return rows(self.session, f"SELECT * FROM {table} ORDER BY id, n")

    def there(self, table: str) -> list[tuple[Any, ...]]:
        return self.write(f"SELECT * FROM {table} ORDER BY id, n")

    def await_all(self, *tables: str) -> None:
        """Wait until the tables are the same upstream and in the zoo."""
        until(lambda: all(self.here(table) == self.there(table) for table in tables))

    def await_status(self, name: str, status: str = "running") -> str | None:
        """Wait until a source or table has this status. Returns the error that belongs to it."""
        until(lambda: self.statuses()[name][0] == status)
        return self.statuses()[name][1]

    def statuses(self) -> dict[str, tuple[str, str | None]]:
        return {name: (status, error) for name, status, error in rows(self.session, _STATUSES)}

    def replicas(self, count: int) -> None:
        self.execute(f"ALTER CLUSTER {self.name} SET (REPLICATION FACTOR {count})")

    @contextlib.contextmanager
    def writing(self, *tables: str) -> Iterator[None]:
        """Write one transaction after the other upstream: rows are inserted, updated and deleted."""
        begun, ending = threading.Event(), threading.Event()
        failures: list[BaseException] = []

        def write() -> None:
            execute = self.upstream.open()
            try:
                for number in itertools.count(1000):
                    execute("BEGIN")
                    for table in tables:
                        execute(f"INSERT INTO {table} VALUES ({number}, 0)")
                        execute(f"UPDATE {table} SET n = n + 1 WHERE id > {number - 3}")
                        execute(f"DELETE FROM {table} WHERE id = {number - 20}")
                    execute("COMMIT")
                    begun.set()
                    if ending.wait(0.001):
                        return
            except BaseException as failure:
                failures.append(failure)
                raise

        writer = threading.Thread(target=write)
        writer.start()
        begun.wait(10)
        try:
            yield
        finally:
            ending.set()
            writer.join()
            assert not failures

    def close(self) -> None:
        self.execute("DROP SCHEMA mine CASCADE")
        self.execute(f"DROP CLUSTER {self.name} CASCADE")
        self.session.close()


class FollowingTests:
    """The tests. Each subclass has a fixture `world`, which creates one with tables of these definitions."""

    KEYED = "id int PRIMARY KEY, n int"

    def test_a_transaction_is_seen_whole_in_all_its_tables(self, world: Callable[..., World]) -> None:
        it = world(self.KEYED, self.KEYED)
        one, other = it.tables
        it.write(f"INSERT INTO {one} VALUES (1, 1000)")
        it.write(f"INSERT INTO {other} VALUES (1, 0)")
        for table in it.tables:
            it.add(table)
        until(lambda: len(it.here(one)) == len(it.here(other)) == 1)
        done = threading.Event()

        def move() -> None:
            execute = it.upstream.open()
            for _ in range(150):
                for statement in ("BEGIN", f"UPDATE {one} SET n = n - 1", f"UPDATE {other} SET n = n + 1", "COMMIT"):
                    execute(statement)
            done.set()

        mover = threading.Thread(target=move)
        mover.start()
        while not done.is_set():
            assert rows(it.session, f"SELECT a.n + b.n FROM {one} a, {other} b") == [(1000,)]
        mover.join()
        until(lambda: it.here(other) == [(1, 150)])

    def test_a_table_that_is_added_while_it_is_written_misses_and_doubles_nothing(self, world: Callable[..., World]) -> None:
        it = world(*[self.KEYED, "id int, n int"] * 3)
        with it.writing(*it.tables):
            for table in it.tables:
                it.add(table)
                assert it.here(table)
        it.await_all(*it.tables)
        assert {status for status, _ in it.statuses().values()} == {"running"}

    def test_a_restart_loses_and_doubles_nothing(self, world: Callable[..., World]) -> None:
        it = world(self.KEYED, "id int, n int")
        for table in it.tables:
            it.add(table)
        with it.writing(*it.tables):
            for _ in range(4):
                it.replicas(0)
                it.replicas(1)
                it.await_status("s")
        it.replicas(0)
        it.write(f"INSERT INTO {it.tables[0]} VALUES (1, 1)")
        it.replicas(1)
        it.await_all(*it.tables)

    def test_changes_are_there_at_once(self, world: Callable[..., World]) -> None:
        it = world(self.KEYED)
        [table] = it.tables
        it.add(table)
        it.await_status(table)
        for number in range(20):
            it.write(f"INSERT INTO {table} VALUES ({number}, 0)")
            it.await_all(table)

    def test_a_table_that_loses_its_rows_or_itself_or_its_shape_ceases_and_others_go_on(
        self, world: Callable[..., World]
    ) -> None:
        it = world(*[self.KEYED] * 5)
        truncated, dropped, altered, widened, healthy = it.tables
        for table in it.tables:
            it.add(table)
            it.await_status(table)
        it.write(f"TRUNCATE TABLE {truncated}")
        it.write(f"DROP TABLE {dropped}")
        it.write(f"ALTER TABLE {altered} DROP COLUMN n")
        it.write(f"INSERT INTO {altered} VALUES (1)")
        it.write(f"ALTER TABLE {widened} ADD COLUMN more text")
        it.write(f"INSERT INTO {widened} VALUES (1, 1, 'x')")
        it.write(f"INSERT INTO {healthy} VALUES (1, 1)")
        ceased = {truncated: "table was truncated", dropped: "table was dropped", altered: "incompatible schema change"}
        for table, words in ceased.items():
            assert words in str(it.await_status(table, "ceased"))
            expected = f"Source error: source must be dropped and recreated due to failure: {words}"
            assert refusal(it.session, f"SELECT * FROM {table}")[1].startswith(expected)
        until(lambda: it.here(healthy) == it.here(widened) == [(1, 1)])
        assert it.statuses()["s"] == ("running", None)
        # The status does not change, whatever happens upstream.
        it.replicas(0)
        it.replicas(1)
        it.write(f"INSERT INTO {healthy} VALUES (2, 2)")
        until(lambda: len(it.here(healthy)) == 2)
        assert it.statuses()[truncated][0] == "ceased"

    def test_while_the_database_is_away_all_is_stalled(self, world: Callable[..., World], composition: Any) -> None:
        it = world(self.KEYED, self.KEYED)
        first, late = it.tables
        it.add(first)
        it.await_status(first)
        composition.kill(it.upstream.service)
        it.await_status("s", "stalled")
        assert it.statuses()[first][0] == "stalled"
        assert it.here(first) == []
        composition.restart(it.upstream.service)
        it.write = it.upstream.open()
        it.write(f"INSERT INTO {first} VALUES (1, 1)")
        until(lambda: it.here(first) == [(1, 1)])
        until(lambda: it.statuses()["s"] == ("running", None))
        it.add(late)
        assert it.here(late) == []

    def test_two_relations_of_one_table_are_the_same(self, world: Callable[..., World]) -> None:
        it = world(self.KEYED)
        [table] = it.tables
        it.add(table)
        it.execute(f"CREATE TABLE second FROM SOURCE s (REFERENCE {it.upstream.reference(table)})")
        it.write(f"INSERT INTO {table} VALUES (1, 1)")
        until(lambda: it.here(table) == it.here("second") == [(1, 1)])
        it.execute("DROP TABLE second")
        it.write(f"UPDATE {table} SET n = 2")
        until(lambda: it.here(table) == [(1, 2)])


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


def doubles_a_table_that_is_added(it: World, numbers: Iterator[int]) -> bool:
    """Whether a table that is added while it is written upstream differs from its upstream table afterwards."""
    [table] = it.tables
    name = f"n{next(numbers)}"
    with it.writing(table):
        it.execute(f"CREATE TABLE {name} FROM SOURCE s (REFERENCE {it.upstream.reference(table)})")
        it.here(name)
    return _differs(it, name, table)


def doubles_rows_on_restart(it: World) -> bool:
    """Whether a table differs from its upstream table after its source has lost its replica while it was written."""
    [table] = it.tables
    before = it.here(table)
    with it.writing(table):
        until(lambda: it.here(table) != before)  # on a busy machine the source may still be behind
        it.replicas(0)
        it.replicas(1)
    return _differs(it, table, table)


def _differs(it: World, here: str, there: str) -> bool:
    """Whether a table differs from its upstream table. A marker row is written last and awaited."""
    it.write(f"DELETE FROM {there} WHERE id = 1")
    it.write(f"INSERT INTO {there} VALUES (1, {next(_numbers)})")
    mark = it.there(there)[0]
    until(lambda: mark in it.here(here))
    return it.here(here) != it.there(there)
