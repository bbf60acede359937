"""MySQL and MariaDB: rows, change streams, accounts, and data that a crash does not take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition
from racehound.services.service import CLIENT
from tests.integration.own_composition import own_composition

_numbers = itertools.count()


@pytest.fixture(scope="module")
def mysql(service: Callable[[str], Instance]) -> Instance:
    return service("mysql")


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[Composition]:
    """MariaDB, which cannot be in one composition with MySQL."""
    with own_composition("mariadb") as composition:
        yield composition


@pytest.fixture(scope="module")
def mariadb(own_mariadb: Composition) -> Instance:
    return own_mariadb.instance("mariadb")


@pytest.fixture(params=["mysql", "mariadb"])
def either(request: pytest.FixtureRequest) -> Instance:
    instance: Instance = request.getfixturevalue(request.param)
    return instance


@pytest.fixture
def database(either: Instance) -> Iterator[str]:
    """An empty database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    ask(either, f"CREATE DATABASE {name}")
    yield name
    ask(either, f"DROP DATABASE {name}")


def settings(instance: Instance, user: str = "root", password: str | None = None) -> dict[str, Any]:
    endpoint = instance.endpoints[CLIENT]
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "user": user,
        "password": instance.access.password if password is None else password,
    }


def ask(instance: Instance, *statements: str, **account: str) -> list[tuple[Any, ...]]:
    """Rows of the last statement."""
    with pymysql.connect(**settings(instance, **account), autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def test_mysql_is_set_up_as_a_source_of_change_data(mysql: Instance) -> None:
    names = ("version", "log_bin", "gtid_mode", "enforce_gtid_consistency", "binlog_format", "binlog_row_image", "mysqlx_port")
    values = dict(ask(mysql, "SHOW VARIABLES"))
    assert [values.get(name) for name in names] == ["8.0.33", "ON", "ON", "ON", "ROW", "FULL", None]


def test_mysql_begins_with_no_transaction_and_counts_those_of_clients(mysql: Instance) -> None:
    ask(mysql, "CREATE DATABASE counted")
    [(before,)] = ask(mysql, "SELECT @@gtid_executed")
    ask(mysql, "CREATE TABLE counted.t (a INT)")
    [(after,)] = ask(mysql, "SELECT @@gtid_executed")
    [(new,)] = ask(mysql, f"SELECT GTID_SUBTRACT('{after}', '{before}')")
    [(uuid,)] = ask(mysql, "SELECT @@server_uuid")
    assert before.startswith(f"{uuid}:1")
    assert new == f"{uuid}:{int(after.rpartition('-')[2])}"
    ask(mysql, "DROP DATABASE counted")


def test_mariadb_says_that_it_has_no_gtid_mode(mariadb: Instance) -> None:
    [(version,)] = ask(mariadb, "SELECT VERSION()")
    assert "MariaDB" in version
    with pytest.raises(pymysql.MySQLError, match="gtid_mode"):
        ask(mariadb, "SELECT @@gtid_mode")


def test_rows_come_back(either: Instance, database: str) -> None:
    rows = ask(
        either,
        f"CREATE TABLE {database}.t (a INT PRIMARY KEY, b VARCHAR(20), c DECIMAL(10, 2), d JSON)",
        f"INSERT INTO {database}.t VALUES (1, 'ä€', 1.50, '{{\"x\": 1}}'), (2, NULL, NULL, NULL)",
        f"SELECT a, b, CAST(c AS CHAR), JSON_EXTRACT(d, '$.x') FROM {database}.t ORDER BY a",
    )
    assert rows == [(1, "ä€", "1.50", "1"), (2, None, None, None)]


@pytest.mark.filterwarnings("ignore:'db' is deprecated:DeprecationWarning")  # mysql-replication's own way of calling PyMySQL
def test_every_change_is_in_the_stream_with_whole_rows(either: Instance, database: str) -> None:
    [(file, position, *_)] = ask(either, "SHOW MASTER STATUS")
    ask(
        either,
        f"CREATE TABLE {database}.t (a INT PRIMARY KEY, b VARCHAR(20), c INT)",
        f"INSERT INTO {database}.t VALUES (1, 'one', 10), (2, 'two', 20)",
        f"UPDATE {database}.t SET c = 11 WHERE a = 1",
        f"DELETE FROM {database}.t WHERE a = 2",
    )
    stream = BinLogStreamReader(
        connection_settings=settings(either), server_id=4711, log_file=file, log_pos=position, resume_stream=True,
        only_schemas=[database], only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
        is_mariadb="mariadb" in either.service.name,
    )  # fmt: skip
    try:
        seen = [(type(event).__name__, row) for event in stream for row in event.rows]
    finally:
        stream.close()
    one, two = {"a": 1, "b": "one", "c": 10}, {"a": 2, "b": "two", "c": 20}
    assert [(name, row.get("values") or (row["before_values"], row["after_values"])) for name, row in seen] == [
        ("WriteRowsEvent", one),
        ("WriteRowsEvent", two),
        ("UpdateRowsEvent", (one, {**one, "c": 11})),
        ("DeleteRowsEvent", two),
    ]


def test_accounts_are_checked(either: Instance, database: str) -> None:
    for wrong in ("", "wrong"):
        with pytest.raises(pymysql.MySQLError, match="Access denied"):
            ask(either, "SELECT 1", password=wrong)
    ask(
        either,
        f"CREATE USER {database} IDENTIFIED BY 'secret'",
        f"GRANT SELECT ON {database}.* TO {database}",
        f"CREATE TABLE {database}.t (a INT)",
    )
    assert ask(either, f"SELECT * FROM {database}.t", user=database, password="secret") == []
    with pytest.raises(pymysql.MySQLError, match="denied"):
        ask(either, f"INSERT INTO {database}.t VALUES (1)", user=database, password="secret")
    ask(either, f"DROP USER {database}")


def test_committed_rows_outlive_a_crash(either: Instance, database: str, request: pytest.FixtureRequest) -> None:
    name = either.service.name
    composition: Composition = request.getfixturevalue("composition" if name == "mysql" else "own_mariadb")
    ask(either, f"CREATE TABLE {database}.t (a INT PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1), (2), (3)")
    composition.kill(name)
    assert not either.alive()
    with pytest.raises(pymysql.MySQLError):
        ask(either, "SELECT 1")
    composition.restart(name)
    assert ask(either, f"SELECT a FROM {database}.t ORDER BY a") == [(1,), (2,), (3,)]


def test_nothing_is_reached_from_other_machines(either: Instance) -> None:
    assert either.ports() == [str(either.endpoints[CLIENT])]


def test_scripts_find_it_by_its_variables(either: Instance) -> None:
    assert dict(either.service.variables(either.access)) == {
        "racehound.mysql-url": f"mysql://root@{either.endpoints[CLIENT]}",
        "arg.mysql-root-password": either.access.password,
    }
