"""What the zoo knows when it emulates a release after the one whose answers were recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from racehound.errors import UserError
from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows, until

_FEATURES = ("enable_replacement_materialized_views", "enable_replica_targeted_materialized_views")


def why(session: Connection, sql: str) -> str:
    """The error message of a statement that must fail."""
    return refusal(session, sql)[1]


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo(release="v26.16") as zoo:
        with connect(zoo.internal_url) as operator:
            for feature in _FEATURES:
                operator.execute(f"ALTER SYSTEM SET {feature} = on")
        yield zoo


@pytest.fixture
def session(zoo: Zoo) -> Iterator[Connection]:
    with connect(zoo.url) as session:
        session.execute("CREATE SCHEMA here")
        session.execute("SET search_path = here")
        yield session
        session.execute("ROLLBACK")
        session.execute("DROP SCHEMA here CASCADE")


@pytest.fixture
def view(session: Connection) -> Connection:
    """A session with a materialized view `mv` on a table `t`, and a view `v` on that."""
    session.execute("CREATE TABLE t (a int, b int)")
    session.execute("INSERT INTO t VALUES (1, 2), (3, 4)")
    session.execute("CREATE MATERIALIZED VIEW mv AS SELECT a, b FROM t")
    session.execute("CREATE VIEW v AS SELECT sum(a) FROM mv")
    return session


def test_a_replacement_can_be_read_before_it_takes_the_place_under_all_that_depends_on_it(view: Connection) -> None:
    before = rows(view, "SELECT id FROM mz_objects WHERE name = 'mv'")
    view.execute("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT a + b AS a, b FROM t")
    assert rows(view, "SELECT * FROM r ORDER BY a") == [(3, 2), (7, 4)]
    assert rows(view, "SELECT * FROM v") == [(4,)]
    view.execute("ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT r")
    assert rows(view, "SELECT * FROM v") == [(10,)]
    view.execute("INSERT INTO t VALUES (10, 20)")
    assert rows(view, "SELECT * FROM v") == [(40,)]
    assert rows(view, "SELECT id FROM mz_objects WHERE name = 'mv'") == before
    assert rows(view, "SELECT name FROM mz_materialized_views WHERE name = 'r'") == []


def test_a_replaced_view_lives_on_what_its_new_query_reads(view: Connection) -> None:
    view.execute("CREATE TABLE t2 (a int, b int)")
    view.execute("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT a, b FROM t2")
    assert 'still depended upon by materialized view "r"' in why(view, "DROP TABLE t2")
    view.execute("ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT r")
    view.execute("DROP TABLE t")
    assert 'still depended upon by materialized view "mv"' in why(view, "DROP TABLE t2")
    view.execute("INSERT INTO t2 VALUES (5, 6)")
    assert rows(view, "SELECT * FROM mv") == [(5, 6)]


def test_a_subscription_sees_what_a_replacement_changes(zoo: Zoo, view: Connection) -> None:
    with connect(zoo.url) as follower:
        follower.execute("SET search_path = here")
        follower.execute("BEGIN")
        follower.execute("DECLARE c CURSOR FOR SUBSCRIBE mv")
        assert len(rows(follower, "FETCH 2 c WITH (timeout = '10s')")) == 2
        view.execute("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT a + b AS a, b FROM t")
        view.execute("ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT r")
        found = rows(follower, "FETCH 4 c WITH (timeout = '10s')")
        assert sorted(row[1:] for row in found) == [(-1, 1, 2), (-1, 3, 4), (1, 3, 2), (1, 7, 4)]
        follower.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE REPLACEMENT MATERIALIZED VIEW r FOR v AS SELECT 1", "v is a view not a materialized view"),
        ("CREATE REPLACEMENT MATERIALIZED VIEW r FOR nosuch AS SELECT 1", "unknown catalog item 'nosuch'"),
        ("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT a FROM t", "replacement schema differs from target schema"),
        ("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT 1 AS a, 2 AS b FROM v", "its replacement depends on it"),
        ("ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT mv", "mv is not a replacement for"),
    ],
)
def test_what_cannot_take_the_place_is_refused(view: Connection, statement: str, reason: str) -> None:
    assert reason in why(view, statement)


def test_two_replacements_cannot_make_a_circle(view: Connection) -> None:
    view.execute("CREATE MATERIALIZED VIEW other AS SELECT a, b FROM t")
    view.execute("CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT a, b FROM other")
    view.execute("CREATE REPLACEMENT MATERIALIZED VIEW r2 FOR other AS SELECT a, b FROM mv")
    view.execute("ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT r")
    assert "its replacement depends on it" in why(view, "ALTER MATERIALIZED VIEW other APPLY REPLACEMENT r2")


def test_a_materialized_view_may_be_the_work_of_one_replica(session: Connection) -> None:
    assert 'has no CLUSTER REPLICA named "r9"' in why(
        session, "CREATE MATERIALIZED VIEW mv IN CLUSTER quickstart REPLICA r9 AS SELECT 1 AS a"
    )
    session.execute("CREATE MATERIALIZED VIEW mv IN CLUSTER quickstart REPLICA r1 AS SELECT 1 AS a")
    hydrated = (
        "SELECT r.name FROM mz_internal.mz_hydration_statuses AS h JOIN mz_cluster_replicas AS r ON r.id = h.replica_id "
        "JOIN mz_objects AS o ON o.id = h.object_id WHERE o.name = 'mv'"
    )
    assert rows(session, hydrated) == [("r1",)]
    assert "IN CLUSTER quickstart REPLICA r1\n" in rows(session, "SHOW CREATE MATERIALIZED VIEW mv")[0][1]


@pytest.mark.parametrize("ending", ["ALTER CLUSTER c SET (REPLICATION FACTOR 1)", "ALTER CLUSTER c SET (SIZE '2')"])
def test_a_materialized_view_of_one_replica_goes_with_that_and_takes_its_dependents(session: Connection, ending: str) -> None:
    session.execute("CREATE CLUSTER c (SIZE '1', REPLICATION FACTOR 2)")
    try:
        session.execute("CREATE MATERIALIZED VIEW one IN CLUSTER c REPLICA r2 AS SELECT 1 AS a")
        session.execute("CREATE VIEW above AS SELECT * FROM one")
        session.execute("CREATE MATERIALIZED VIEW every IN CLUSTER c AS SELECT 1 AS a")
        session.execute(ending)
        assert rows(session, "SELECT name FROM mz_objects WHERE name IN ('one', 'above', 'every')") == [("every",)]
    finally:
        session.execute("DROP CLUSTER c CASCADE")


_MADE = (
    "CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR AUCTION (TICK INTERVAL '50ms')",
    "CREATE TABLE auctions FROM SOURCE s (REFERENCE auctions)",
    "CREATE TABLE bids FROM SOURCE s (REFERENCE bids)",
)


def _in_a_block(session: Connection, last: str) -> None:
    for statement in ("BEGIN", *_MADE, last):
        session.execute(statement)


def test_a_source_and_its_tables_are_made_in_one_block(session: Connection) -> None:
    _in_a_block(session, "COMMIT")
    until(lambda: rows(session, "SELECT count(*) FROM bids") > [(20,)])
    assert rows(session, "SELECT count(*) FROM bids WHERE auction_id NOT IN (SELECT id FROM auctions)") == [(0,)]
    [(ticks,)] = rows(session, "SELECT * FROM s_progress")
    assert ticks > 2


def test_a_block_that_makes_a_source_leaves_nothing_when_it_is_given_up(session: Connection) -> None:
    _in_a_block(session, "ROLLBACK")
    assert rows(session, "SELECT name FROM mz_objects WHERE name IN ('s', 's_progress', 'bids')") == []


def test_a_block_that_makes_a_source_fails_when_another_changes_the_catalog(zoo: Zoo, session: Connection) -> None:
    for statement in ("BEGIN", *_MADE):
        session.execute(statement)
    with connect(zoo.url) as other:
        other.execute("CREATE TABLE here.between (a int)")
    assert "object state changed while transaction was in progress" in why(session, "COMMIT")
    assert rows(session, "SELECT name FROM mz_objects WHERE name IN ('s', 's_progress', 'bids')") == []


def test_the_recorded_release_knows_none_of_it() -> None:
    with Zoo(release="v0.147") as zoo, connect(zoo.url) as session:
        assert why(session, "CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT 1").startswith("Expected DATABASE")
        assert "Expected AS, found" in why(session, "CREATE MATERIALIZED VIEW m IN CLUSTER quickstart REPLICA r1 AS SELECT 1")
        assert "unrecognized configuration parameter" in why(session, f"SHOW {_FEATURES[0]}")
        session.execute("BEGIN")
        session.execute(_MADE[0])
        assert why(session, _MADE[1]) == "unknown catalog item 's'"


def test_a_release_that_the_zoo_cannot_be_like() -> None:
    with pytest.raises(UserError, match=r"the zoo does not emulate 'v1'; choose one of v0\.147, v26\.16"):
        Zoo(release="v1")
