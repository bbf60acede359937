"""Verify steps of Materialize's kinds that PostgreSQL can answer as well: they hold for what is right and see what is wrong.

PostgreSQL stands in for the target; what the sources follow are the real services.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from racehound.databases.materialize import sinks
from racehound.databases.materialize.connected_services import ConnectedServices, from_variables
from racehound.databases.materialize.kinds import KINDS, MaterializeKind
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

_KINDS = {kind.__name__: kind for kind in KINDS}
_RUN = "rh00e51f00"
_RECORDS = {"racehound.upsert-records": "1000"}


class Stage:
    """A session of the stand-in, and a way to run fragments on it. A step that waits gives up after a moment."""

    def __init__(self, session: LibpqSession, around: ConnectedServices) -> None:
        self.session = session
        fixed = {"racehound.run": _RUN, "racehound.source-password": "of this test"}
        known = {**fixed, "racehound.database": "target", "testdrive.seed": "7", **around.variables()}
        services, connect = around.services(None, None), LibpqSession.connect
        self._interpreter = Interpreter(
            Context(session, {**known, **_RECORDS}, connect, max_tries=1, services=services, support=SCRIPT_SUPPORT)
        )

    def run(self, fragment: str) -> None:
        hurried = fragment.replace("duration=30s force=true", "duration=1s force=true")
        self._interpreter.run(parse(hurried))

    def must(self, *statements: str) -> None:
        for statement in statements:
            outcome = self.session.execute(statement)
            assert outcome.ok, outcome.error

    def close(self) -> None:
        self._interpreter.close()


@pytest.fixture
def stage(connect: Callable[[], LibpqSession]) -> Iterator[Stage]:
    with contextlib.closing(Stage(connect(), ConnectedServices())) as stage:
        yield stage


_TEN = ", ".join(f"('new', '{number}')" for number in range(10))
_CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Table": (("CREATE TABLE o_0 (a TEXT, b TEXT)",), ("INSERT INTO o_0 VALUES ('a', 'b')",)),
    "WrittenTable": (
        ("CREATE TABLE o_0 (a TEXT, b TEXT)", f"INSERT INTO o_0 VALUES {_TEN}", "INSERT INTO o_0 SELECT '0', b FROM o_0"),
        ("DELETE FROM o_0 WHERE a = 'new' AND b = '3'",),
    ),
    "LoadGeneratorSource": (
        ("CREATE TABLE o_0 (counter BIGINT)", "INSERT INTO o_0 SELECT generate_series(1, 7)"),
        ("DELETE FROM o_0 WHERE counter = 4",),
    ),
    "View": (
        ("CREATE VIEW o_0 AS SELECT 'foo' AS a, 'bar' AS b",),
        ("CREATE OR REPLACE VIEW o_0 AS SELECT 'foo' AS a, 'x' AS b",),
    ),
    "KeyValueSource": (
        ("CREATE TABLE o_0 (key BIGINT)", "INSERT INTO o_0 SELECT generate_series(1, 16)"),
        ("INSERT INTO o_0 VALUES (16)",),
    ),
    "Schema": (
        ("CREATE SCHEMA o_0", "CREATE VIEW o_0.o_0_view AS SELECT 'foo' AS a, 'bar' AS b"),
        ("CREATE OR REPLACE VIEW o_0.o_0_view AS SELECT 'foo' AS a, 'bar' AS b UNION ALL SELECT 'foo', 'bar'",),
    ),
    "AuctionSource": (
        (
            "CREATE SCHEMA o_0_schema",
            "CREATE TABLE o_0_schema.auctions (id BIGINT)",
            "CREATE TABLE o_0_schema.bids (auction_id BIGINT)",
            "CREATE TABLE o_0_schema.organizations (id BIGINT)",
            "CREATE TABLE o_0_schema.users (org_id BIGINT)",
            "INSERT INTO o_0_schema.auctions VALUES (1)",
            "INSERT INTO o_0_schema.bids VALUES (1), (1)",
        ),
        ("INSERT INTO o_0_schema.bids VALUES (2)",),
    ),
}


@pytest.mark.parametrize("name", _CASES)
def test_verify_holds_and_sees_damage(stage: Stage, name: str) -> None:
    right, wrong = _CASES[name]
    made = _KINDS[name]("o_0")
    stage.must(*right)
    stage.run(made.verify())
    stage.run(made.verify())
    stage.must(*wrong)
    with pytest.raises(CommandFailed):
        stage.run(made.verify())


def _lead(stage: Stage, made: MaterializeKind) -> None:
    """The manipulations of a source in another database, each followed by verify; twice, since nothing is reset."""
    for manipulation in ("insert", "update", "delete", "insert", "update", "update", "update", "delete"):
        stage.run(made.manipulate(manipulation))
        stage.run(made.verify())


def test_a_postgres_source_is_compared_with_what_is_there(service: Callable[[str], Instance]) -> None:
    """The target's table is a view of the table itself: it is never behind."""
    url = service("postgres").service.variables(service("postgres").access)["racehound.postgres-url"]
    around = ConnectedServices(postgres=url)
    made = _KINDS["PostgresSource"]("o_0")
    with contextlib.closing(LibpqSession.connect(url)) as session, contextlib.closing(Stage(session, around)) as stage:
        upstream = made.prepare().partition("> DROP SECRET")[0]
        stage.run(upstream)
        stage.run(upstream)
        try:
            stage.must("CREATE VIEW o_0 AS SELECT * FROM o_0_table")
            stage.run(made.verify())
            _lead(stage, made)
            for lost in ("WHERE b <> (SELECT max(b) FROM o_0_table WHERE a = 'foo')", "UNION ALL SELECT 'foo', 'bar'"):
                stage.must(f"CREATE OR REPLACE VIEW o_0 AS SELECT * FROM o_0_table {lost}")
                with pytest.raises(CommandFailed):
                    stage.run(made.verify())
        finally:
            stage.must("DROP VIEW IF EXISTS o_0", "DROP TABLE o_0_table CASCADE", "DROP PUBLICATION o_0_source")
            stage.must(f"DROP ROLE {_RUN}_o_0_role")


