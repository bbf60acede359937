"""The four drawers, decided by what the other sessions did."""

from __future__ import annotations

from typing import TypedDict

import msgspec
import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event, Retried, RetryVerdict, SerialOutcome, statement_numbers
from racehound.data.program import ProgramSession
from racehound.databases.postgres.dialect import POSTGRES, allows_transaction
from racehound.judge.errors import judge_errors
from racehound.judge.oracle import ObservedHistory
from racehound.judge.shapes import shape
from tests.unit.programs import program, statement


def observed(*events: Event, **references: str) -> ObservedHistory:
    return ObservedHistory(program(**references), 1, list(events), POSTGRES, "18.6")


def severities(found: list[Finding]) -> list[str]:
    return [finding.severity for finding in found]


class Failure(TypedDict):
    sqlstate: str
    message: str


GONE = Failure(sqlstate="42P01", message='relation "o_base" does not exist')
LOOKUP = Failure(sqlstate="XX000", message="cache lookup failed for relation 16412")


def test_a_missing_object_is_expected_where_another_session_dropped_it() -> None:
    case = observed(
        statement("o_1", "DROP TABLE o_base CASCADE", 0, 10), statement("o_0", "CREATE VIEW o_0 AS TABLE o_base", 5, 12, **GONE)
    )
    assert case.classification.counts == {"expected": 1}
    assert judge_errors(case) == []


def test_a_missing_object_that_nobody_touched_is_unexplained() -> None:
    case = observed(
        statement("o_1", "CREATE TABLE o_1 (a TEXT)", 0, 10), statement("o_0", "CREATE VIEW o_0 AS TABLE o_base", 5, 12, **GONE)
    )
    assert severities(judge_errors(case)) == ["unexplained error"]


def test_what_was_done_afterwards_explains_nothing() -> None:
    case = observed(
        statement("o_0", "CREATE VIEW o_0 AS TABLE o_base", 5, 12, **GONE), statement("o_1", "DROP TABLE o_base", 13, 20)
    )
    assert severities(judge_errors(case)) == ["unexplained error"]


def test_a_failed_step_explains_what_its_own_session_misses_later() -> None:
    case = observed(
        statement("o_1", "ALTER TABLE o_base ADD COLUMN c TEXT", 0, 3),
        statement("o_0", "CREATE TABLE o_0 (LIKE o_base)", 1, 4, sqlstate="40P01", message="deadlock detected"),
        statement("o_0", "DROP TABLE o_0", 6, 7, sqlstate="42P01", message='table "o_0" does not exist', phase="destroy"),
    )
    assert case.classification.counts == {"expected": 2}


def test_an_inner_link_that_its_own_session_made_anew_explains_what_is_missing_above_it() -> None:
    gone = Failure(sqlstate="42P01", message='relation "o_1" does not exist')
    drop = statement("main", "DROP SCHEMA o_0 CASCADE", 0, 5, about="o_0")
    above = statement("main", "ALTER VIEW o_1 RENAME TO o_1_tmp", 6, 7, about="o_1", **gone)
    assert observed(drop, above, o_1="o_0").classification.counts == {"expected": 1}
    assert observed(drop, above).classification.counts == {"unexplained": 1}


def test_dropping_the_ground_explains_errors_of_what_stands_on_it() -> None:
    gone = Failure(sqlstate="42P01", message='relation "o_1" does not exist')
    case = observed(
        statement("o_0", "DROP SCHEMA o_0 CASCADE", 0, 5),
        statement("o_1", "ALTER VIEW o_1 RENAME TO o_1_tmp", 6, 7, **gone),
        o_1="o_0",
    )
    assert case.classification.counts == {"expected": 1}


def test_an_internal_error_while_another_changes_the_object_is_a_known_weakness_with_its_pair() -> None:
    case = observed(
        statement("o_1", "DROP TABLE o_base", 0, 10), statement("o_0", "ALTER TABLE o_base ADD COLUMN c TEXT", 5, 9, **LOOKUP)
    )
    (found,) = judge_errors(case)
    assert found.severity == "known weakness"
    (culprit,) = found.culprits
    assert (culprit.failed, culprit.other, culprit.certainty) == ("ALTER TABLE ADD COLUMN TEXT", "DROP TABLE", "likely")
    assert [s.sql for s in found.statements] == ["DROP TABLE o_base", "ALTER TABLE o_base ADD COLUMN c TEXT"]


def test_an_open_transaction_disturbs_until_it_ends() -> None:
    case = observed(
        statement("o_1", "BEGIN", 0, 1),
        statement("o_1", "DROP TABLE o_base", 1, 2),
        statement("o_0", "ALTER TABLE o_base ADD COLUMN c TEXT", 5, 9, **LOOKUP),
        statement("o_1", "COMMIT", 10, 11),
    )
    assert severities(judge_errors(case)) == ["known weakness"]


def test_an_internal_error_while_nobody_changes_the_object_is_a_headline() -> None:
    case = observed(
        statement("o_1", "DROP TABLE o_1", 0, 10), statement("o_0", "ALTER TABLE o_0 ADD COLUMN c TEXT", 5, 9, **LOOKUP)
    )
    assert severities(judge_errors(case)) == ["internal error"]


@pytest.mark.parametrize("sqlstate", ["XX001", "XX002"])
def test_damage_that_a_check_finds_when_all_others_have_finished_is_corruption(sqlstate: str) -> None:
    """amcheck says XX001 of a heap tuple that lacks its index tuple. The session last ran a statement before all writes."""
    missing = Failure(
        sqlstate=sqlstate, message='heap tuple (0,1) from table "o_base" lacks matching index tuple within index "o_0"'
    )
    case = observed(
        statement("main", "CREATE TABLE o_base (a TEXT)", 0, 1, phase="create", about="o_base"),
        statement("o_0", "CREATE INDEX CONCURRENTLY o_0 ON o_base (a)", 2, 9),
        statement("o_1", "UPDATE o_base SET a = 'x'", 2, 8),
        statement("main", "SELECT bt_index_check('o_0'::regclass, true)", 10, 12, phase="verify", about="o_0", **missing),
    )
    assert severities(judge_errors(case)) == ["corruption"]


