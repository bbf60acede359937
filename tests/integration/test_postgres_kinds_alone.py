"""Every PostgreSQL kind alone on a real server: each fragment does what it says when nobody races it, nothing is left behind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from racehound.databases.postgres.kinds import KINDS, PostgresKind
from racehound.databases.postgres.server_location import RemoteServerLocation
from racehound.databases.postgres.target import PostgresTarget
from racehound.services.embedded.server import EmbeddedServer
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

RUN = "rh00a10e00"
_COMBINATIONS_MAX = 24
_REFERABLE = [kind for kind in KINDS if kind.can_be_referenced]

# What an object named o_0 has in the working database and, under the run's id, in the cluster.
_TRACES = f"""
SELECT 'relation ' || relname FROM pg_class WHERE relname ~ '^o_0'
UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname FROM pg_attribute WHERE attname ~ '^o_0' AND NOT attisdropped
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE conname ~ '^o_0'
UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname ~ '^o_0'
UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE rulename ~ '^o_0'
UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polname ~ '^o_0'
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typname ~ '^_?o_0'
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname ~ '^o_0'
UNION ALL SELECT 'operator ' || oprname FROM pg_operator WHERE oid >= 16384 AND oprcode::text ~ 'o_0'
UNION ALL SELECT 'family ' || opfname FROM pg_opfamily WHERE opfname ~ '^o_0'
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ '^o_0'
UNION ALL SELECT 'collation ' || collname FROM pg_collation WHERE collname ~ '^o_0'
UNION ALL SELECT 'conversion ' || conname FROM pg_conversion WHERE conname ~ '^o_0'
UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxname ~ '^o_0'
UNION ALL SELECT 'configuration ' || cfgname FROM pg_ts_config WHERE cfgname ~ '^o_0'
UNION ALL SELECT 'dictionary ' || dictname FROM pg_ts_dict WHERE dictname ~ '^o_0'
UNION ALL SELECT 'access method ' || amname FROM pg_am WHERE amname ~ '^o_0'
UNION ALL SELECT 'language ' || lanname FROM pg_language WHERE lanname ~ '^o_0'
UNION ALL SELECT 'extension ' || extname FROM pg_extension WHERE extname IN ('citext', 'cube', 'hstore', 'seg')
UNION ALL SELECT 'server ' || srvname FROM pg_foreign_server WHERE srvname ~ '^o_0'
UNION ALL SELECT 'user mapping ' || usename FROM pg_user_mappings WHERE srvname ~ '^o_0' OR usename ~ 'o_0'
UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname ~ '^o_0'
UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger WHERE evtname ~ '^o_0'
UNION ALL SELECT 'not null ' || attrelid::regclass || '.' || attname FROM pg_attribute
  WHERE attnotnull AND attname IN ('a', 'b') AND attrelid >= 16384
UNION ALL SELECT 'comment ' || description FROM pg_description WHERE description = 'o_0'
UNION ALL SELECT 'comment ' || description FROM pg_shdescription WHERE description = 'o_0'
UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata
UNION ALL SELECT 'default privileges of ' || defaclrole::regrole FROM pg_default_acl
UNION ALL SELECT 'membership in ' || roleid::regrole FROM pg_auth_members
  WHERE roleid::regrole::text ~ '{RUN}_o_base' AND member::regrole::text ~ '{RUN}_o_0'
UNION ALL SELECT 'privilege on ' || relname FROM pg_class WHERE relacl::text ~ '{RUN}_o_0'
UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname ~ '^{RUN}_o_0'
UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname ~ '^{RUN}_o_0'
UNION ALL SELECT 'tablespace ' || spcname FROM pg_tablespace WHERE spcname ~ '^{RUN}_o_0'
UNION ALL SELECT 'subscription ' || subname FROM pg_subscription WHERE subname ~ '^{RUN}_o_0'
UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^{RUN}_o_0'
ORDER BY 1
"""


class Stage:
    """A working database of the target, on which lives are led one after the other."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target
        self.session = target.open("stage")
        self._interpreter = Interpreter(Context(session=self.session, variables=target.variables(), max_tries=1))

    def run(self, what: str, fragment: str) -> None:
        try:
            self._interpreter.run(parse(fragment, what))
        except CommandFailed as failure:
            pytest.fail(f"{what}\n{failure}", pytrace=False)

    def traces(self) -> list[tuple[str | None, ...]]:
        """What objects named o_0 have left."""
        outcome = self.session.execute(_TRACES)
        assert outcome.rows is not None, outcome.error
        return outcome.rows.cells

    def clear(self) -> None:
        self.session.reset()
        assert self._target.reset()


