"""What PostgreSQL's dialect says of statements that are to be run again at rest."""

from __future__ import annotations

import pytest

from racehound.databases.postgres.dialect import POSTGRES


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLESPACE rh1_o_0",
        "create database rh1_o_0 TEMPLATE template0",
        "ALTER SUBSCRIPTION rh1_o_0 REFRESH PUBLICATION",
        "COMMIT PREPARED 'o_0'",
        "SELECT pg_create_logical_replication_slot('rh1_o_0', 'pgoutput')",
        "SELECT count(*) FROM pg_logical_slot_get_changes('rh1_o_0', NULL, NULL)",
    ],
)
def test_what_shared_catalogs_and_slots_hold_is_in_no_clone(sql: str) -> None:
    assert POSTGRES.is_shared(sql)


@pytest.mark.parametrize(
    "sql", ["VACUUM o_0", "CREATE INDEX CONCURRENTLY o_0 ON o_base (a)", "ALTER TABLE o_0 SET TABLESPACE rh1_o_1", "COMMIT"]
)
def test_the_rest_of_what_cannot_stand_in_a_transaction_is(sql: str) -> None:
    assert not POSTGRES.is_shared(sql)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER SYSTEM SET work_mem = '1MB'", "it changes the settings of the whole server"),
        ("COPY o_0 TO PROGRAM 'cat'", "it runs a program"),
        ("SELECT pg_terminate_backend(7)", "it ends what other sessions do"),
        ("SELECT racehound.dblink_exec('c', 'DROP TABLE o_0')", "another connection does it, whose work is not rolled back"),
        ("ALTER TABLE o_0 ADD COLUMN c text", ""),
        ("DROP EXTENSION dblink", ""),
    ],
)
def test_what_neither_a_rollback_nor_a_clone_keeps_within_is_not_run_again(sql: str, reason: str) -> None:
    assert POSTGRES.no_retry(sql) == reason


@pytest.mark.parametrize(
    "sql",
    [
        "SET ROLE rh1_o_0",
        "set session work_mem = '1MB'",
        "RESET ROLE",
        "PREPARE p AS SELECT 1",
        "DEALLOCATE p",
        "CREATE LOCAL TEMPORARY TABLE t (a integer)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SELECT set_config('work_mem', '1MB', false)",
        "LISTEN o_0",
        "DISCARD ALL",
    ],
)
def test_what_lasts_in_the_session_is_made_again_before_a_retry(sql: str) -> None:
    assert POSTGRES.changes_session(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SET LOCAL work_mem = '1MB'",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "SET TRANSACTION READ ONLY",
        "PREPARE TRANSACTION 'o_0'",
        "CREATE TABLE t (a integer)",
        "DECLARE c CURSOR FOR SELECT 1",
    ],
)
def test_what_ends_with_the_transaction_is_not(sql: str) -> None:
    assert not POSTGRES.changes_session(sql)
