"""What a statement changes, as its text tells, by the rules of each database."""

from __future__ import annotations

import pytest

from racehound.databases.effects import STANDARD
from racehound.databases.materialize.dialect import MATERIALIZE
from racehound.databases.pgwire.dialect import PGWIRE
from racehound.databases.postgres.dialect import POSTGRES


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT lo_unlink(4000000000)",
        "SELECT count(lo_unlink(oid)) * 0 FROM pg_largeobject_metadata",
        "SELECT lo_put(16400, 0, 'x')",
        "select count(NextVal('o_0')) from generate_series(1, 10)",
        "SELECT setval('o_0', 1)",
        "SELECT pg_catalog.setval('o_0', 1)",
        "SELECT pg_drop_replication_slot('s')",
        "SELECT count(*) FROM pg_create_logical_replication_slot('s', 'pgoutput')",
        "SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)",
        "SELECT pg_replication_origin_create('o')",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_stat_reset()",
        "SELECT brin_summarize_new_values('i')",
        "SELECT racehound.dblink_exec('', 'DROP TABLE x')",
        "SELECT o_0(i::text) FROM generate_series(1, 10) AS i",
        "SELECT public.count(*) FROM o_0",
        'SELECT "Total"(1)',
        "SELECT * FROM ${racehound.run}_o_0(1)",
        "SELECT * FROM o_0 FOR UPDATE SKIP LOCKED",
        "SELECT * FROM o_0 FOR NO KEY UPDATE",
        "SELECT * FROM o_0 FOR SHARE OF o_0",
        "SELECT * FROM o_0 FOR KEY SHARE",
        "SELECT a INTO o_1 FROM o_0",
        "WITH gone AS (DELETE FROM o_0 RETURNING a) SELECT count(*) FROM gone",
        "WITH a AS (SELECT 1) INSERT INTO o_0 SELECT * FROM a",
        "TABLE o_0 UNION SELECT o_1()",
        "VALUES (nextval('o_0'))",
        "EXPLAIN ANALYZE INSERT INTO o_0 VALUES (1)",
        "EXPLAIN (COSTS off, ANALYZE) SELECT nextval('o_0')",
        "EXPLAIN (ANALYZE true, VERBOSE) DELETE FROM o_0",
        "COPY o_0 FROM STDIN",
        "COPY o_0 (a, b) FROM '/tmp/x' WITH (FORMAT csv)",
        "COPY (DELETE FROM o_0 RETURNING a) TO STDOUT",
        "DO $$BEGIN PERFORM 1; END$$",
        "CALL o_0()",
        "EXECUTE prepared",
        "FETCH ALL FROM cursor",
        "VACUUM o_0",
        "ANALYZE o_0",
        "LOCK TABLE o_0",
        "PREPARE TRANSACTION 'x'",
        "/* a comment */ DROP TABLE o_0",
    ],
)
def test_what_changes_something_in_postgresql(sql: str) -> None:
    assert POSTGRES.effect(sql).sort == "change"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) % 10 FROM o_0 WHERE a >= ''",
        "SELECT 'nextval(1)', $$setval(1)$$, E'it\\'s lo_unlink(1)', \"lo_unlink\" FROM o_0 -- lo_unlink(1)",
        "SELECT min(x COLLATE o_0) FROM (VALUES ('b'), ('a'), ('B')) AS v (x)",
        "SELECT * FROM (VALUES (1)) v (x)",
        "WITH a (b) AS (SELECT 1), c (d) AS NOT MATERIALIZED (SELECT 2), e AS MATERIALIZED (SELECT 3) SELECT * FROM a, c, e",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
        "SELECT * FROM json_to_recordset('[]') AS r (a int, b numeric(3, 2))",
        "SELECT substring('abc' FROM 1 FOR 2), CAST(1 AS numeric(3, 2)), extract(day FROM now())",
        "SELECT a FROM o_0 WHERE a IN (SELECT b FROM o_1) AND NOT EXISTS (SELECT FROM o_2) GROUP BY GROUPING SETS ((a), ())",
        "SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM o_0 TABLESAMPLE system (10)",
        "SELECT racehound.verify_heapam('o_0'), pg_catalog.pg_sleep(1), set_config('a', 'b', true), currval('o_0')",
        "SELECT count(*) FROM pg_logical_slot_peek_changes('s', NULL, NULL)",
        "SELECT coalesce(max(n), 0), nullif(greatest(1, 2), 3), grouping(a), 'x' OPERATOR(public.@@) b FROM o_0 GROUP BY a",
        "(SELECT 1) UNION (SELECT 2)",
        "TABLE o_0",
        "SHOW work_mem",
        "EXPLAIN DELETE FROM o_0",
        "EXPLAIN (ANALYZE off) DELETE FROM o_0",
        "EXPLAIN ANALYZE SELECT 1",
        "COPY o_0 TO STDOUT",
        "COPY (SELECT a FROM o_0) TO STDOUT",
    ],
)
def test_what_only_reads_in_postgresql(sql: str) -> None:
    assert POSTGRES.effect(sql).sort == "read"


@pytest.mark.parametrize(
    ("sql", "sort"),
    [
        ("SET work_mem = '1MB'", "session"),
        ("SET TRANSACTION READ ONLY", "session"),
        ("DECLARE c CURSOR FOR SELECT 1", "session"),
        ("PREPARE p AS DELETE FROM o_0", "session"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "transaction"),
        ("START TRANSACTION", "transaction"),
        ("ROLLBACK TO SAVEPOINT s", "transaction"),
    ],
)
def test_what_concerns_the_session_alone(sql: str, sort: str) -> None:
    assert POSTGRES.effect(sql).sort == sort


def test_the_functions_are_named_through_which_a_query_changes_something() -> None:
    assert POSTGRES.effect("SELECT count(lo_unlink(oid)), public.f(1) FROM o_0").functions == ("lo_unlink", "f")
    assert POSTGRES.effect("SELECT * FROM o_0 FOR UPDATE").functions == ()


def test_each_database_has_its_own_rules() -> None:
    assert MATERIALIZE.effect("SELECT mz_anything(1)").sort == "read"
    assert MATERIALIZE.effect("FETCH ALL c").sort == MATERIALIZE.effect("VALIDATE CONNECTION o_0").sort == "read"
    assert PGWIRE.effect("SELECT anything(1)").sort == PGWIRE.effect("EXECUTE p").sort == "change"
    assert PGWIRE.effect("SELECT max(a) FROM o_0").sort == STANDARD.effect("SELECT max(a) FROM o_0").sort == "read"
    assert STANDARD.effect("PAINT o_0").sort == "change"