def test_mysql_tells_the_digest_of_its_own_rows(service: Callable[[str], Instance], stage: Stage) -> None:
    """PostgreSQL stands in for the target with the rows that must have arrived."""
    pymysql = pytest.importorskip("pymysql")
    instance = service("mysql")
    found = instance.service.variables(instance.access)
    address = instance.endpoints[CLIENT]
    around = from_variables(found)
    made = _KINDS["MySqlSource"]("o_0")
    with contextlib.closing(Stage(stage.session, around)) as both:
        both.run(made.prepare().partition("> DROP SECRET")[0])
        both.run(made.manipulate("insert") + made.manipulate("update") + made.manipulate("insert"))
        both.must(
            "CREATE TABLE o_0 (a TEXT, b TEXT)", "INSERT INTO o_0 VALUES ('foo', 'barbar'), ('foo', 'barbar'), ('foo', 'bar')"
        )
        # What the verify step has MySQL write is read from MySQL here, in the target's place.
        marking = made.verify().partition("$ set-max-tries")[0]
        both.run(marking)
        password = found["arg.mysql-root-password"]
        with pymysql.connect(host=address.host, port=address.port, user="root", password=password) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT a, b FROM public.o_0_table WHERE a LIKE 'mark %'")
            ((mark, digest),) = cursor.fetchall()
            cursor.execute("DROP DATABASE public")
            cursor.execute(f"DROP USER '{_RUN}_o_0_role'@'%'")
        both.must(f"INSERT INTO o_0 VALUES ('{mark}', '{digest}')")
        waiting = "$ set-max-tries" + made.verify().partition("$ set-max-tries")[2].partition("$ mysql-connect")[0]
        both.run(waiting)
        both.must("DELETE FROM o_0 WHERE b = 'bar'")
        with pytest.raises(CommandFailed):
            both.run(waiting)


def test_the_topic_of_an_upsert_source_holds_every_key_with_its_last_value(
    service: Callable[[str], Instance], stage: Stage
) -> None:
    pytest.importorskip("confluent_kafka")
    registry, kafka = service("schema-registry"), service("kafka")
    around = ConnectedServices(kafka=str(kafka.endpoints[CLIENT]), registry=f"http://{registry.endpoints[CLIENT]}")
    with contextlib.closing(Stage(stage.session, around)) as both:
        both.run(_KINDS["UpsertSource"]("o_0").prepare().partition("> CREATE CONNECTION")[0])
        decode = sinks.Avro(around.registry)
        envelopes = [decode(value) for value in sinks._values(str(around.kafka), "testdrive-o_0-7")]
        both.run("$ kafka-delete-topic-flaky topic=o_0\n")
    assert [envelope["after"]["a"] for envelope in envelopes] == list(range(1000))
    assert {envelope["after"]["data"] for envelope in envelopes} == {"fish2"}
    assert {envelope["before"]["data"] for envelope in envelopes} == {"fish"}
    folded = sinks.count_rows(iter(envelopes), ("data",))
    assert folded == {("fish2",): 1000, ("fish",): -1000}
