"""The catalog oracle and the checks at rest: silent over a healthy database, outspoken over each thing that is broken by hand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.databases.postgres.oracles.catalog import CatalogOracle, Violation
from racehound.databases.postgres.oracles.catalog_map import read_catalog_map
from racehound.databases.postgres.oracles.dump import dump_error
from racehound.databases.postgres.oracles.leaks import find_leaks
from racehound.databases.postgres.oracles.recorded_dependencies import DEPENDENCIES, OWNERS
from racehound.databases.postgres.oracles.relation_files import check_relation_files
from racehound.errors import TargetError
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession

Connect = Callable[[str], LibpqSession]

RICH = Path(__file__).with_name("catalog_rich_schema.sql")

OBJECTS = (
    "CREATE ROLE breaker",
    "CREATE ROLE breaker_member",
    "GRANT breaker TO breaker_member",
    "CREATE SCHEMA s AUTHORIZATION breaker",
    "CREATE TYPE s.mood AS ENUM ('sad', 'happy')",
    "CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE FUNCTION s.g(s.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION s.g(s.mood) OWNER TO breaker",
    "CREATE TABLE s.t (a int PRIMARY KEY, b s.mood DEFAULT 'sad', c text CHECK (c <> ''), d int)",
    "CREATE INDEX t_d ON s.t (d)",
    "CREATE TRIGGER t_trigger BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()",
    "CREATE VIEW s.v AS SELECT a FROM s.t",
    "CREATE SEQUENCE s.q",
    "CREATE TABLE s.p (a int) PARTITION BY RANGE (a)",
    "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM (0) TO (9)",
    "CREATE TABLE s.child () INHERITS (s.t)",
    "COMMENT ON FUNCTION s.g(s.mood) IS 'g'",
    "GRANT SELECT ON s.t TO breaker_member",
    "SELECT lo_from_bytea(424242, 'x')",
    "CREATE STATISTICS s.st ON a, d FROM s.t",
)

BREAKAGES = [
    ("DELETE FROM pg_namespace WHERE nspname = 's'", "pg_proc.pronamespace -> pg_namespace.oid: row missing"),
    ("DELETE FROM pg_namespace WHERE nspname = 's'", "pg_depend.refobjid -> pg_namespace.oid: row missing"),
    ("DELETE FROM pg_type WHERE oid = 's.mood'::regtype", "pg_attribute.atttypid -> pg_type.oid: row missing"),
    ("DELETE FROM pg_type WHERE oid = 's.mood'::regtype", "pg_proc.proargtypes -> pg_type.oid: row missing"),
    ("DELETE FROM pg_type WHERE oid = 's.mood'::regtype", "pg_enum.enumtypid -> pg_type.oid: row missing"),
    ("DELETE FROM pg_type WHERE oid = 's.t'::regtype", "pg_class.reltype: is not the row type of the relation"),
    ("DELETE FROM pg_type WHERE typname = '_mood'", "pg_type.typarray: is not an array of the type"),
    ("DELETE FROM pg_proc WHERE proname = 'f'", "pg_trigger.tgfoid -> pg_proc.oid: row missing"),
    ("DELETE FROM pg_proc WHERE proname = 'g'", "pg_description.objoid -> pg_proc.oid: row missing"),
    ("DELETE FROM pg_proc WHERE proname = 'g'", "pg_depend.objid -> pg_proc.oid: row missing"),
    ("DELETE FROM pg_authid WHERE rolname = 'breaker'", "pg_proc.proowner -> pg_authid.oid: row missing"),
    ("DELETE FROM pg_authid WHERE rolname = 'breaker'", "pg_shdepend.refobjid -> pg_authid.oid: row missing"),
    ("DELETE FROM pg_authid WHERE rolname = 'breaker'", "pg_auth_members.roleid -> pg_authid.oid: row missing"),
    ("DELETE FROM pg_authid WHERE rolname = 'breaker_member'", "pg_class.relacl grantee -> pg_authid.oid: row missing"),
    ("DELETE FROM pg_largeobject_metadata WHERE oid = 424242", "pg_largeobject.loid -> pg_largeobject_metadata.oid: row missing"),
    (
        "DELETE FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'd'",
        "pg_class.relnatts: differs from the number of pg_attribute rows",
    ),
    (
        "DELETE FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'd'",
        "pg_index.indrelid,indkey -> pg_attribute.attrelid,attnum: row missing",
    ),
    (
        "UPDATE pg_attribute SET attisdropped = true WHERE attrelid = 's.t'::regclass AND attname = 'd'",
        "pg_statistic_ext.stxrelid,stxkeys -> pg_attribute.attrelid,attnum: row missing",
    ),
    ("UPDATE pg_class SET relhasindex = false WHERE relname = 't'", "pg_class.relhasindex: false where pg_index has rows"),
    ("UPDATE pg_class SET relhasrules = false WHERE relname = 'v'", "pg_class.relhasrules: false where pg_rewrite has rows"),
    (
        "UPDATE pg_class SET relhastriggers = false WHERE relname = 't'",
        "pg_class.relhastriggers: false where pg_trigger has rows",
    ),
    (
        "UPDATE pg_class SET relhassubclass = false WHERE relname = 'p'",
        "pg_class.relhassubclass: false where pg_inherits has rows",
    ),
    (
        "UPDATE pg_class SET relchecks = 0 WHERE relname = 't'",
        "pg_class.relchecks: differs from the number of CHECK rows in pg_constraint",
    ),
    (
        "DELETE FROM pg_inherits WHERE inhrelid = 's.p1'::regclass",
        "pg_class.relispartition: true without a partitioned parent in pg_inherits",
    ),
    (
        "UPDATE pg_class SET relispartition = false WHERE relname = 'p1'",
        "pg_class.relispartition: false with a partitioned parent in pg_inherits",
    ),
    ("UPDATE pg_class SET relpartbound = NULL WHERE relname = 'p1'", "pg_class.relpartbound: does not agree with relispartition"),
    (
        "UPDATE pg_class SET reltoastrelid = 0 WHERE relname = 't'",
        "pg_class.reltoastrelid: TOAST table without the table that it belongs to",
    ),
    (
        "UPDATE pg_class SET relfilenode = (SELECT relfilenode FROM pg_class WHERE relname = 't') WHERE relname = 't_d'",
        "pg_class.relfilenode: shared with another relation of the same tablespace",
    ),
    ("DELETE FROM pg_attrdef", "pg_attribute.atthasdef: true without a row in pg_attrdef"),
    (
        "DELETE FROM pg_inherits WHERE inhrelid = 's.child'::regclass",
        "pg_attribute.attinhcount: inherited from no parent in pg_inherits",
    ),
    (
        "UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 's.t'::regclass AND attname = 'a'",
        "pg_attribute.attnotnull: false for a column of the primary key",
    ),
    (
        "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 's.t'::regclass AND attname = 'd'",
        "pg_attribute.attnotnull: true without a NOT NULL row in pg_constraint",
    ),
    (
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 's.t_d'::regclass",
        "pg_index.indisvalid: flags that no state of an index has",
    ),
    ("DELETE FROM pg_constraint WHERE conname = 't_pkey'", "pg_depend.refobjid -> pg_constraint.oid: row missing"),
    (
        "DELETE FROM pg_index WHERE indexrelid = 's.t_pkey'::regclass",
        "pg_constraint.conindid: is not an index of the constraint's table",
    ),
    ("DELETE FROM pg_index WHERE indexrelid = 's.t_d'::regclass", "pg_class.relkind: 'i' without its row in pg_index"),
    ("DELETE FROM pg_sequence", "pg_class.relkind: 'S' without its row in pg_sequence"),
    ("DELETE FROM pg_rewrite WHERE ev_class = 's.v'::regclass", "pg_class.relkind: 'v' without its row in pg_rewrite"),
    (
        "DELETE FROM pg_depend WHERE objid = 's.q'::regclass AND refclassid = 'pg_namespace'::regclass",
        "pg_class.relnamespace -> pg_namespace.oid: no pg_depend row",
    ),
    (
        "DELETE FROM pg_depend WHERE objid = 's.t_d'::regclass",
        "pg_index.indrelid: depends on neither its table nor a constraint",
    ),
    (
        "DELETE FROM pg_depend WHERE objid = 's.t'::regclass AND objsubid = 2",
        "pg_attribute.atttypid -> pg_type.oid: no pg_depend row",
    ),
    (
        "DELETE FROM pg_shdepend WHERE objid = 's.g'::regproc AND deptype = 'o'",
        "pg_proc.proowner -> pg_authid.oid: no owner row in pg_shdepend",
    ),
    (
        "UPDATE pg_shdepend SET deptype = 't' WHERE objid = 's.g'::regproc AND deptype = 'o'",
        "pg_shdepend.deptype: does not fit the catalog that it refers to",
    ),
    (
        "INSERT INTO pg_replication_origin VALUES (65000, 'pg_4200000000')",
        "pg_replication_origin.roname: origin of a subscription that is gone",
    ),
    (
        "INSERT INTO pg_db_role_setting VALUES (0, 4200000000, '{a=b}')",
        "pg_db_role_setting.setrole -> pg_authid.oid: row missing",
    ),
]


@pytest.fixture(scope="module")
def server(scratch_dir: Path) -> Iterator[EmbeddedServer]:
    """A server of our own: its catalogs are broken, and its roles and tablespaces are those of a rich database."""
    own = EmbeddedServer(releases.find(), scratch_dir, scratch_dir / "catalog.log", {"allow_system_table_mods": "on"})
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def connect(server: EmbeddedServer) -> Iterator[Connect]:
    sessions: list[LibpqSession] = []

    def open_one(database: str) -> LibpqSession:
        sessions.append(LibpqSession.connect(server.address.conninfo(database), "catalog test"))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    """An empty database; dropped after the test."""
    with_admin(server, "CREATE DATABASE small")
    yield "small"
    with_admin(server, "DROP DATABASE small WITH (FORCE)")


@pytest.fixture(scope="module")
def rich(server: EmbeddedServer, connect: Connect) -> LibpqSession:
    """A session to a database with every sort of object."""
    with_admin(server, "CREATE DATABASE rich")
    session = connect("rich")
    run(session, *(part for part in RICH.read_text(encoding="utf-8").split(";\n") if part.strip()))
    return session


@pytest.fixture(scope="module")
def breakable(server: EmbeddedServer, connect: Connect) -> tuple[LibpqSession, CatalogOracle]:
    """Both in one session, so that a breakage is seen by the oracle and by nobody else, and is rolled back."""
    with_admin(server, "CREATE DATABASE breakable")
    session = connect("breakable")
    run(session, *OBJECTS)
    return session, CatalogOracle(session)


def with_admin(server: EmbeddedServer, sql: str) -> None:
    session = LibpqSession.connect(server.address.conninfo("postgres"), "catalog test")
    run(session, sql)
    session.close()


def run(session: LibpqSession, *statements: str) -> None:
    for statement in statements:
        outcome = session.execute(statement)
        assert outcome.ok, f"{statement}: {outcome.error}"


def value(session: LibpqSession, sql: str) -> str:
    outcome = session.execute(sql)
    assert outcome.rows is not None, outcome.error
    return outcome.rows.cells[0][0] or ""


def normalised(violations: list[Violation]) -> set[str]:
    return {violation.normalised for violation in violations}


def test_a_rich_database_is_in_order(rich: LibpqSession, connect: Connect) -> None:
    oracle = CatalogOracle(connect("rich"))
    assert oracle.check() == []
    assert oracle.check_everything() == []


def test_a_rich_database_stays_in_order_while_it_is_taken_apart(rich: LibpqSession, connect: Connect) -> None:
    oracle = CatalogOracle(connect("rich"))
    run(rich, "BEGIN", "CREATE TEMP TABLE temporary (a rich_other.mood, b text) ON COMMIT DELETE ROWS", "COMMIT")
    assert oracle.check() == []
    for doomed in ("TYPE rich_other.mood", "TABLE rich.part", "EXTENSION hstore", "TYPE rich.base", "TABLE rich.t_renamed"):
        run(rich, f"DROP {doomed} CASCADE")
        assert oracle.check() == [], doomed
    run(rich, "DROP SCHEMA rich_other CASCADE")
    assert oracle.check_everything() == []


@pytest.mark.parametrize(("breakage", "expected"), BREAKAGES, ids=[f"{number}" for number in range(len(BREAKAGES))])
def test_what_is_broken_is_found(breakable: tuple[LibpqSession, CatalogOracle], breakage: str, expected: str) -> None:
    session, oracle = breakable
    assert oracle.check() == []
    run(session, "BEGIN", breakage, "SAVEPOINT broken")
    quick = normalised(oracle.check())
    # What is broken may be past describing, and the attempt aborts the transaction that hides it from others.
    run(session, "ROLLBACK TO broken")
    full = normalised(oracle.check_everything())
    run(session, "ROLLBACK")
    assert expected in quick
    assert expected in full
    assert oracle.check() == []


def test_every_bond_is_of_a_reference_that_the_server_knows(connect: Connect) -> None:
    known = {(key.catalog, ",".join(key.columns)) for key in read_catalog_map(connect("postgres")).keys}
    assert {*DEPENDENCIES, *OWNERS} - known == set()


def test_a_violation_says_what_is_wrong_with_what(breakable: tuple[LibpqSession, CatalogOracle]) -> None:
    session, oracle = breakable
    function, schema = value(session, "SELECT 's.f'::regproc::oid"), value(session, "SELECT 's'::regnamespace::oid")
    run(session, "BEGIN", "DELETE FROM pg_namespace WHERE nspname = 's'")
    found = oracle.check()
    run(session, "ROLLBACK")
    expected = Violation("row missing", "pg_proc", "pronamespace", f"pg_proc {function}", f"pg_namespace {schema}",
                         "pg_namespace.oid", "function f()")  # fmt: skip
    assert expected in found


def test_rows_of_before_the_first_oid_are_left_to_the_full_check(
    breakable: tuple[LibpqSession, CatalogOracle], connect: Connect
) -> None:
    session = connect("breakable")
    late = CatalogOracle(session, first_oid=int(value(session, "SELECT max(oid)::int8 + 1 FROM pg_class")))
    run(session, "BEGIN", "DELETE FROM pg_index WHERE indexrelid = 's.t_d'::regclass")
    quick, full = late.check(), late.check_everything()
    run(session, "ROLLBACK")
    assert quick == []
    assert "pg_class.relkind: 'i' without its row in pg_index" in normalised(full)


NAMED = (
    ("CREATE SEQUENCE named.q", "regclass", "named.q", "pg_class"),
    ("CREATE FUNCTION named.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "regprocedure", "named.f(int)", "pg_proc"),
    ("CREATE FUNCTION named.g() RETURNS int LANGUAGE sql AS 'SELECT 1'", "regproc", "named.g", "pg_proc"),
    ("CREATE OPERATOR named.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)", "regoper", "named.===", "pg_operator"),
    (
        "CREATE OPERATOR named.==== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
        "regoperator",
        "named.====(int,int)",
        "pg_operator",
    ),
    ("CREATE TYPE named.e AS ENUM ('a')", "regtype", "named.e", "pg_type"),
    ("CREATE COLLATION named.c (LOCALE = 'C')", "regcollation", "named.c", "pg_collation"),
    ("CREATE TEXT SEARCH CONFIGURATION named.t (COPY = simple)", "regconfig", "named.t", "pg_ts_config"),
    ("CREATE TEXT SEARCH DICTIONARY named.d (TEMPLATE = simple)", "regdictionary", "named.d", "pg_ts_dict"),
    ("CREATE SCHEMA named_by_a_constant", "regnamespace", "named_by_a_constant", "pg_namespace"),
)
"""An object, and a constant that names it: the type, the text, and the catalog of the object."""


@pytest.mark.parametrize(("create", "sort", "text", "catalog"), NAMED, ids=[each[1] for each in NAMED])
def test_a_constant_whose_object_is_gone_is_found(
    connect: Connect, database: str, create: str, sort: str, text: str, catalog: str
) -> None:
    session, oracle = connect(database), CatalogOracle(connect(database))
    run(session, "CREATE SCHEMA named", create, f"CREATE TABLE t (a oid DEFAULT '{text}'::{sort})")
    oid = value(session, f"SELECT '{text}'::{sort}::oid")
    assert oracle.check() == []
    # As a race does it: the object is gone, and so is what pg_depend would have said of it.
    run(session, f"DELETE FROM pg_depend WHERE {oid} IN (objid, refobjid)", f"DELETE FROM {catalog} WHERE oid = {oid}")
    assert [v.normalised for v in oracle.check() if v.catalog == "pg_attrdef"] == [
        f"pg_attrdef.adbin -> {catalog}.oid: a constant names an object that does not exist"
    ]


EXPRESSIONS = {
    "pg_attrdef.adbin": "CREATE TABLE t (a int DEFAULT nextval('q'))",
    "pg_constraint.conbin": "CREATE TABLE t (a oid CHECK (a <> 'q'::regclass::oid))",
    "pg_index.indexprs": "CREATE INDEX ON base ((a + 'q'::regclass::oid::int))",
    "pg_index.indpred": "CREATE INDEX ON base (a) WHERE a <> 'q'::regclass::oid::int",
    "pg_rewrite.ev_action": "CREATE VIEW v AS SELECT 'q'::regclass AS a, a AS b FROM base",
    "pg_rewrite.ev_qual": "CREATE RULE r AS ON UPDATE TO base WHERE NEW.a = 'q'::regclass::oid::int DO INSTEAD NOTHING",
    "pg_policy.polqual": "CREATE POLICY p ON base USING (a <> 'q'::regclass::oid::int)",
    "pg_policy.polwithcheck": "CREATE POLICY p ON base FOR INSERT WITH CHECK (a <> 'q'::regclass::oid::int)",
    "pg_trigger.tgqual": "CREATE TRIGGER t BEFORE INSERT ON base FOR EACH ROW WHEN (NEW.a <> 'q'::regclass::oid::int) "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "pg_proc.proargdefaults": "CREATE FUNCTION f(a oid DEFAULT 'q'::regclass) RETURNS oid LANGUAGE sql AS 'SELECT $1'",
    "pg_proc.prosqlbody": "CREATE FUNCTION f() RETURNS oid LANGUAGE sql BEGIN ATOMIC SELECT 'q'::regclass::oid; END",
    "pg_type.typdefaultbin": "CREATE DOMAIN d AS int DEFAULT nextval('q')",
    "pg_statistic_ext.stxexprs": "CREATE STATISTICS s ON (a + 'q'::regclass::oid::int), a FROM base",
    "pg_partitioned_table.partexprs": "CREATE TABLE p (a int) PARTITION BY RANGE ((a + 'q'::regclass::oid::int))",
    "pg_publication_rel.prqual": "CREATE PUBLICATION p FOR TABLE base WHERE (a <> 'q'::regclass::oid::int)",
}


@pytest.mark.parametrize(("column", "create"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_constants_are_looked_at_in_every_stored_expression(connect: Connect, database: str, column: str, create: str) -> None:
    session, oracle = connect(database), CatalogOracle(connect(database))
    run(session, "CREATE SEQUENCE q", "CREATE TABLE base (a int)")
    oid = value(session, "SELECT 'q'::regclass::oid")
    if "PUBLICATION" in create:
        # A filter takes only immutable functions, also for what makes a number of the constant.
        create = "CREATE PUBLICATION p FOR TABLE named WHERE (a <> 'q'::regclass)"
        run(session, "CREATE TABLE named (a regclass)")
    run(session, create)
    assert oracle.check() == []
    run(session, f"DELETE FROM pg_depend WHERE {oid} IN (objid, refobjid)", f"DELETE FROM pg_class WHERE oid = {oid}")
    expected = f"{column} -> pg_class.oid: a constant names an object that does not exist"
    assert expected in normalised(oracle.check())
    assert expected in normalised(oracle.check_everything())


def test_constants_that_statements_in_a_row_may_leave_are_not_reported(connect: Connect, database: str) -> None:
    session, oracle = connect(database), CatalogOracle(connect(database))
    run(
        session,
        "CREATE SEQUENCE q",
        "CREATE TABLE several (a regclass[] DEFAULT '{q}'::regclass[])",
        "CREATE TABLE parted (a regclass) PARTITION BY LIST (a)",
        "CREATE TABLE part PARTITION OF parted FOR VALUES IN ('q')",
        "CREATE TABLE fixed (a regclass DEFAULT 'pg_class', b regclass DEFAULT '-', c regclass DEFAULT NULL)",
        "DROP SEQUENCE q",
    )
    assert oracle.check() == []
    assert oracle.check_everything() == []


def test_large_objects_with_numbers_below_all_others_are_looked_at(connect: Connect, database: str) -> None:
    session, oracle = connect(database), CatalogOracle(connect(database), helper=connect(database))
    owner = "CREATE ROLE owner_of_large_objects"
    run(
        session,
        owner,
        "SELECT lo_from_bytea(1234, 'x')",
        "COMMENT ON LARGE OBJECT 1234 IS 'low'",
        "ALTER LARGE OBJECT 1234 OWNER TO owner_of_large_objects",
    )
    assert oracle.check() == []
    run(session, "DELETE FROM pg_shdepend WHERE objid = 1234")
    assert normalised(oracle.check()) == {"pg_largeobject_metadata.lomowner -> pg_authid.oid: no owner row in pg_shdepend"}
    run(session, "DELETE FROM pg_largeobject_metadata WHERE oid = 1234")
    assert normalised(oracle.check()) == {
        "pg_largeobject.loid -> pg_largeobject_metadata.oid: row missing",
        "pg_description.objoid -> pg_largeobject.oid: row missing",
    }
    run(
        session,
        "DELETE FROM pg_largeobject",
        "DELETE FROM pg_description WHERE objoid = 1234",
        "DROP ROLE owner_of_large_objects",
    )
    assert oracle.check() == []


def test_an_empty_large_object_of_another_owner_is_in_order(connect: Connect, database: str) -> None:
    session, oracle = connect(database), CatalogOracle(connect(database))
    run(session, "CREATE ROLE owner_of_an_empty_one", "SELECT lo_create(70000)")
    run(session, "ALTER LARGE OBJECT 70000 OWNER TO owner_of_an_empty_one")
    assert oracle.check() == []
    run(session, "SELECT lo_unlink(70000)", "DROP ROLE owner_of_an_empty_one")


def test_an_object_that_other_sessions_orphan_is_found(server: EmbeddedServer, connect: Connect, database: str) -> None:
    oracle, session = CatalogOracle(connect(database)), connect(database)
    run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (a int)", "DELETE FROM pg_namespace WHERE nspname = 's'")
    assert {"pg_class.relnamespace -> pg_namespace.oid: row missing"} <= normalised(oracle.check())


def test_what_heals_before_the_second_look_is_not_reported(
    breakable: tuple[LibpqSession, CatalogOracle], connect: Connect
) -> None:
    class Healed(LibpqSession):
        """Rolls the breakage back as soon as it has been seen once."""

        def execute(self, sql: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            outcome = super().execute(sql)
            if sql.startswith("EXECUTE") and outcome.rows and outcome.rows.cells:
                super().execute("ROLLBACK")
                self.seen = len(outcome.rows.cells)
            return outcome

    session = Healed(connect("breakable")._connection)
    oracle = CatalogOracle(session)
    run(session, "BEGIN", "DELETE FROM pg_index WHERE indexrelid = 's.t_d'::regclass")
    assert oracle.check() == []
    assert session.seen > 0


def test_invalid_indexes_are_reported_only_when_asked_for(connect: Connect, database: str) -> None:
    session = connect(database)
    run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)")
    assert not session.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)").ok
    assert CatalogOracle(connect(database)).check() == []
    found = CatalogOracle(connect(database), legal_leftovers=True).check()
    assert [(violation.normalised, violation.describe) for violation in found] == [
        ("pg_index.indisvalid: false: an index left invalid", "index public.i")
    ]


def test_a_session_that_is_lost_is_an_error_of_the_target(connect: Connect, database: str) -> None:
    session = connect(database)
    oracle = CatalogOracle(session)
    run(connect(database), f"SELECT pg_terminate_backend({session.pid}, 5000)")
    with pytest.raises(TargetError, match="the catalog check could not run"):
        oracle.check()


def test_nothing_is_left_at_rest(connect: Connect, database: str) -> None:
    looker, own = connect(database), connect(database)
    run(own, "CREATE TEMP TABLE t (a int)", "SELECT pg_advisory_lock(1)", "DISCARD ALL")
    assert find_leaks(looker, [own.pid]) == []


@pytest.mark.parametrize(
    ("leaving", "sort"),
    [
        (("SELECT pg_advisory_lock(1)",), "lock"),
        (("BEGIN",), "open transaction"),
        (("CREATE TEMP TABLE t (a int)",), "temporary object"),
        (("CREATE TYPE pg_temp.e AS ENUM ('a')",), "temporary object"),
    ],
)
def test_what_an_own_session_leaves_is_found(connect: Connect, database: str, leaving: tuple[str, ...], sort: str) -> None:
    looker, own = connect(database), connect(database)
    run(own, *leaving)
    assert {leak.sort for leak in find_leaks(looker, [own.pid])} == {sort}


def test_foreign_backends_prepared_transactions_and_slots_are_found(connect: Connect, database: str) -> None:
    looker, foreign = connect(database), connect(database)
    run(foreign, "SELECT pg_create_logical_replication_slot('left_over', 'pgoutput')")
    run(foreign, "BEGIN", "CREATE TABLE t (a int)", "PREPARE TRANSACTION 'in doubt'")
    found = [(leak.sort, leak.name) for leak in find_leaks(looker, [])]
    allowed = [leak.sort for leak in find_leaks(looker, [foreign.pid], ["left_over"])]
    run(foreign, "ROLLBACK PREPARED 'in doubt'", "SELECT pg_drop_replication_slot('left_over')")
    assert found == [("backend", str(foreign.pid)), ("prepared transaction", "in doubt"), ("replication slot", "left_over")]
    assert allowed == ["prepared transaction"]


def test_files_of_a_rich_database_are_in_order(rich: LibpqSession, server: EmbeddedServer) -> None:
    run(rich, "CREATE TABLE filled AS SELECT n, repeat('x', 3000) FROM generate_series(1, 100) n", "VACUUM filled")
    run(rich, "CREATE TABLE dropped AS SELECT 1", "DROP TABLE dropped", "CREATE UNLOGGED TABLE unlogged AS SELECT 1")
    run(rich, "CREATE TEMP TABLE temporary_file AS SELECT 1")
    assert check_relation_files(rich, server.data_dir) == []


def test_missing_and_orphaned_files_are_found(connect: Connect, database: str, server: EmbeddedServer) -> None:
    session = connect(database)
    run(session, "CREATE TABLE t AS SELECT 1", "CHECKPOINT")
    path = value(session, "SELECT pg_relation_filepath('t')")
    orphan = re.sub(r"\d+$", "4100000000", path)
    shutil.copy(server.data_dir / path, server.data_dir / orphan)
    (server.data_dir / path).rename(server.data_dir / f"{path}.hidden")
    found = check_relation_files(session, server.data_dir)
    (server.data_dir / f"{path}.hidden").rename(server.data_dir / path)
    (server.data_dir / orphan).unlink()
    assert [(violation.problem, violation.path) for violation in found] == [("file missing", path), ("file orphaned", orphan)]
    assert check_relation_files(session, server.data_dir) == []


def test_a_dump_succeeds_or_says_why_not(connect: Connect, database: str, server: EmbeddedServer) -> None:
    session, pg_dump = connect(database), server.installation.clients / "pg_dump"
    run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (a int)")
    assert dump_error(pg_dump, server.address.conninfo(database)) is None
    run(session, "DELETE FROM pg_namespace WHERE nspname = 's'")
    assert "schema with OID" in (dump_error(pg_dump, server.address.conninfo(database)) or "")


def test_a_dump_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="could not be started"):
        dump_error(tmp_path / "pg_dump", "dbname=x")
