"""What PostgreSQL's functions change, by our lists, compared with what the server says of them and does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from racehound.databases.database import Choice
from racehound.databases.effects import words_of
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.effects import is_harmless
from racehound.databases.registry import opened
from racehound.databases.target import Target

CALLABLE = """
SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
AND NOT proargtypes::oid[] && ARRAY['internal'::regtype]::oid[] GROUP BY 1 """
CHANGING = words_of(
    """
    nextval setval lo_creat lo_create lo_from_bytea lo_import lo_put lo_truncate lo_truncate64 lo_unlink lowrite
    brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list current_query
    plpgsql_call_handler plpgsql_validator query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml
    cursor_to_xmlschema ts_stat ts_rewrite
    """
)
"""Volatile functions of other names than `pg_…` that change something, that run a query that they are given, or that only the
server itself calls."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as place:
        place.target.rebuild()
        yield place.target


def names(target: Target, sql: str) -> set[str]:
    outcome = target.observer.execute(sql)
    assert outcome.rows is not None, outcome.error
    return {row[0] or "" for row in outcome.rows.cells}


def test_every_volatile_function_of_the_server_has_been_looked_at(target: Target) -> None:
    volatile = names(target, f"{CALLABLE} HAVING bool_or(provolatile = 'v')")
    others = {name for name in volatile if not name.startswith(("pg_", "binary_upgrade_"))}
    assert {name for name in others if not is_harmless("", name)} == CHANGING
    system = {name for name in volatile if name.startswith("pg_") and not is_harmless("", name)}
    assert {"pg_drop_replication_slot", "pg_advisory_xact_lock_shared", "pg_logical_slot_get_changes", "pg_stat_reset"} <= system
    assert not system & {"pg_logical_slot_peek_changes", "pg_sleep", "pg_relation_size", "pg_sequence_last_value"}


def test_no_function_of_pg_catalog_that_cannot_change_anything_counts_as_a_change_by_its_prefix(target: Target) -> None:
    calm = names(target, f"{CALLABLE} HAVING bool_and(provolatile <> 'v')")
    assert {name for name in calm if name.startswith("pg_") and not is_harmless("", name)} == set()
    assert len({name for name in calm if is_harmless("", name)}) > 500


def test_the_objects_whose_numbers_a_message_names_are_found_while_they_are_there(target: Target) -> None:
    session = target.observer
    for sql in ("CREATE TABLE o_7 (a int)", "CREATE FUNCTION o_8() RETURNS int LANGUAGE sql AS 'SELECT 1'"):
        assert session.execute(sql).ok
    numbers = {int(oid) for oid in names(target, "SELECT 'o_7'::regclass::oid UNION SELECT 'o_8'::regproc::oid")}
    message = f"cache lookup failed for relation {max(numbers)}: {min(numbers)}"
    assert set(target.dialect.numbers_in(message)) == numbers
    assert set(target.objects({*numbers, 4_294_000_000}).values()) == {"table public.o_7", "function public.o_8()"}
    assert session.execute("DROP TABLE o_7").ok
    assert set(target.objects(numbers).values()) == {"function public.o_8()"}


@pytest.mark.parametrize(
    ("prepare", "sql"),
    [
        ("CREATE SEQUENCE sq", "SELECT nextval('sq')"),
        ("CREATE SEQUENCE sq", "SELECT setval('sq', 7)"),
        ("SELECT 1", "SELECT lo_from_bytea(4000000000, 'x')"),
        ("SELECT lo_from_bytea(4000000000, 'x')", "SELECT lo_unlink(4000000000)"),
        ("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", "SELECT * FROM t FOR UPDATE"),
        ("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", "WITH gone AS (DELETE FROM t RETURNING a) SELECT * FROM gone"),
        ("CREATE TABLE t (a int)", "EXPLAIN (ANALYZE) INSERT INTO t VALUES (1)"),
        ("SELECT 1", "SELECT 1 AS a INTO t"),
        ("CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (1)'", "SELECT f()"),
        ("CREATE TABLE t (a int)", "DO 'BEGIN INSERT INTO t VALUES (1); END'"),
    ],
)
def test_what_the_server_refuses_in_a_transaction_that_only_reads_is_a_change(target: Target, prepare: str, sql: str) -> None:
    """PostgreSQL refuses in such a transaction what writes, by SQLSTATE 25006 (read_only_sql_transaction)."""
    session = target.observer
    try:
        for statement in ("BEGIN", *prepare.split("; "), "SET TRANSACTION READ ONLY"):
            outcome = session.execute(statement)
            assert outcome.ok, outcome.error
        refused = session.execute(sql)
    finally:
        session.execute("ROLLBACK")
    assert refused.error is not None
    assert refused.error.sqlstate == "25006"
    assert POSTGRES.effect(sql).sort == "change"
