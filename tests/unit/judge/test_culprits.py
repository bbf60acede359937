"""Who is named as the culprit of an error: only statements that can have caused it, the likeliest first."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event, Statement
from racehound.databases.postgres.dialect import POSTGRES
from racehound.judge.errors import judge_errors
from racehound.judge.judge import distinct
from racehound.judge.oracle import ObservedHistory
from tests.unit.programs import program, statement

BUILT = {"o_1": "o_base", "o_2": "o_base", "o_3": "o_base", "o_4": "o_1"}


def found(*events: Event, objects: Mapping[int, str] | None = None) -> Finding:
    history = ObservedHistory(program(**BUILT), 1, list(events), POSTGRES, "18.6", objects=objects or {})
    (finding,) = distinct(judge_errors(history))
    return finding


def others(*events: Event) -> list[str]:
    return [culprit.other for culprit in found(*events).culprits]


def internal(sql: str, message: str, start: int = 50, end: int = 60, **more: object) -> Statement:
    failed = statement("o_1", sql, start, end, sqlstate="XX000", message=message, phase="manipulate")
    return msgspec.structs.replace(failed, **more)


RENAME = internal("ALTER TABLE o_1 RENAME TO o_1_tmp", "cache lookup failed for relation 16412")


def test_strangers_are_not_named_and_the_role_of_the_base_that_drops_all_that_it_owns_is() -> None:
    assert others(
        statement("o_2", "COMMENT ON TABLE o_2 IS 'o_1'", 48, 58),
        statement("o_3", "CREATE INDEX o_3 ON o_base (a)", 48, 58),
        statement("o_3", "DROP TABLE o_3 CASCADE", 58, 59),
        statement("main", "DROP OWNED BY rh1234abcd_o_base_owner CASCADE", 45, 59, about="o_base"),
        RENAME,
    ) == ["DROP OWNED BY CASCADE"]


def test_what_names_the_object_and_removes_such_objects_comes_first() -> None:
    assert others(
        statement("o_4", "ALTER TABLE o_1 ADD COLUMN c TEXT", 40, 55),
        statement("o_2", "DROP TABLE o_base CASCADE", 40, 55),
        statement("o_3", "DROP TABLE o_1 CASCADE", 40, 52),
        RENAME,
    ) == ["DROP TABLE CASCADE", "ALTER TABLE ADD COLUMN TEXT"]


def test_an_object_of_another_sort_is_less_likely_to_be_the_one_that_is_missing() -> None:
    missing_type = internal("ALTER TABLE o_1 ADD COLUMN c o_base", "cache lookup failed for type 16412")
    assert others(
        statement("o_2", "DROP INDEX o_base_index", 40, 55, about="o_base"),
        statement("o_3", "DROP TYPE o_base CASCADE", 40, 55),
        missing_type,
    ) == ["DROP TYPE CASCADE", "DROP INDEX"]


def test_what_was_not_committed_before_the_error_came_is_not_named() -> None:
    dropped = statement("o_3", "DROP TABLE o_1", 40, 55)
    late = (
        statement("o_2", "BEGIN", 1, 2),
        statement("o_2", "DROP VIEW o_1 CASCADE", 40, 41),
        statement("o_2", "COMMIT", 61, 62),
        statement("o_4", "BEGIN", 1, 2),
        statement("o_4", "DROP SCHEMA o_1 CASCADE", 42, 43),
        statement("o_4", "ROLLBACK", 50, 51),
    )
    assert others(*late, dropped, RENAME) == ["DROP TABLE"]
    assert "DROP VIEW CASCADE" in others(*late, RENAME), "there is nobody else"


def test_a_row_that_was_written_meanwhile_was_written_by_a_statement_that_writes_rows_of_catalogs() -> None:
    updated = internal("GRANT ALL ON TABLE o_1 TO PUBLIC", "tuple concurrently updated")
    deleted = internal("GRANT ALL ON TABLE o_1 TO PUBLIC", "tuple concurrently deleted")
    near = (
        statement("o_2", "INSERT INTO o_1 VALUES (1)", 40, 55),
        statement("o_3", "REVOKE ALL ON TABLE o_1 FROM PUBLIC", 40, 55),
        statement("o_4", "DROP TABLE o_1", 40, 55),
    )
    assert others(*near, updated) == ["REVOKE ALL ON TABLE FROM PUBLIC", "DROP TABLE"]
    assert others(*near, deleted)[0] == "DROP TABLE"
    assert "INSERT INTO VALUES" not in others(*near, updated)


OWNED, ROLE, TABLE, SPACE = "DROP OWNED BY r", "DROP ROLE r", "DROP TABLE t", "DROP TABLESPACE t"
COLUMN, RIGHTS, REINDEX = "ALTER TABLE t DROP COLUMN a", "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES", "REINDEX TABLE t"
EVERY = [
    OWNED,
    ROLE,
    TABLE,
    SPACE,
    COLUMN,
    RIGHTS,
    REINDEX,
    "CREATE TABLE t ()",
    "INSERT INTO t VALUES (1)",
    "COMMENT ON TABLE t",
]


@pytest.mark.parametrize(
    ("message", "suspected"),
    [
        ("cache lookup failed for tablespace 3", [OWNED, SPACE]),
        ("could not find tuple for default ACL 3", [OWNED, RIGHTS]),
        ("role 3 was concurrently dropped", [OWNED, ROLE]),
        ("cache lookup failed for attribute 3 of relation 4", [OWNED, TABLE, COLUMN, REINDEX]),
        ("could not open relation with OID 3", [OWNED, TABLE, COLUMN, REINDEX]),
    ],
)
def test_what_is_missing_was_removed_by_a_statement_that_can_remove_it(message: str, suspected: list[str]) -> None:
    error = internal("GRANT ALL ON t TO r", message)
    assert [sql for sql in EVERY if POSTGRES.suspicion(error, sql) in ("strong", "some")] == suspected


def test_rows_of_different_catalogs_are_less_likely_to_be_the_same_row() -> None:
    error = internal("GRANT ALL ON TABLESPACE t TO r", "tuple concurrently updated")
    assert POSTGRES.suspicion(error, "ALTER TABLESPACE t RENAME TO u") == "strong"
    assert POSTGRES.suspicion(error, "ALTER TABLE x OWNER TO r") == "some"


def test_a_key_that_is_there_twice_was_inserted_by_a_statement_of_the_same_sort() -> None:
    twice = msgspec.structs.replace(
        internal("CREATE TYPE o_1 AS ENUM ()", 'duplicate key value violates unique constraint "pg_type_typname_nsp_index"'),
        sqlstate="23505",
        constraint="pg_type_typname_nsp_index",
        relation="pg_catalog.pg_type",
    )
    near = (statement("o_2", "DROP TYPE o_1", 40, 55), statement("o_3", "CREATE TYPE o_1 AS ENUM ()", 40, 55))
    assert others(*near, twice) == ["CREATE TYPE AS ENUM"]


def test_in_scripts_of_users_a_statement_with_a_name_in_common_comes_first() -> None:
    failed = internal('GRANT USAGE ON SCHEMA "App" TO PUBLIC', "tuple concurrently updated")
    near = (
        statement("2", "DROP TABLE other", 40, 55, about="o_1"),
        statement("3", "DROP VIEW app.v", 40, 55, about="o_1"),
    )
    assert others(*near, failed) == ["DROP VIEW", "DROP TABLE"]


def test_an_object_that_is_named_by_its_number_and_still_there_is_the_one_that_the_cause_is_about() -> None:
    failed = internal("DROP OWNED BY rh1234abcd_o_1", "cache lookup failed for relation 16412")
    near = (statement("o_2", "DROP TABLE o_2", 40, 55), statement("o_3", "DROP TABLE o_3 CASCADE", 40, 55))
    assert [culprit.other for culprit in found(*near, failed).culprits] == ["DROP TABLE", "DROP TABLE CASCADE"]
    told = found(*near, failed, objects={16412: "table public.o_3"})
    assert told.culprits[0].other == "DROP TABLE CASCADE"
    assert told.detail[1] == "16412 is table public.o_3, and still there at rest"


def test_while_nobody_changed_anything_an_earlier_drop_of_such_an_object_is_the_likely_cause() -> None:
    before = (
        statement("o_2", "DROP TABLE o_base CASCADE", 10, 20),
        statement("o_3", "ALTER TABLE o_base RENAME TO x", 10, 20),
        statement("o_1", "SELECT 1", 30, 40, phase="manipulate"),
    )
    finding = found(*before, RENAME)
    assert finding.severity == "internal error"
    assert [culprit.other for culprit in finding.culprits] == ["DROP TABLE CASCADE"]


def test_reads_that_change_something_are_named_by_their_functions() -> None:
    gone = internal("GRANT ALL ON LARGE OBJECT 4000000000 TO PUBLIC", "large object 4000000000 does not exist")
    gone = msgspec.structs.replace(gone, message="cache lookup failed for large object 4000000000")
    unlinked = statement("o_2", "SELECT lo_unlink(4000000000)", 40, 55, about="o_1")
    finding = found(unlinked, statement("o_3", "SELECT lo_get(4000000000)", 40, 55, about="o_1"), gone)
    assert finding.severity == "known weakness"
    assert [culprit.other for culprit in finding.culprits] == ["SELECT lo_unlink"]


def test_a_statement_that_drops_many_may_meet_what_it_does_not_name() -> None:
    owned = internal("DROP OWNED BY rh1234abcd_o_1 CASCADE", "could not find tuple for policy 16412")
    assert others(statement("o_3", "DROP POLICY o_3 ON o_3_table", 40, 55), owned) == ["DROP POLICY ON"]
    named = internal("COMMENT ON TABLE o_1 IS 'x'", "could not find tuple for policy 16412")
    assert others(statement("o_3", "DROP POLICY o_3 ON o_3_table", 40, 55), named) == []


def test_how_often_the_two_ran_together_without_the_error_is_counted_and_orders_equals() -> None:
    again = [
        statement("o_1", "ALTER TABLE o_1 RENAME TO o_1_tmp", start, start + 8, phase="manipulate") for start in (100, 200, 300)
    ]
    beside = [statement("o_2", "DROP INDEX o_1_index CASCADE", start, start + 8) for start in (101, 201)]
    finding = found(
        statement("o_2", "DROP INDEX o_1_index CASCADE", 40, 55),
        statement("o_3", "DROP TABLE o_1 CASCADE", 40, 55),
        RENAME,
        *again,
        *beside,
    )
    assert [(each.other, each.count, each.apart) for each in finding.culprits] == [
        ("DROP TABLE CASCADE", 1, 0),
        ("DROP INDEX CASCADE", 1, 2),
    ]
