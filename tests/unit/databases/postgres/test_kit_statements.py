"""What a kit of PostgreSQL adds to a scene: readable names, a query for broken rows, a clean-up."""

from __future__ import annotations

import pytest

from racehound.databases.postgres.handover.broken_rows import broken_rows
from racehound.databases.postgres.handover.names import Names
from racehound.databases.postgres.handover.removal import removal_of


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("CREATE ROLE ${racehound.run}_o_2_grantee", "CREATE ROLE role_1"),
        ("GRANT ${racehound.run}_o_1 TO ${racehound.run}_o_2", "GRANT role_1 TO role_2"),
        ("CREATE UNLOGGED TABLE o_1 (a text, c o_1_type)", "CREATE UNLOGGED TABLE table_1 (a text, c object_1)"),
        ('ALTER TABLE "o_1" RENAME TO "o_1_tmp"', 'ALTER TABLE "table_1" RENAME TO "table_2"'),
        ("ALTER TABLE o_1 DROP COLUMN o_1_new CASCADE", "ALTER TABLE table_1 DROP COLUMN column_1 CASCADE"),
        ("CREATE MATERIALIZED VIEW o_2 AS SELECT a FROM o_base", "CREATE MATERIALIZED VIEW view_1 AS SELECT a FROM table_1"),
        ("COMMENT ON TABLESPACE ${racehound.run}_o_3 IS 'o_3'", "COMMENT ON TABLESPACE tablespace_1 IS 'tablespace_1'"),
        ("SELECT o_1('x')", "SELECT function_1('x')"),
        ("SELECT _o_7, foo_1 FROM table_1", "SELECT _object_1, foo_1 FROM table_1"),
    ],
)
def test_names_say_what_an_object_is(statement: str, read: str) -> None:
    assert Names([statement]).read(statement) == read


def test_a_name_of_the_users_is_not_given_again() -> None:
    assert Names(["CREATE TABLE table_1 (a int)", "CREATE TABLE o_1 (a int)"]).of("o_1") == "table_2"


def test_texts_with_the_id_of_the_run_are_read_alike() -> None:
    names = Names(["CREATE ROLE ${racehound.run}_o_2"])
    assert names.read("role rh0123abcd_o_2 is gone; rh0123abcd_db1") == "role role_1 is gone; run_db1"


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        (
            "pg_depend.refobjid -> pg_type.oid: row missing (type x)",
            ("c.refclassid = 'pg_type'::regclass", "FROM pg_depend AS c"),
        ),
        ("pg_depend.refobjid -> pg_attribute.attrelid,attnum: row missing", ("'pg_class'::regclass", "o.attnum = c.refobjsubid")),
        ("pg_proc.proargtypes -> pg_type.oid: row missing", ("unnest(c.proargtypes)", "FROM pg_proc AS c")),
        ("pg_constraint.conrelid,conkey -> pg_attribute.attrelid,attnum: row missing", ("unnest(c.conkey)", "= c.conrelid")),
        ("pg_class.relacl grantee -> pg_authid.oid: row missing", ("aclexplode(c.relacl)", "a.grantee <> 0")),
        (
            "pg_proc.pronamespace -> pg_namespace.oid: no pg_depend row (f)",
            ("FROM pg_depend AS d", "d.refobjid = c.pronamespace"),
        ),
        ("pg_class.relowner -> pg_authid.oid: no owner row in pg_shdepend", ("FROM pg_shdepend AS d", "d.deptype = 'o'")),
        ("pg_class.relhasindex: false where pg_index has rows (table t)", ("relhasindex", "pg_index")),
    ],
)
def test_broken_rows_have_a_plain_query(title: str, parts: tuple[str, ...]) -> None:
    found = broken_rows(title)
    assert found is not None
    assert all(part in found.query for part in parts), found.query
    assert "regexp" not in found.query


def test_other_findings_have_no_query() -> None:
    assert broken_rows("XX000 cache lookup failed for type 1") is None


def test_what_is_made_is_removed_the_last_first_and_roles_at_the_end() -> None:
    removal = removal_of(
        [
            "CREATE ROLE role_1",
            "CREATE TABLESPACE tablespace_1 LOCATION ''",
            "CREATE TABLE s.table_1 (a int)",
            "CREATE OR REPLACE FUNCTION function_1() RETURNS int RETURN 1",
            "ALTER ROLE role_1 RENAME TO role_2",
            "CREATE DATABASE database_1",
            "PREPARE TRANSACTION 'x'",
            "CREATE INDEX i ON s.table_1 (a)",
            "CREATE USER MAPPING FOR PUBLIC SERVER w",
        ],
        "DELETE FROM pg_depend",
    )
    assert removal.statements == (
        "ROLLBACK PREPARED 'x'",
        (
            "DO $$BEGIN DROP ROUTINE IF EXISTS function_1 CASCADE; EXCEPTION WHEN internal_error THEN "
            "EXECUTE 'ALTER SCHEMA public RENAME TO broken_' || txid_current(); CREATE SCHEMA public; END$$"
        ),
        "DROP TABLE IF EXISTS s.table_1 CASCADE",
        "DROP DATABASE IF EXISTS database_1 WITH (FORCE)",
        "DELETE FROM pg_depend",
        "DO $$BEGIN DROP OWNED BY role_2 CASCADE; EXCEPTION WHEN undefined_object THEN NULL; END$$",
        "DO $$BEGIN DROP OWNED BY role_1 CASCADE; EXCEPTION WHEN undefined_object THEN NULL; END$$",
        "DROP TABLESPACE IF EXISTS tablespace_1",
        "DROP ROLE IF EXISTS role_2, role_1",
    )
    assert [len(block) for block in removal.blocks] == [1, 2, 1, 3, 1, 1]