@pytest.fixture(scope="module")
def stage(embedded_server: EmbeddedServer) -> Iterator[Stage]:
    target = PostgresTarget(RemoteServerLocation(embedded_server.address.conninfo()), RUN)
    target.start()
    target.rebuild()
    stage = Stage(target)
    yield stage
    stage.session.close()
    target.stop()


def _must(session: LibpqSession, sql: str) -> None:
    outcome = session.execute(sql)
    assert outcome.ok, outcome.error


def _combinations(kind: type[PostgresKind]) -> list[dict[str, Any]]:
    """All of them, or as many spread over all."""
    attributes = kind.attributes()
    every = [dict(zip(attributes, values, strict=True)) for values in itertools.product(*attributes.values())]
    step = max(1, -(-len(every) // _COMBINATIONS_MAX))
    return every[::step]


def _live(stage: Stage, made: PostgresKind, base: PostgresKind | None) -> None:
    """The whole life of an object, each manipulation followed by verify; then nothing of it is left but what prepare made."""
    title = f"{made} over {type(base).__name__ if base else 'nothing'}"
    if base:
        stage.run(f"{title}: prepare the base", base.prepare())
    stage.run(f"{title}: prepare", made.prepare())
    if base:
        stage.run(f"{title}: create the base", base.create())
    before = stage.traces()
    stage.run(f"{title}: create", made.create())
    assert stage.traces() != before, title
    stage.run(f"{title}: verify", made.verify())
    for manipulation in made.all_manipulations():
        stage.run(f"{title}: {manipulation}", made.manipulate(manipulation))
        stage.run(f"{title}: verify after {manipulation}", made.verify())
    if base:
        stage.run(f"{title}: verify the base", base.verify())
    stage.run(f"{title}: destroy", made.destroy())
    assert stage.traces() == before, title
    if base:
        stage.run(f"{title}: destroy the base", base.destroy())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_life_over_nothing(stage: Stage, kind: type[PostgresKind]) -> None:
    for attributes in _combinations(kind):
        stage.clear()
        _live(stage, kind("o_0", **attributes), None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_life_over_every_referable_kind(stage: Stage, kind: type[PostgresKind]) -> None:
    """The attributes take turns: all combinations over all kinds would be ten times as many lives."""
    combinations = itertools.cycle(_combinations(kind))
    for other in _REFERABLE:
        stage.clear()
        base = other("o_base")
        _live(stage, kind("o_0", base, **next(combinations)), base)


@pytest.mark.parametrize("storage", ["unlogged", "partitioned", "inherits"])
def test_lives_over_every_storage_of_a_table(stage: Stage, storage: str) -> None:
    for kind in KINDS:
        stage.clear()
        base = KINDS[0]("o_base", None, storage=storage)  # type: ignore[call-arg]
        _live(stage, kind("o_0", base), base)


_CHAINS = (
    "Schema Role Function",
    "Schema EnumType Table",
    "Role Table ForeignTable",
    "Tablespace Table Index",
    "Language Function CheckConstraint",
    "Schema UniqueConstraint ForeignKey",
    "AccessMethod Table MaterializedView",
    "Schema ForeignServer ForeignTable",
    "Collation Domain Aggregate",
)


def test_chains_of_three(stage: Stage) -> None:
    """Facets reach through what has none of its own."""
    kinds = {kind.__name__: kind for kind in KINDS}
    for names in _CHAINS:
        stage.clear()
        *lower, top = names.split()
        base: PostgresKind | None = None
        made = []
        for number, name in enumerate(lower):
            base = kinds[name](f"o_{number + 1}", base)
            made.append(base)
            stage.run(f"{names}: prepare {name}", base.prepare())
            stage.run(f"{names}: create {name}", base.create())
        _lead(stage, kinds[top]("o_0", base), names)
        for below in reversed(made):
            stage.run(f"{names}: destroy {type(below).__name__}", below.destroy())


def _lead(stage: Stage, made: PostgresKind, title: str) -> None:
    stage.run(f"{title}: prepare", made.prepare())
    before = stage.traces()
    stage.run(f"{title}: create", made.create())
    for manipulation in made.all_manipulations():
        stage.run(f"{title}: {manipulation}", made.manipulate(manipulation))
        stage.run(f"{title}: verify after {manipulation}", made.verify())
    stage.run(f"{title}: destroy", made.destroy())
    assert stage.traces() == before, title


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_create_that_stopped_halfway_can_be_tried_again(stage: Stage, kind: type[PostgresKind]) -> None:
    """Each prefix of its commands stands for a try that an ordinary error ended."""
    for base in (None, KINDS[0]("o_base")):
        stage.clear()
        made = kind("o_0", base)
        stage.run(f"{made}: prepare", (base.prepare() + base.create() if base else "") + made.prepare())
        commands = ["> " + command for command in ("\n" + made.create()).split("\n> ")[1:]]
        for done in range(1, len(commands)):
            stage.run(f"{made}: {done} commands of create", "\n".join(commands[:done]))
            stage.run(f"{made}: clear after them", made.clear())
        stage.run(f"{made}: create", made.create())
        stage.run(f"{made}: verify", made.verify())
        stage.run(f"{made}: destroy", made.destroy())


_TEN = "FROM generate_series(1, 10)"
_DAMAGE: dict[str, tuple[str, ...]] = {
    "Table": ("DELETE FROM o_0 WHERE ctid = '(0,1)'",),
    "Partition": ("DELETE FROM o_0 WHERE ctid = '(0,1)'",),
    "View": ("CREATE OR REPLACE VIEW o_0 AS SELECT 'x'::text AS a, 'y'::text AS b",),
    "MaterializedView": (
        "DROP MATERIALIZED VIEW o_0",
        f"CREATE MATERIALIZED VIEW o_0 AS SELECT i + 1 AS n, 'x'::text AS a, 'y'::text AS b {_TEN} AS i",
        "CREATE UNIQUE INDEX o_0_key ON o_0 (n)",
    ),
    "Index": ("UPDATE pg_class SET relhasindex = false WHERE relname = 'o_0_table'",),
    "CheckConstraint": (
        "ALTER TABLE o_0_table DROP CONSTRAINT o_0",
        f"INSERT INTO o_0_table SELECT '-', 'x' {_TEN}",
        "ALTER TABLE o_0_table ADD CONSTRAINT o_0 CHECK (a <> '-') NOT VALID",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'o_0'",
    ),
    "UniqueConstraint": (
        "UPDATE pg_index SET indisunique = false WHERE indexrelid = 'o_0'::regclass",
        "INSERT INTO o_0_table SELECT a, b FROM o_0_table",
    ),
    "ForeignKey": ("ALTER TABLE o_0_child DISABLE TRIGGER ALL", f"INSERT INTO o_0_child SELECT 'nobody', 'b' {_TEN}"),
    "NotNull": (
        "ALTER TABLE o_0_table ALTER b DROP NOT NULL",
        f"INSERT INTO o_0_table SELECT 'x' {_TEN}",
        "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'o_0_table'::regclass AND attname = 'b'",
    ),
    "IdentityColumn": ("ALTER TABLE o_0_table ALTER o_0 RESTART", "INSERT INTO o_0_table SELECT a, b FROM o_0_table"),
    "CompositeType": ("UPDATE pg_class SET relnatts = 7 WHERE relname = 'o_0'",),
    "RangeType": ("DELETE FROM pg_range WHERE rngtypid = 'o_0'::regtype",),
    "Function": ("CREATE OR REPLACE FUNCTION o_0(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x'",),
    "Aggregate": ("CREATE OR REPLACE FUNCTION o_0_step(s text, x text) RETURNS text LANGUAGE sql RETURN s || '..'",),
    "Cast": ("CREATE OR REPLACE FUNCTION o_0_cast(o_0) RETURNS integer LANGUAGE sql RETURN 43",),
    "Trigger": (
        "CREATE TRIGGER o_0_again AFTER INSERT ON o_0_table FOR EACH ROW EXECUTE FUNCTION o_0_fn()",
        f"INSERT INTO o_0_table SELECT '1.2.3', 'b' {_TEN}",
    ),
    "Rule": ("INSERT INTO o_0_log VALUES ('x', 'b')",),
    "EventTrigger": ("DELETE FROM o_0_table WHERE b = 'b3'",),
    "Policy": ("DELETE FROM o_0_table WHERE b = 'b3'",),
    "Schema": ("INSERT INTO o_0.o_0_table VALUES ('x')",),
    "Subscription": ("DELETE FROM o_0_table WHERE b = 'b3'",),
    "TextSearchConfig": ("ALTER TEXT SEARCH CONFIGURATION o_0 DROP MAPPING FOR asciiword",),
    "LargeObject": ("DELETE FROM pg_largeobject_metadata",),
}
"""What no statement of any kind may bring about: statements that do it by hand, in objects over nothing."""


@pytest.mark.parametrize("kind", _DAMAGE)
def test_verify_sees_damage(stage: Stage, kind: str) -> None:
    stage.clear()
    made = {each.__name__: each for each in KINDS}[kind]("o_0")
    stage.run(f"{kind}: create", made.prepare() + made.create() + made.verify())
    for statement in ("BEGIN", "SET allow_system_table_mods = on", *_DAMAGE[kind]):
        _must(stage.session, statement)
    with pytest.raises(CommandFailed):
        Interpreter(Context(session=stage.session, max_tries=1)).run(parse(made.verify()))
    _must(stage.session, "ROLLBACK")
