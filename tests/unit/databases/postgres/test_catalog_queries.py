"""The catalog query is made of what the server says of its catalogs, and of nothing else."""

from __future__ import annotations

import pytest

from racehound.databases.postgres.oracles.catalog_map import (
    FIRST_UNPINNED_OID,
    Catalog,
    CatalogCheckUnavailableError,
    CatalogMap,
    ForeignKey,
    read_catalog_map,
)
from racehound.databases.postgres.oracles.catalog_queries import EVERYTHING, Scope, build_catalog_query, build_occupancy_query
from racehound.databases.postgres.oracles.catalog_rules import RULES
from racehound.databases.postgres.oracles.stored_expressions import CATALOG_OF_TYPE, DANGLING_CONSTANT
from racehound.session import Outcome, Rows

# In the catalogs named here and nowhere else do the rules and bonds have something to say.
NAMED = ("pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_authid", "pg_database", "pg_largeobject", "pg_constraint",
         "pg_largeobject_metadata", "pg_inherits", "pg_attribute", "pg_index", "pg_shdepend",
         "pg_replication_origin")  # fmt: skip
SHARED = ("pg_authid", "pg_database", "pg_shdepend", "pg_replication_origin")
KEYS = {"pg_largeobject": ("loid", "pageno"), "pg_inherits": ("inhrelid",), "pg_attribute": ("attrelid", "attnum"),
        "pg_index": ("indexrelid",), "pg_shdepend": (), "pg_replication_origin": ("roident",)}  # fmt: skip
QUICK = Scope(20000, FIRST_UNPINNED_OID)


def catalog_map(
    *keys: ForeignKey,
    version: int = 180006,
    first_unpinned: int = FIRST_UNPINNED_OID,
    trees: dict[str, tuple[str, ...]] = {},  # noqa: B006 it is only read
) -> CatalogMap:
    names = dict.fromkeys((*NAMED, *(CATALOG_OF_TYPE.values() if trees else ()), *trees))
    catalogs = {
        name: Catalog(name, 1000 + n, name in SHARED, KEYS.get(name, ("oid",)), (), trees.get(name, ()))
        for n, name in enumerate(names)
    }
    return CatalogMap(version, 5, first_unpinned, catalogs, keys)


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


class Answering:
    """A session that answers the questions of `read_catalog_map`, and has no catalogs."""

    pid = 0

    def __init__(self, version: str = "180006", pinned_until: str | None = None) -> None:
        self.server: tuple[str | None, ...] = (version, "5", "a release", pinned_until)

    def execute(self, sql: str) -> Outcome:
        cells = [self.server] if "server_version_num" in sql else []
        return Outcome("ok", rows=Rows(("v", "d", "r", "p"), (25, 26, 25, 20), cells))

    def cancel(self) -> None: ...

    def reset(self) -> Outcome:
        return Outcome("ok")

    def close(self) -> None: ...


def test_14_says_itself_which_objects_are_pinned() -> None:
    """On 14.0 the array types of catalogs, with OIDs from 12000 on, are pinned: nothing records what they depend on."""
    assert read_catalog_map(Answering()).first_unpinned == FIRST_UNPINNED_OID
    of_14 = read_catalog_map(Answering("140000", "12216"))
    assert of_14.first_unpinned == 12216
    sql = build_catalog_query(catalog_map(version=140000, first_unpinned=12216), EVERYTHING).sql
    assert "(obj < 12216 AND" in sql
    assert "(value < 12216 AND" in sql
    assert "12000" not in sql


def test_a_row_that_says_that_an_object_is_pinned_has_no_dependent() -> None:
    (arm,) = arms(build_catalog_query(catalog_map(version=140000), EVERYTHING).sql, "FROM pg_catalog.pg_shdepend c")[:1]
    assert "CASE WHEN c.deptype <> 'p' THEN c.objid END" in arm


def test_large_objects_are_looked_at_whatever_their_number() -> None:
    key = ForeignKey("pg_largeobject", ("loid",), "pg_largeobject", ("oid",), is_array=False, is_opt=False)
    (arm,) = arms(build_catalog_query(catalog_map(key), QUICK).sql, "ARRAY[c.loid")
    assert "c.loid::oid >= 1)" in arm
    occupied = build_occupancy_query(catalog_map(), QUICK)
    assert "pg_largeobject WHERE loid::oid >= 1)" in occupied
    assert "pg_proc WHERE oid::oid >= 20000)" in occupied


def test_large_objects_and_databases_are_never_pinned() -> None:
    built = catalog_map()
    never = ", ".join(str(built.catalogs[name].oid) for name in ("pg_database", "pg_largeobject", "pg_largeobject_metadata"))
    sql = build_catalog_query(built, QUICK).sql
    assert f"obj < 12000 AND class NOT IN ({never})" in sql
    assert f"s.value < 12000 AND s.target NOT IN ({never})" in sql


def test_before_16_a_membership_may_name_a_grantor_that_is_gone() -> None:
    grantor = ForeignKey("pg_auth_members", ("grantor",), "pg_authid", ("oid",), is_array=False, is_opt=False)
    for version, looks in ((150019, False), (160000, True)):
        built = catalog_map(grantor, version=version)
        built.catalogs["pg_auth_members"] = Catalog("pg_auth_members", 1261, True, ("roleid", "member", "grantor"), ())
        assert bool(arms(build_catalog_query(built, QUICK).sql, "c.grantor")) == looks


def test_constants_are_looked_up_in_all_expressions_with_dependencies() -> None:
    built = catalog_map(trees={"pg_class": ("relpartbound",), "pg_rewrite": ("ev_qual", "ev_action")})
    query = build_catalog_query(built, QUICK)
    numbers = [number for number, check in enumerate(query.checks) if check.problem == DANGLING_CONSTANT]
    assert [query.checks[number].column for number in numbers] == ["ev_qual", "ev_action"]
    (scan,) = arms(query.sql, "c.ev_qual::text, c.ev_action::text")
    assert f"unnest('{{{numbers[0]}, {numbers[1]}}}'::int[])" in scan
    assert "c.oid::oid >= 20000" in scan
    assert f"WHEN '3734' THEN {built.catalogs['pg_ts_config'].oid} " in query.sql
    assert "c.relpartbound::text" not in query.sql


def test_before_14_the_check_says_that_it_is_unavailable() -> None:
    class Old(Answering):
        """A session with a server of release 13, of which none is at hand."""

        def execute(self, sql: str) -> Outcome:
            assert "server_version_num" in sql
            return Outcome("ok", rows=Rows(("v", "d", "r", "p"), (25, 26, 25, 20), [("130022", "5", "13.22", "12000")]))

    with pytest.raises(CatalogCheckUnavailableError, match=r"PostgreSQL 13\.22.*came with 14"):
        read_catalog_map(Old())
