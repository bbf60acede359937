"""Transaction blocks, and what sessions see of each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows
from zoo_support.recorded import request


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


@pytest.fixture
def sessions(zoo: Zoo) -> Iterator[tuple[Connection, Connection]]:
    one, other = connect(zoo.url), connect(zoo.url)
    one.execute("DROP SCHEMA IF EXISTS mine CASCADE")
    one.execute("CREATE SCHEMA mine")
    for session in (one, other):
        session.execute("SET search_path = mine")
    one.execute("CREATE TABLE t (a int)")
    yield one, other
    one.close()
    other.close()


def test_a_block_that_reads_sees_one_moment(sessions: tuple[Connection, Connection]) -> None:
    reader, writer = sessions
    reader.execute("BEGIN")
    assert rows(reader, "SELECT count(*) FROM t") == [(0,)]
    writer.execute("INSERT INTO t VALUES (1)")
    assert rows(writer, "SELECT count(*) FROM t") == [(1,)]
    assert rows(reader, "SELECT count(*) FROM t") == [(0,)]
    reader.execute("COMMIT")
    assert rows(reader, "SELECT count(*) FROM t") == [(1,)]


def test_a_block_that_writes_shows_nothing_until_it_commits(sessions: tuple[Connection, Connection]) -> None:
    writer, reader = sessions
    writer.execute("BEGIN")
    writer.execute("INSERT INTO t VALUES (1)")
    writer.execute("INSERT INTO t VALUES (2)")
    assert rows(reader, "SELECT * FROM t") == []
    writer.execute("COMMIT")
    assert rows(reader, "SELECT a FROM t ORDER BY a") == [(1,), (2,)]


def test_a_drop_does_not_wait_for_a_reader(sessions: tuple[Connection, Connection]) -> None:
    reader, other = sessions
    reader.execute("BEGIN")
    rows(reader, "SELECT * FROM t")
    other.execute("DROP TABLE t")
    assert refusal(reader, "SELECT * FROM t") == ("XX000", "unknown catalog item 't'")
    assert refusal(reader, "SELECT 1")[0] == "25P02"
    assert reader.execute("COMMIT").statusmessage == "ROLLBACK"


def test_a_column_is_added_once_a_reader_lets_go(sessions: tuple[Connection, Connection]) -> None:
    reader, other = sessions
    reader.execute("BEGIN")
    rows(reader, "SELECT * FROM t")
    adding = threading.Thread(target=other.execute, args=("ALTER TABLE t ADD COLUMN b int",))
    adding.start()
    # The reader does not have to wait for anything meanwhile.
    assert rows(reader, "SELECT * FROM t") == []
    reader.execute("COMMIT")
    adding.join()
    assert [name for name, *_ in rows(reader, "SHOW COLUMNS FROM t")] == ["a", "b"]


def test_renames_in_a_block_hold_together_or_not_at_all(sessions: tuple[Connection, Connection]) -> None:
    one, other = sessions
    one.execute("BEGIN")
    one.execute("ALTER TABLE t RENAME TO t2")
    assert rows(other, "SHOW TABLES") == [("t", "")]
    one.execute("ALTER TABLE t2 RENAME TO t3")
    one.execute("COMMIT")
    assert rows(other, "SHOW TABLES") == [("t3", "")]
    one.execute("BEGIN")
    one.execute("ALTER TABLE t3 RENAME TO t4")
    other.execute("CREATE TABLE between (a int)")
    assert refusal(one, "COMMIT") == ("40001", "object state changed while transaction was in progress")
    assert rows(other, "SHOW TABLES") == [("between", ""), ("t3", "")]


def test_what_a_failed_block_has_set_is_as_it_was(sessions: tuple[Connection, Connection]) -> None:
    session, _ = sessions
    session.execute("BEGIN")
    session.execute("SET cluster = nosuch")
    refusal(session, "SELECT * FROM nosuch")
    session.execute("ROLLBACK")
    assert rows(session, "SHOW cluster") == [("quickstart",)]


def test_as_of_is_the_present_or_a_moment_since_which_nothing_was_written(sessions: tuple[Connection, Connection]) -> None:
    session, _ = sessions
    session.execute("INSERT INTO t VALUES (1)")
    now = rows(session, "SELECT mz_now()::text")[0][0]
    assert rows(session, f"SELECT * FROM t AS OF {now}") == [(1,)]
    session.execute("INSERT INTO t VALUES (2)")
    assert "is not valid for all inputs" in refusal(session, f"SELECT * FROM t AS OF {now}")[1]


def test_views_equal_their_queries_at_every_moment_while_all_is_written_and_renamed(
    zoo: Zoo, sessions: tuple[Connection, Connection]
) -> None:
    writer, reader = sessions
    writer.execute("CREATE MATERIALIZED VIEW m AS SELECT a, count(*) AS n FROM t GROUP BY a")
    writer.execute("CREATE VIEW v AS SELECT sum(n) AS n FROM m")
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(60):
                writer.execute("INSERT INTO t VALUES (%s)", (number % 5,))
                writer.execute("ALTER TABLE t RENAME TO u")
                writer.execute("ALTER TABLE u RENAME TO t")
        finally:
            done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        difference = rows(reader, "SELECT (SELECT n FROM v) = (SELECT sum(n) FROM m) OR NOT EXISTS (SELECT FROM m)")
        assert difference == [(True,)]
    thread.join()
    assert rows(reader, "SELECT n FROM v") == [(60,)]
    assert request(f"{zoo.internal_http_url}/api/coordinator/check") == (200, '""')


def test_a_subscription_keeps_the_columns_that_it_began_with(sessions: tuple[Connection, Connection]) -> None:
    follower, other = sessions
    follower.execute("BEGIN")
    follower.execute("DECLARE c CURSOR FOR SUBSCRIBE t")
    other.execute("ALTER TABLE t ADD COLUMN b int")
    other.execute("INSERT INTO t VALUES (1, 2)")
    assert [row[1:] for row in rows(follower, "FETCH 1 c WITH (timeout = '10s')")] == [(1, 1)]
    follower.execute("ROLLBACK")


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_cannot_be_replaced_by_one_that_reads_it(sessions: tuple[Connection, Connection], kind: str) -> None:
    session, _ = sessions
    session.execute(f"CREATE {kind} v AS SELECT a FROM t")
    told = refusal(session, f"CREATE OR REPLACE {kind} v AS SELECT a FROM v")
    name = "materialize.mine.v"
    assert told == ("XX000", f"cannot replace {kind.lower()} {name}: depended upon by new {name} definition")
    assert rows(session, "SELECT * FROM v") == []


def test_a_source_without_columns_can_be_subscribed_to(sessions: tuple[Connection, Connection]) -> None:
    session, _ = sessions
    session.execute("CREATE SOURCE s FROM LOAD GENERATOR AUCTION (TICK INTERVAL '1s')")
    session.execute("BEGIN")
    session.execute("DECLARE c CURSOR FOR SUBSCRIBE s WITH (PROGRESS)")
    assert len(rows(session, "FETCH 1 c WITH (timeout = '10s')")) == 1
    session.execute("ROLLBACK")
