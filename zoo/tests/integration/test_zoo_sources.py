"""Sources that need no other server (generators and webhooks), and views that are refreshed on a schedule."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator

import pytest

from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows, until
from zoo_support.recorded import request


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


@pytest.fixture
def session(zoo: Zoo) -> Iterator[Connection]:
    connection = connect(zoo.url)
    connection.execute("DROP SCHEMA IF EXISTS mine CASCADE")
    connection.execute("DROP CLUSTER IF EXISTS c CASCADE")
    connection.execute("CREATE SCHEMA mine")
    connection.execute("SET search_path = mine")
    yield connection
    connection.close()


def _counter(session: Connection) -> tuple[int, int, int]:
    found = rows(session, "SELECT coalesce(min(counter), 0), coalesce(max(counter), 0), count(*) FROM s")[0]
    return int(found[0]), int(found[1]), int(found[2])


def test_a_counter_has_no_gap_and_never_goes_back_while_it_is_renamed(session: Connection) -> None:
    session.execute("CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms')")
    until(lambda: _counter(session)[1] > 50)
    highest = 0
    for _ in range(20):
        session.execute("ALTER SOURCE s RENAME TO s_tmp")
        session.execute("ALTER SOURCE s_tmp RENAME TO s")
        low, high, count = _counter(session)
        assert (low, high) == (1, count)
        assert high >= highest
        highest = high


def test_a_source_without_a_replica_rests_and_goes_on_where_it_was(session: Connection) -> None:
    session.execute("CREATE CLUSTER c (SIZE '1', REPLICATION FACTOR 1)")
    session.execute("CREATE SOURCE s IN CLUSTER c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms')")
    until(lambda: _counter(session)[1] > 10)
    session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 0)")
    until(lambda: _rests(session))
    rested = _counter(session)
    session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 1)")
    until(lambda: _counter(session)[1] > rested[1] + 10)
    low, high, count = _counter(session)
    assert (low, high) == (1, count)


def _rests(session: Connection) -> bool:
    before = _counter(session)
    session.execute("SELECT mz_unsafe.mz_sleep(0.05)")
    return _counter(session) == before


def test_tables_of_an_auction_begin_with_all_that_was_and_follow(session: Connection) -> None:
    session.execute("CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR AUCTION (TICK INTERVAL '5ms')")
    session.execute("CREATE TABLE auctions FROM SOURCE s (REFERENCE auctions)")
    until(lambda: rows(session, "SELECT count(*) > 3 FROM auctions") == [(True,)])
    session.execute("CREATE TABLE bids FROM SOURCE s (REFERENCE bids)")
    until(lambda: rows(session, "SELECT count(*) > 0 FROM bids") == [(True,)])
    # From here on, both tables come from the same transactions.
    until(lambda: rows(session, "SELECT (SELECT count(*) FROM bids) = 10 * (SELECT count(*) FROM auctions)") == [(True,)])
    assert rows(session, "SELECT status FROM mz_internal.mz_source_statuses WHERE name = 's'") == [("running",)]


def test_all_tables_of_tpch_are_there_at_once(session: Connection) -> None:
    session.execute("CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.001) FOR ALL TABLES")
    until(lambda: rows(session, "SELECT count(*) FROM orders") == [(1500,)])
    assert rows(session, "SELECT count(*) FROM nation n JOIN region r ON n.n_regionkey = r.r_regionkey") == [(25,)]


def test_a_key_value_source_keeps_one_value_for_each_key(session: Connection) -> None:
    session.execute(
        "CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR KEY VALUE "
        "(KEYS 16, PARTITIONS 4, SNAPSHOT ROUNDS 3, SEED 1, VALUE SIZE 10, BATCH SIZE 2, TICK INTERVAL '2ms') "
        "INCLUDE KEY ENVELOPE UPSERT"
    )
    until(lambda: rows(session, "SELECT count(*) FROM s") == [(16,)])
    first = rows(session, "SELECT key, value FROM s ORDER BY key")
    until(lambda: rows(session, "SELECT key, value FROM s ORDER BY key") != first)
    assert rows(session, "SELECT count(*), count(DISTINCT key) FROM s") == [(16, 16)]


def test_a_webhook_holds_exactly_what_was_answered_with_200(zoo: Zoo, session: Connection) -> None:
    session.execute("CREATE SOURCE w IN CLUSTER quickstart FROM WEBHOOK BODY FORMAT TEXT INCLUDE HEADER 'x' AS x")
    url = f"{zoo.http_url}/api/webhook/materialize/mine/w"
    taken: list[str] = []

    def post() -> None:
        bodies = [f"b{number}" for number in range(40)]
        taken.extend(body for body in bodies if request(url, body.encode(), {"x": "y"})[0] == 200)

    poster = threading.Thread(target=post)
    poster.start()
    while poster.is_alive():
        session.execute("ALTER SOURCE w RENAME TO w2")
        session.execute("ALTER SOURCE w2 RENAME TO w")
    poster.join()
    assert sorted(body for body, _ in rows(session, "SELECT body, x FROM w WHERE x = 'y'")) == sorted(taken)


def test_bodies_are_kept_in_their_formats(zoo: Zoo, session: Connection) -> None:
    bodies = {"JSON": b'{"a": 1}', "JSON ARRAY": b"[1, 2]", "BYTES": b"\xff\x00"}
    for number, (form, body) in enumerate(bodies.items()):
        session.execute(f"CREATE SOURCE w{number} IN CLUSTER quickstart FROM WEBHOOK BODY FORMAT {form}")
        assert request(f"{zoo.http_url}/api/webhook/materialize/mine/w{number}", body)[0] == 200
    assert rows(session, "SELECT body FROM w0") == [({"a": 1},)]
    assert rows(session, "SELECT body FROM w1 ORDER BY body") == [(1,), (2,)]
    assert rows(session, "SELECT body FROM w2") == [(b"\xff\x00",)]
    assert refusal(session, "INSERT INTO w0 VALUES ('1')")[1] == "cannot insert into source 'materialize.mine.w0'"


def test_a_view_is_refreshed_when_it_is_due(session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    session.execute("INSERT INTO t VALUES (1)")
    session.execute("CREATE MATERIALIZED VIEW m WITH (REFRESH AT CREATION, REFRESH EVERY '1 second') AS SELECT * FROM t")
    session.execute("INSERT INTO t VALUES (2)")
    assert rows(session, "SELECT * FROM m") == [(1,)]
    until(lambda: len(rows(session, "SELECT * FROM m")) == 2)


def test_sql_over_http_is_answered_statement_by_statement(zoo: Zoo) -> None:
    user = base64.b64encode(b"materialize:").decode()
    asked = json.dumps({"query": "SELECT 1 AS one, NULL AS none, true AS truth; SELECT * FROM nosuch; SELECT 2"}).encode()
    status, body = request(
        f"{zoo.http_url}/api/sql", asked, {"authorization": f"Basic {user}", "content-type": "application/json"}
    )
    first, second = json.loads(body)["results"]
    assert status == 200
    assert (first["tag"], first["rows"]) == ("SELECT 1", [["1", None, True]])
    assert [column["name"] for column in first["desc"]["columns"]] == ["one", "none", "truth"]
    assert second == {"error": {"message": "unknown catalog item 'nosuch'", "code": "XX000"}, "notices": []}


def test_operators_have_their_endpoints_and_users_have_not(zoo: Zoo) -> None:
    for path in ("/api/readyz", "/api/livez", "/api/coordinator/check", "/api/coordinator/dump", "/api/catalog/dump", "/metrics"):
        assert request(f"{zoo.internal_http_url}{path}")[0] == 200
        assert request(f"{zoo.http_url}{path}") == (404, "")
    assert request(f"{zoo.http_url}/api/sql") == (405, "")


def test_a_view_that_is_refreshed_keeps_its_columns_when_its_table_gets_another(session: Connection) -> None:
    session.execute("CREATE TABLE t (a int)")
    session.execute("CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '100ms') AS SELECT * FROM t")
    session.execute("ALTER TABLE t ADD COLUMN b int")
    session.execute("INSERT INTO t VALUES (1, 2)")
    until(lambda: rows(session, "SELECT * FROM v") == [(1,)])