def test_damaged_data_while_another_session_writes_proves_nothing() -> None:
    case = observed(
        statement("o_1", "TRUNCATE o_base", 0, 10),
        statement("o_0", "SELECT a FROM o_base", 5, 9, sqlstate="XX001", message="could not read blocks 0..0"),
    )
    assert severities(judge_errors(case)) == ["known weakness"]


def test_an_internal_error_of_a_check_when_all_others_have_finished_is_a_headline() -> None:
    case = observed(
        statement("main", "CREATE TABLE o_base (a TEXT)", 0, 1, phase="create", about="o_base"),
        statement("o_1", "ALTER TABLE o_base ADD COLUMN c TEXT", 2, 8),
        statement("main", "SELECT count(*) FROM o_base", 10, 12, phase="verify", about="o_base", **LOOKUP),
    )
    assert severities(judge_errors(case)) == ["internal error"]


def test_readers_disturb_nobody() -> None:
    case = observed(
        statement("o_1", "SELECT * FROM o_0", 0, 10), statement("o_0", "ALTER TABLE o_0 ADD COLUMN c TEXT", 5, 9, **LOOKUP)
    )
    assert severities(judge_errors(case)) == ["internal error"]


def test_the_same_defect_on_other_objects_has_the_same_signature() -> None:
    signatures = set()
    for name, oid in (("o_0", 16412), ("o_3", 99)):
        error = Failure(sqlstate="XX000", message=f"cache lookup failed for relation {oid}")
        (found,) = judge_errors(observed(statement(name, f"DROP TABLE {name}", 5, 9, **error)))
        signatures.add(found.id)
    assert len(signatures) == 1


def test_a_syntax_error_is_never_a_race_outcome() -> None:
    case = observed(
        statement("o_1", "DROP TABLE o_base", 0, 10),
        statement("o_0", "CRATE o_base", 5, 9, sqlstate="42601", message="syntax error"),
    )
    assert severities(judge_errors(case)) == ["unexplained error"]


def test_a_duplicate_in_a_system_index_is_internal_and_one_in_a_user_table_is_not() -> None:
    duplicate = statement("o_0", "CREATE TYPE o_0 AS ENUM ()", 5, 9, sqlstate="23505", message="duplicate key value violates")
    import msgspec

    system = msgspec.structs.replace(duplicate, constraint="pg_type_typname_nsp_index", relation="pg_catalog.pg_type")
    user = msgspec.structs.replace(duplicate, constraint="o_0_key", relation="public.o_0")
    assert POSTGRES.is_internal(system)
    assert not POSTGRES.is_internal(user)


@pytest.mark.parametrize(
    ("message", "internal"),
    [
        ('could not create directory "pg_tblspc/80090/PG_18_202506291/80096": No such file or directory', True),
        ('could not open file "base/5/16384": No such file or directory', True),
        ('could not open file "/nowhere/rows" for reading: No such file or directory', False),
    ],
)
def test_a_file_of_the_servers_own_that_is_not_there_is_internal(message: str, internal: bool) -> None:
    assert POSTGRES.is_internal(statement("o_0", "CREATE DATABASE o_0", 5, 9, sqlstate="58P01", message=message)) is internal


@pytest.mark.parametrize(
    ("fragment", "allowed"),
    [
        ("> CREATE TABLE o_0 (a TEXT)\n> INSERT INTO o_0 VALUES ('vacuum')", True),
        ("> CREATE INDEX CONCURRENTLY o_0 ON o_base (a)", False),
        ("> INSERT INTO o_0 VALUES (1)\n> VACUUM o_0", False),
        ("> CREATE DATABASE o_0", False),
        ("> ALTER TABLE o_base DETACH PARTITION o_0 CONCURRENTLY", False),
        ("$ sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment duration=1s", False),
    ],
)
def test_what_may_run_inside_a_transaction(fragment: str, allowed: bool) -> None:
    assert allows_transaction(fragment) is allowed


def test_the_shape_of_a_statement_has_no_names() -> None:
    assert shape("ALTER TABLE IF EXISTS o_0 RENAME TO o_0_tmp") == "ALTER TABLE RENAME TO"
    assert shape("select 1") == "select 1"


@pytest.mark.parametrize(
    ("verdict", "serial", "told"),
    [
        ("passing", "", []),
        ("lasting", "fails the same way", []),
        ("lasting", "succeeds", ["corruption"]),
        ("lasting", "undecided", ["internal error"]),
    ],
)
def test_an_own_check_that_others_overtook_is_told_only_if_it_fails_for_good(
    verdict: RetryVerdict, serial: SerialOutcome, told: list[str]
) -> None:
    both = tuple(ProgramSession(name, ()) for name in ("o_0", "o_1"))
    change = statement("o_1", "DROP TABLE o_0 CASCADE", 0, 10)
    check = statement("o_0", "SELECT bt_index_check('o_0'::regclass)", 5, 12, phase="verify", **LOOKUP)
    (number,) = (number for known, number in statement_numbers(1, [change, check]).items() if known == id(check))
    events: list[Event] = [change, check, Retried(1, (number,), verdict, serial=serial)]
    case = ObservedHistory(msgspec.structs.replace(program(), sessions=both), 1, events, POSTGRES, "18.6")
    assert case.classification.overtaken_checks == [check]
    assert severities(judge_errors(case)) == told
