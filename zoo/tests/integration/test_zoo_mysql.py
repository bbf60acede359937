"""Sources of the zoo that read from a real MySQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pymysql
import pytest

from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound_zoo.server import Zoo
from zoo_support.connections import refusal, until
from zoo_support.following import (
    FollowingTests,
    Upstream,
    World,
    doubles_a_table_that_is_added,
    doubles_rows_on_restart,
    zoo,
)

__all__ = ["zoo"]
_KEYED = "id int PRIMARY KEY, n int"


class MySql(Upstream):
    service = "mysql"

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._opened: list[Any] = []

    def open(self) -> Callable[[str], list[tuple[Any, ...]]]:
        endpoint = self.instance.endpoints[CLIENT]
        account = {"user": "root", "password": self.instance.access.password}
        connection = pymysql.connect(host=endpoint.host, port=endpoint.port, autocommit=True, **account)
        self._opened.append(connection)

        def say(text: str) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(text)
                return list(cursor.fetchall())

        say("CREATE DATABASE IF NOT EXISTS followed")
        say("USE followed")
        return say

    def make_source(self, name: str, connection: str, tables: Sequence[str]) -> str:  # noqa: ARG002 every table can be read
        return f"MYSQL CONNECTION {connection}"

    def connecting(self, password: str = "pw") -> str:
        endpoint = self.instance.endpoints[CLIENT]
        return f"MYSQL (HOST '{endpoint.host}', PORT {endpoint.port}, USER root, PASSWORD SECRET {password})"

    def reference(self, table: str) -> str:
        return f"followed.{table}"

    def close(self) -> None:
        for connection in self._opened:
            if connection.open:
                connection.close()


@pytest.fixture(scope="module")
def upstream(service: Callable[[str], Instance]) -> Iterator[MySql]:
    upstream = MySql(service("mysql"))
    yield upstream
    upstream.close()


@pytest.fixture
def world(zoo: Zoo, upstream: MySql) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*definitions: str) -> World:
        made.append(World(zoo, upstream, *definitions))
        return made[-1]

    yield make
    for each in made:
        each.close()
    say = upstream.open()
    until(lambda: say("SELECT 1 FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'") == [])


class TestFollowing(FollowingTests):
    pass


def test_connections_are_tried(upstream: MySql, world: Callable[..., World]) -> None:
    it = world(_KEYED)
    it.execute("VALIDATE CONNECTION c")
    port = f"PORT {upstream.instance.endpoints[CLIENT].port}"
    assert refusal(it.session, f"CREATE CONNECTION x TO {upstream.connecting().replace(port, 'PORT 1')}") == (
        "XX000", "Input/output error: Input/output error: Connection refused (os error 111)",
    )  # fmt: skip
    denied = refusal(it.session, f"CREATE CONNECTION x TO {upstream.connecting().replace('USER root', 'USER nobody')}")
    assert denied[1].startswith("Server error: `ERROR 28000 (1045): Access denied for user 'nobody'@")


def test_what_cannot_be_followed_is_refused_in_materializes_words(world: Callable[..., World]) -> None:
    it = world(_KEYED, "id int, n enum('a', 'b')")
    plain, strange = it.tables
    assert refusal(it.session, "CREATE TABLE x FROM SOURCE s (REFERENCE followed.nosuch)") == (
        "XX000", "reference to followed.nosuch not found in source",
    )  # fmt: skip
    with pytest.raises(psycopg.Error, match="referenced tables use unsupported types") as caught:
        it.execute(f"CREATE TABLE x FROM SOURCE s (REFERENCE followed.{strange})")
    assert caught.value.diag.message_detail == (
        f"the following columns contain unsupported types:\n'enum('a','b')' for n.{strange}"
    )
    it.write("SET GLOBAL binlog_row_metadata = MINIMAL")
    try:
        message = refusal(it.session, f"CREATE TABLE x FROM SOURCE s (REFERENCE followed.{plain})")[1]
    finally:
        it.write("SET GLOBAL binlog_row_metadata = FULL")
    assert message == "invalid mysql system setting 'binlog_row_metadata'. Expected 'FULL'. Got 'MINIMAL'."


def test_a_log_that_does_not_say_enough_is_refused(world: Callable[..., World]) -> None:
    it = world(_KEYED)
    it.write("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        with pytest.raises(psycopg.Error, match="Invalid MySQL system replication settings") as caught:
            it.execute("VALIDATE CONNECTION c")
    finally:
        it.write("SET GLOBAL binlog_row_image = FULL")
    assert str(caught.value.diag.message_detail).endswith("settings: binlog_row_image: expected FULL, got MINIMAL")


def test_values_of_every_type_arrive_the_same_way_by_snapshot_and_by_stream(world: Callable[..., World]) -> None:
    columns = {
        "tinyint": "-3", "boolean": "true", "smallint unsigned": "65535", "mediumint": "-8388608", "int unsigned": "4294967295",
        "bigint": "-9223372036854775808", "bigint unsigned": "18446744073709551615", "float": "1.1", "double": "3.14159e-7",
        "decimal(20,5)": "-12345.67800", "date": "'2024-02-29'", "time(3)": "'12:34:56.789'",
        "datetime(6)": "'2024-02-29 23:59:59.123456'", "timestamp(3) NULL": "'2024-02-29 12:00:00.5'", "char(5)": "'ab'",
        "varchar(20)": "'ä€'", "text": "'a\\tb\\\\\\nc'", "binary(4)": "'ab'", "varbinary(9)": "x'00ff'", "blob": "x'0001fe'",
        "json": """'{"a": [1, 2.5, null, "ü"], "b": {"c": true}}'""", "bit(10)": "b'1000000001'",
    }  # fmt: skip
    it = world(", ".join(["id int PRIMARY KEY, n int", *(f"c{nth} {kind}" for nth, kind in enumerate(columns))]))
    [table] = it.tables
    values = ", ".join(columns.values())
    it.write("SET time_zone = '+05:00'")
    it.write(f"INSERT INTO {table} VALUES (1, 0, {values})")
    it.add(table)
    assert len(it.here(table)) == 1
    it.write(f"INSERT INTO {table} VALUES (2, 0, {values})")
    it.write(f"INSERT INTO {table} (id) VALUES (3)")
    until(lambda: len(it.here(table)) == 3)
    first, second, third = it.here(table)
    assert first[1:] == second[1:]
    assert {*third[1:]} == {None}
    it.write(f"UPDATE {table} SET n = 1")
    it.write(f"DELETE FROM {table} WHERE id < 3")
    until(lambda: [row[:2] for row in it.here(table)] == [(3, 1)])


def test_a_value_that_cannot_be_read_ceases_its_table_alone(world: Callable[..., World]) -> None:
    it = world("id int PRIMARY KEY, n time", _KEYED)
    strange, healthy = it.tables
    for table in it.tables:
        it.add(table)
        it.await_status(table)
    it.write(f"INSERT INTO {strange} VALUES (1, '-800:00:00')")
    it.write(f"INSERT INTO {healthy} VALUES (1, 1)")
    assert "unable to decode: " in str(it.await_status(strange, "ceased"))
    until(lambda: it.here(healthy) == [(1, 1)])


def test_a_table_of_the_same_name_that_is_made_later_is_another(world: Callable[..., World]) -> None:
    it = world(_KEYED, _KEYED)
    renamed, replaced = it.tables
    for table in it.tables:
        it.add(table)
        it.await_status(table)
    it.write(f"RENAME TABLE {renamed} TO {renamed}_new")
    it.write(f"DROP TABLE {replaced}")
    it.write(f"CREATE TABLE {replaced} ({_KEYED})")
    for table in it.tables:
        assert it.await_status(table, "ceased") == f"mysql: table was dropped: `followed`.`{table}`"


@pytest.fixture
def defective(request: pytest.FixtureRequest, upstream: MySql) -> Iterator[World]:
    """A world whose zoo has one defect or none."""
    with Zoo(defects=request.param) as own:
        it = World(own, upstream, "id int, n int")
        it.add(it.tables[0])
        yield it
        it.close()


@pytest.mark.parametrize("defective", [("doubled-rows-on-restart",)], indirect=True)
def test_rows_are_doubled_on_restart(defective: World) -> None:
    assert any(doubles_rows_on_restart(defective) for _ in range(40))


@pytest.mark.parametrize("defective", [("source-table-wrong-snapshot",)], indirect=True)
def test_a_wrong_snapshot_doubles_rows(defective: World) -> None:
    numbers = itertools.count()
    assert any(doubles_a_table_that_is_added(defective, numbers) for _ in range(40))


@pytest.mark.parametrize("defective", [()], indirect=True)
def test_without_their_switches_these_races_are_harmless(defective: World) -> None:
    numbers = itertools.count()
    assert not any(doubles_rows_on_restart(defective) for _ in range(4))
    assert not any(doubles_a_table_that_is_added(defective, numbers) for _ in range(4))
