"""The catalog query is made of what the server says of its catalogs, and of nothing else."""

from __future__ import annotations

import pytest

from racehound.databases.postgres.oracles.catalog_map import (
    Catalog,
    CatalogCheckUnavailableError,
    CatalogMap,
    ForeignKey,
    read_catalog_map,
)
from racehound.databases.postgres.oracles.catalog_queries import EVERYTHING, FIRST_UNPINNED_OID, Scope, build_catalog_query
from racehound.databases.postgres.oracles.catalog_rules import RULES
from racehound.session import Outcome, Rows

# In the catalogs named here and nowhere else do the rules and bonds have something to say.
NAMED = ("pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_authid", "pg_database", "pg_largeobject", "pg_constraint",
         "pg_inherits", "pg_attribute", "pg_index", "pg_shdepend", "pg_replication_origin")  # fmt: skip
SHARED = ("pg_authid", "pg_database", "pg_shdepend", "pg_replication_origin")
KEYS = {"pg_largeobject": ("loid", "pageno"), "pg_inherits": ("inhrelid",), "pg_attribute": ("attrelid", "attnum"),
        "pg_index": ("indexrelid",), "pg_shdepend": (), "pg_replication_origin": ("roident",)}  # fmt: skip
QUICK = Scope(20000, FIRST_UNPINNED_OID)


def catalog_map(*keys: ForeignKey, version: int = 180006) -> CatalogMap:
    catalogs = {name: Catalog(name, 1000 + n, name in SHARED, KEYS.get(name, ("oid",)), ()) for n, name in enumerate(NAMED)}
    return CatalogMap(version, 5, catalogs, keys)


def arms(sql: str, column: str) -> list[str]:
    """The lines of the query that name a column."""
    return [line for line in sql.splitlines() if column in line]


def test_every_reference_of_the_server_gets_a_number_of_its_own() -> None:
    keys = (
        ForeignKey("pg_proc", ("pronamespace",), "pg_namespace", ("oid",), is_array=False, is_opt=False),
        ForeignKey("pg_proc", ("somenew",), "pg_type", ("oid",), is_array=False, is_opt=True),
    )
    query = build_catalog_query(catalog_map(*keys), QUICK)
    assert [(check.column, check.target) for check in query.checks[:2]] == [
        ("pronamespace", "pg_namespace.oid"),
        ("somenew", "pg_type.oid"),
    ]
    (arm,) = arms(query.sql, "c.pronamespace")
    assert "'{0, 1}'" in arm


def test_zero_refers_to_nothing_only_where_the_server_allows_it() -> None:
    must = ForeignKey("pg_proc", ("given",), "pg_type", ("oid",), is_array=False, is_opt=False)
    may = ForeignKey("pg_proc", ("optional",), "pg_type", ("oid",), is_array=False, is_opt=True)
    sql = build_catalog_query(catalog_map(must, may), QUICK).sql
    assert "NULLIF(c.optional::oid, 0)" in sql
    assert "NULLIF(c.given::oid, 0)" not in sql


@pytest.mark.parametrize(("is_opt", "wanted"), [(True, "WHERE value <> 0"), (False, "")])
def test_each_element_of_an_array_refers(is_opt: bool, wanted: str) -> None:
    key = ForeignKey("pg_proc", ("several",), "pg_type", ("oid",), is_array=True, is_opt=is_opt)
    (arm,) = arms(build_catalog_query(catalog_map(key), QUICK).sql, "c.several")
    assert "unnest(c.several::oid[])" in arm
    assert arm.endswith(f"a {wanted}")


def test_a_column_is_addressed_through_its_relation() -> None:
    key = ForeignKey("pg_constraint", ("conrelid", "conkey"), "pg_attribute", ("attrelid", "attnum"), is_array=True, is_opt=True)
    built = catalog_map(key)
    (arm,) = arms(build_catalog_query(built, QUICK).sql, "c.conkey")
    assert f"{built.catalogs['pg_class'].oid}::oid AS target, c.conrelid::oid AS value, unnest(c.conkey" in arm
    assert arm.endswith("WHERE attnum <> 0")


def test_only_rows_in_scope_are_scanned_but_for_tiny_and_shared_catalogs() -> None:
    owners = [
        ForeignKey(catalog, (column,), "pg_authid", ("oid",), is_array=False, is_opt=False)
        for catalog, column in (("pg_proc", "proowner"), ("pg_namespace", "nspowner"), ("pg_database", "datdba"))
    ]
    quick = build_catalog_query(catalog_map(*owners), QUICK).sql
    assert ["c.oid::oid >= 20000" in arms(quick, column)[0] for column in ("c.proowner", "c.nspowner", "c.datdba")] == [
        True,
        False,
        False,
    ]
    full = build_catalog_query(catalog_map(*owners), EVERYTHING).sql
    assert "20000" not in full
    assert "s.value >=" not in full


def test_rules_of_later_releases_and_lawful_leftovers_are_left_out() -> None:
    def problems(version: int, *, legal: bool) -> set[tuple[str, str]]:
        query = build_catalog_query(catalog_map(version=version), QUICK, legal_leftovers=legal)
        return {(check.column, check.problem) for check in query.checks if check.problem}

    everything = {(rule.column, rule.problem) for rule in RULES}
    legal = {(rule.column, rule.problem) for rule in RULES if rule.legal}
    later = {(rule.column, rule.problem) for rule in RULES if rule.since > 170000}
    assert legal
    assert later
    assert problems(180006, legal=True) == everything
    assert problems(180006, legal=False) == everything - legal
    assert problems(170000, legal=True) == everything - later


def test_before_14_the_check_says_that_it_is_unavailable() -> None:
    class Old:
        """A session with a server of release 13, of which none is at hand."""

        pid = 0

        def execute(self, sql: str) -> Outcome:
            assert "server_version_num" in sql
            return Outcome("ok", rows=Rows(("v", "d", "r"), (25, 26, 25), [("130022", "5", "13.22")]))

        def cancel(self) -> None: ...

        def reset(self) -> Outcome:
            return Outcome("ok")

        def close(self) -> None: ...

    with pytest.raises(CatalogCheckUnavailableError, match=r"PostgreSQL 13\.22.*came with 14"):
        read_catalog_map(Old())
