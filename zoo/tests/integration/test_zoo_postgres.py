"""Sources of the zoo that read from a real PostgreSQL."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound_zoo.server import Zoo
from zoo_support.connections import refusal, rows, until
from zoo_support.following import FollowingTests, Upstream, World, doubles_a_table_that_is_added, zoo

__all__ = ["zoo"]
_SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'materialize_%'"


class Postgres(Upstream):
    service = "postgres"

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._opened: list[psycopg.Connection[Any]] = []

    def open(self) -> Callable[[str], list[tuple[Any, ...]]]:
        url = self.instance.service.variables(self.instance.access)["racehound.postgres-url"]
        connection = psycopg.connect(url, autocommit=True)
        self._opened.append(connection)

        def say(text: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

        return say

    def make_source(self, name: str, connection: str, tables: Sequence[str]) -> str:
        say = self.open()
        for table in tables:
            say(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        say(f"CREATE PUBLICATION {name} FOR TABLE {', '.join(tables)}")
        return f"POSTGRES CONNECTION {connection} (PUBLICATION '{name}')"

    def connecting(self, password: str = "pw") -> str:
        endpoint = self.instance.endpoints[CLIENT]
        place = f"HOST '{endpoint.host}', PORT {endpoint.port}, DATABASE postgres"
        return f"POSTGRES ({place}, USER postgres, PASSWORD SECRET {password})"

    def reference(self, table: str) -> str:
        return table

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


@pytest.fixture(scope="module")
def upstream(service: Callable[[str], Instance]) -> Iterator[Postgres]:
    upstream = Postgres(service("postgres"))
    yield upstream
    upstream.close()


@pytest.fixture
def world(zoo: Zoo, upstream: Postgres) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*definitions: str) -> World:
        made.append(World(zoo, upstream, *definitions))
        return made[-1]

    yield make
    for each in made:
        each.close()
        until(functools.partial(_no_slots, each))


def _no_slots(world: World) -> bool:
    return world.write(_SLOTS) == []


class TestFollowing(FollowingTests):
    pass


def test_what_cannot_be_followed_is_refused_in_materializes_words(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int", "id int, n int", "id int, n point")
    _, partial, strange = it.tables
    it.write(f"ALTER TABLE {partial} REPLICA IDENTITY DEFAULT")

    def refused(text: str) -> tuple[str | None, str | None]:
        with pytest.raises(psycopg.Error) as caught:
            it.session.execute(text)
        return caught.value.diag.message_primary, caught.value.diag.message_detail

    assert refused("CREATE SOURCE x FROM POSTGRES CONNECTION c (PUBLICATION 'nosuch')") == (
        "failed to connect to PostgreSQL database", "publication nosuch does not exist",
    )  # fmt: skip
    assert refused("CREATE TABLE x FROM SOURCE s (REFERENCE nosuch)") == ("reference to nosuch not found in source", None)
    assert refused(f"CREATE TABLE x FROM SOURCE s (REFERENCE {partial})") == (
        "referenced items not tables with REPLICA IDENTITY FULL", f"referenced items: public.{partial}",
    )  # fmt: skip
    message, detail = refused(f"CREATE TABLE x FROM SOURCE s (REFERENCE {strange})")
    assert message == "referenced tables use unsupported types"
    assert detail == f"the following columns contain unsupported types:\npostgres.public.{strange}.n (OID 600)"


def test_connections_are_tried(zoo: Zoo, upstream: Postgres, world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int")
    it.execute("VALIDATE CONNECTION c")
    port = f"PORT {upstream.instance.endpoints[CLIENT].port}"
    assert refusal(it.session, f"CREATE CONNECTION x TO {upstream.connecting().replace(port, 'PORT 1')}") == (
        "XX000", "error connecting to server: Connection refused (os error 111)",
    )  # fmt: skip
    elsewhere = upstream.connecting().replace("DATABASE postgres", "DATABASE nope")
    assert refusal(it.session, f"CREATE CONNECTION x TO {elsewhere}") == (
        "XX000", 'db error: FATAL: database "nope" does not exist',
    )  # fmt: skip


def test_rows_without_their_old_values_cease_their_table(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int")
    [table] = it.tables
    it.add(table)
    it.write(f"INSERT INTO {table} VALUES (1, 1)")
    until(lambda: it.here(table) == [(1, 1)])
    it.write(f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT")
    it.write(f"UPDATE {table} SET n = 2")
    until(lambda: it.statuses()[table][0] == "ceased")
    assert it.statuses()[table][1] == (
        "postgres: old row missing from replication stream. Did you forget to set REPLICA IDENTITY to FULL for your table?"
    )


def test_values_of_every_type_arrive_the_same_way_by_snapshot_and_by_stream(world: Callable[..., World]) -> None:
    columns = {
        "bool": "true", "bytea": "'\\x00ff'", "text": "E'a\\tb\\\\\\nc'", "smallint": "-3", "bigint": "-9223372036854775808",
        "real": "1.1", "float8": "'NaN'", "numeric(9,4)": "12.3400", "date": "'2024-02-29'", "time": "'12:34:56.789'",
        "timestamp": "'2024-02-29 23:59:59.123456'", "timestamptz": "'2024-02-29 12:00:00+02'", "interval": "'1 mon 2 days 3s'",
        "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "jsonb": "'{\"a\": [1, null]}'", "json": "'[1,  2]'", "char(5)": "'ab'",
        "varchar(9)": "'ä€'", "text[]": "'{a,\"b c\",NULL}'", "\"char\"": "'x'", "name": "'n'",
    }  # fmt: skip
    it = world(", ".join(["id int PRIMARY KEY, n int", *(f"c{nth} {kind}" for nth, kind in enumerate(columns))]))
    [table] = it.tables
    values = ", ".join(columns.values())
    it.write(f"INSERT INTO {table} VALUES (1, 0, {values})")
    it.add(table)
    assert len(it.here(table)) == 1
    it.write(f"INSERT INTO {table} VALUES (2, 0, {values})")
    it.write(f"INSERT INTO {table} VALUES (3)")
    until(lambda: len(it.here(table)) == 3)
    first, second, third = it.here(table)
    assert [str(value) for value in first[1:]] == [str(value) for value in second[1:]]
    assert {*third[1:]} == {None}
    assert [str(value) for value in it.here(table)[0]] == [str(value) for value in it.there(table)[0]]
    it.write(f"UPDATE {table} SET n = 1")
    it.write(f"DELETE FROM {table} WHERE id < 3")
    until(lambda: [row[:2] for row in it.here(table)] == [(3, 1)])


def test_a_large_value_that_an_update_leaves_alone_is_kept(world: Callable[..., World]) -> None:
    it = world("id int, n int, big text")
    [table] = it.tables
    it.write(f"ALTER TABLE {table} ALTER COLUMN big SET STORAGE EXTERNAL")
    it.add(table)
    it.write(f"INSERT INTO {table} VALUES (1, 1, repeat('x', 100000))")
    it.write(f"UPDATE {table} SET n = 2")
    until(lambda: rows(it.session, f"SELECT n, length(big) FROM {table}") == [(2, 100000)])


def test_a_source_of_all_tables_has_them_under_its_own_names(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int", "id int, n int")
    one, other = it.tables
    it.write(f"INSERT INTO {one} VALUES (1, 1)")
    connector = f"POSTGRES CONNECTION c (PUBLICATION '{it.name}')"
    it.execute(f"CREATE SOURCE every IN CLUSTER {it.name} FROM {connector} FOR ALL TABLES")
    it.execute(f"CREATE SOURCE some IN CLUSTER {it.name} FROM {connector} FOR TABLES ({one} AS called)")
    assert it.here(one) == it.here("called") == [(1, 1)]
    it.write(f"INSERT INTO {other} VALUES (2, 2)")
    until(lambda: it.here(other) == [(2, 2)])
    it.execute("DROP SOURCE every CASCADE")
    it.execute("DROP SOURCE some CASCADE")


def test_a_source_that_is_dropped_as_soon_as_it_is_made_leaves_no_slot(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int")
    create = f"CREATE SOURCE q IN CLUSTER {it.name} FROM POSTGRES CONNECTION c (PUBLICATION '{it.name}')"
    for nth in range(6):
        it.execute(create)
        threading.Event().wait(nth * 0.01)
        it.execute("DROP SOURCE q")
    until(lambda: len(it.write(_SLOTS)) == 1, 3)


def test_a_slot_that_waits_for_a_transaction_does_not_keep_its_source(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n int")
    [table] = it.tables
    say = it.upstream.open()
    say("BEGIN")
    say(f"INSERT INTO {table} VALUES (1, 1)")
    it.add(table)
    it.execute("DROP SOURCE s CASCADE")
    until(lambda: it.write(_SLOTS) == [], 3)
    say("COMMIT")


def test_the_end_of_the_zoo_is_the_end_of_its_slots(upstream: Postgres) -> None:
    with Zoo() as own:
        it = World(own, upstream, "id int PRIMARY KEY, n int")
        it.add(it.tables[0])
        until(lambda: it.statuses()[it.tables[0]][0] == "running")
        assert len(it.write(_SLOTS)) == 1
        it.session.close()
    assert it.write(_SLOTS) == []
    assert it.write("SELECT pid FROM pg_stat_activity WHERE application_name = 'materialize'") == []


_TRIES = 40


@pytest.fixture
def defective(request: pytest.FixtureRequest, upstream: Postgres) -> Iterator[World]:
    """A world whose zoo has one defect or none."""
    with Zoo(defects=request.param) as own:
        it = World(own, upstream, "id int, n int")
        yield it
        it.close()
    for (slot,) in it.write(_SLOTS):
        it.write(f"SELECT pg_drop_replication_slot('{slot}')")


def _leaks_a_slot(it: World, patience: float) -> bool:
    """Whether a slot remains when a source is dropped `patience` seconds after it was created."""
    it.execute(f"CREATE SOURCE q IN CLUSTER {it.name} FROM POSTGRES CONNECTION c (PUBLICATION '{it.name}')")
    threading.Event().wait(patience)
    it.execute("DROP SOURCE q")
    try:
        until(lambda: len(it.write(_SLOTS)) == 1, 2)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("defective", [("leaked-slot",)], indirect=True)
def test_a_slot_leaks_when_its_source_is_dropped_at_once(defective: World) -> None:
    assert any(_leaks_a_slot(defective, nth * 0.01) for nth in range(_TRIES))


@pytest.mark.parametrize("defective", [("source-table-wrong-snapshot",)], indirect=True)
def test_a_wrong_snapshot_doubles_rows(defective: World) -> None:
    numbers = itertools.count()
    assert any(doubles_a_table_that_is_added(defective, numbers) for _ in range(_TRIES))


@pytest.mark.parametrize("defective", [()], indirect=True)
def test_without_their_switches_these_races_are_harmless(defective: World) -> None:
    numbers = itertools.count()
    assert not any(_leaks_a_slot(defective, nth * 0.02) for nth in range(5))
    assert not any(doubles_a_table_that_is_added(defective, numbers) for _ in range(4))
