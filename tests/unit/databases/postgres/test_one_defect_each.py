"""Violations of the catalogs that are one defect: one finding, in which the object itself comes first."""

from __future__ import annotations

from racehound.databases.postgres.oracles.at_rest import one_defect_each
from racehound.databases.postgres.oracles.catalog import Violation

MISSING = "row missing"


def missing(reference: str, row: str, refers_to: str) -> Violation:
    """`pg_proc.pronamespace`, the row, and the row that is not there."""
    catalog, column = reference.split(".")
    return Violation(MISSING, catalog, column, row, refers_to, f"{refers_to.split(maxsplit=1)[0]}.oid")


def sorts(*violations: Violation) -> list[list[str]]:
    return [[violation.normalised for violation in group] for group in one_defect_each(violations)]


RECORDED = missing("pg_depend.refobjid", "pg_proc 16412", "pg_namespace 16411")
ORPHAN = missing("pg_proc.pronamespace", "pg_proc 16412", "pg_namespace 16411")


def test_an_orphan_is_one_defect_with_what_is_recorded_about_it() -> None:
    assert sorts(RECORDED, ORPHAN) == [
        ["pg_proc.pronamespace -> pg_namespace.oid: row missing", "pg_depend.refobjid -> pg_namespace.oid: row missing"]
    ]


def test_objects_that_miss_the_same_row_are_one_defect() -> None:
    of_class = missing("pg_class.relnamespace", "pg_class 16420", "pg_namespace 16411")
    of_type = missing("pg_type.typnamespace", "pg_type 16422", "pg_namespace 16411")
    of_constraint = missing("pg_constraint.connamespace", "pg_constraint 16430", "pg_namespace 16411")
    assert [len(group) for group in sorts(of_constraint, of_type, RECORDED, of_class)] == [4]
    assert sorts(of_constraint, of_type, of_class)[0][0].startswith("pg_class.relnamespace")


def test_a_range_type_comes_before_its_functions() -> None:
    function = missing("pg_proc.proargtypes", "pg_proc 16450", "pg_type 16440")
    range_type = missing("pg_range.rngsubtype", "pg_type 16445", "pg_type 16440")
    assert sorts(function, range_type)[0][0].startswith("pg_range.rngsubtype")


def test_rows_that_are_joined_by_a_third_are_one_defect() -> None:
    """An operator misses its function, the function its type."""
    operator = missing("pg_operator.oprcode", "pg_operator 16460", "pg_proc 16412")
    function = missing("pg_proc.proargtypes", "pg_proc 16470", "pg_type 16440")
    both = missing("pg_operator.oprright", "pg_operator 16460", "pg_type 16440")
    assert len(one_defect_each([operator, function])) == 2
    assert len(one_defect_each([operator, function, both])) == 1


def test_other_rows_are_other_defects() -> None:
    member = missing("pg_auth_members.roleid", "pg_authid 16480", "pg_authid 16490")
    assert [len(group) for group in sorts(ORPHAN, member, RECORDED)] == [1, 2]


def test_an_existing_object_joins_nothing() -> None:
    """Both functions lack an entry in pg_depend for the same schema, which is there."""
    lacking = [
        Violation("no dependency", "pg_proc", "pronamespace", row, "pg_namespace 2200") for row in ("pg_proc 1", "pg_proc 2")
    ]
    assert [len(group) for group in one_defect_each(lacking)] == [1, 1]
