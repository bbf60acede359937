"""What a repetition leaves in the services around a Materialize is removed, and nothing else, against the real services."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from racehound.databases.materialize import service_cleanup
from racehound.databases.materialize.service_cleanup import KafkaCleaner, MySqlCleaner, PostgresCleaner
from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.wire.session import LibpqSession

RUN, NUMBER = "rh0a51e900", 0x0A51E900


def _ask(session: LibpqSession, query: str) -> list[tuple[str | None, ...]]:
    outcome = session.execute(query)
    assert outcome.ok, outcome.error
    return outcome.rows.cells if outcome.rows else []


@pytest.fixture
def postgres(service: Callable[[str], Instance]) -> Iterator[tuple[str, LibpqSession]]:
    """The address of the run's database to be, and a session in another one."""
    url = service("postgres").service.variables(service("postgres").access)["racehound.postgres-url"]
    session = LibpqSession.connect(url)
    yield urllib.parse.urlsplit(url)._replace(path=f"/{RUN}_source").geturl(), session
    session.close()


def test_the_runs_database_goes_with_the_run_and_is_empty_between_repetitions(postgres: tuple[str, LibpqSession]) -> None:
    url, elsewhere = postgres
    _ask(elsewhere, "CREATE TABLE o_0_table (a TEXT)")
    cleaner = PostgresCleaner(url, RUN)
    cleaner.connect()
    try:
        with contextlib.closing(LibpqSession.connect(url)) as inside:
            _ask(inside, "CREATE TABLE o_0_table (a TEXT)")
            _ask(inside, "CREATE PUBLICATION o_0_source FOR TABLE o_0_table")
            _ask(inside, f"CREATE ROLE {RUN}_o_0_role SUPERUSER")
            assert cleaner.drop_leftovers() == []
            assert _ask(inside, "SELECT pubname FROM pg_publication") == []
            assert _ask(inside, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
            assert _ask(inside, f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{RUN}%'") == []
        assert _ask(elsewhere, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("o_0_table",)]
    finally:
        cleaner.close()
        _ask(elsewhere, "DROP TABLE o_0_table")
    assert _ask(elsewhere, f"SELECT datname FROM pg_database WHERE datname LIKE '{RUN}%'") == []


def test_a_slot_that_outlives_its_source_is_told_of_and_removed(
    postgres: tuple[str, LibpqSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_cleanup, "SLOT_GRACE_S", 0.2)
    url, elsewhere = postgres
    cleaner = PostgresCleaner(url, RUN)
    cleaner.connect()
    try:
        with contextlib.closing(LibpqSession.connect(url)) as inside:
            _ask(inside, "SELECT pg_create_logical_replication_slot('materialize_0123', 'pgoutput')")
        (leak,) = cleaner.drop_leftovers()
        assert leak.startswith("replication slot materialize_0123 is still there")
        assert _ask(elsewhere, "SELECT slot_name FROM pg_replication_slots") == []
        assert cleaner.drop_leftovers() == []
    finally:
        cleaner.close()


def test_users_and_the_database_of_the_run_in_mysql_go_and_others_stay(service: Callable[[str], Instance]) -> None:
    pymysql = pytest.importorskip("pymysql")
    instance = service("mysql")
    endpoint = instance.endpoints[CLIENT]
    password = instance.service.variables(instance.access)["arg.mysql-root-password"]
    cleaner = MySqlCleaner(f"mysql://root@{endpoint}", password, f"{RUN}_source", RUN)
    cleaner.connect()
    with pymysql.connect(host=endpoint.host, port=endpoint.port, user="root", password=password, autocommit=True) as connection:
        cursor = connection.cursor()
        try:
            for database in (f"{RUN}_source", "rh0badcafe_source"):
                cursor.execute(f"CREATE DATABASE {database}")
                cursor.execute(f"CREATE TABLE {database}.o_0_table (a TEXT)")
            cursor.execute(f"CREATE USER '{RUN}_o_0_role'@'%' IDENTIFIED BY 'x'")
            assert cleaner.drop_leftovers() == []
            assert cursor.execute(f"SHOW TABLES FROM {RUN}_source") == 0
            assert cursor.execute("SELECT user FROM mysql.user WHERE user LIKE 'rh%'") == 0
            cleaner.close()
            assert cursor.execute(f"SHOW DATABASES LIKE '{RUN}%'") == 0
            assert cursor.execute("SHOW TABLES FROM rh0badcafe_source") == 1
        finally:
            cursor.execute("DROP DATABASE rh0badcafe_source")
            cleaner.close()


def test_topics_and_subjects_of_the_run_go_in_about_a_second_and_others_stay(service: Callable[[str], Instance]) -> None:
    admin_module = pytest.importorskip("confluent_kafka.admin")
    registry = f"http://{service('schema-registry').endpoints[CLIENT]}"
    servers = str(service("kafka").endpoints[CLIENT])
    admin = admin_module.AdminClient({"bootstrap.servers": servers})
    mine = [f"testdrive-o_0-{NUMBER}", f"{RUN}_db1-o_1-1"]
    topics = [admin_module.NewTopic(name, 1, 1) for name in (*mine, "testdrive-o_0-1", "orders")]
    for done in admin.create_topics(topics, operation_timeout=10).values():
        done.result()
    for subject in (f"{mine[0]}-value", "orders-value"):
        _register(registry, subject)
    cleaner = KafkaCleaner(servers, registry, RUN, NUMBER)
    try:
        cleaner.connect()
        began = time.monotonic()
        assert cleaner.drop_leftovers() == []
        assert time.monotonic() - began < 5.0
        left = set(admin.list_topics(timeout=10).topics)
        assert not left & set(mine)
        assert {"testdrive-o_0-1", "orders"} <= left
        with urllib.request.urlopen(f"{registry}/subjects") as answer:
            subjects = json.load(answer)
        assert f"{mine[0]}-value" not in subjects
        assert "orders-value" in subjects
    finally:
        cleaner.close()
        for done in admin.delete_topics(["testdrive-o_0-1", "orders"], operation_timeout=10).values():
            done.result()


def _register(registry: str, subject: str) -> None:
    body = json.dumps({"schema": '"string"'}).encode()
    request = urllib.request.Request(
        f"{registry}/subjects/{subject}/versions", body, {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    )
    urllib.request.urlopen(request).close()
