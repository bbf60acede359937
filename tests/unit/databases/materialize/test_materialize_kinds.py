"""The catalogue of Materialize kinds as text: complete, as the specification words it, named so that it can be recognised."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from racehound.data.program import print_program
from racehound.databases.materialize.dialect import MATERIALIZE, allows_transaction
from racehound.databases.materialize.kinds import KINDS, MaterializeKind
from racehound.loops.hunt import choose_kinds, plan_and_program
from racehound.testdrive.check import check
from racehound.testdrive.parser import parse
from racehound.testdrive.script import Sql
from racehound.testdrive.statements import count_statements

_NAMES = {kind.__name__: kind for kind in KINDS}
_STEPS = ("prepare", "create", "clear", "verify", "destroy")
_REFERABLE = [kind for kind in KINDS if kind.can_be_referenced]
_SCENARIOS = ("subsequent", "subsequent-chain", "concurrent")


def _made(kind: type[MaterializeKind], over: MaterializeKind | None = None, name: str = "o_0") -> Iterator[MaterializeKind]:
    """An object of the kind for every combination of its attributes."""
    attributes = kind.attributes()
    for values in itertools.product(*attributes.values()):
        yield kind(name, over, **dict(zip(attributes, values, strict=True)))


def _fragments(made: MaterializeKind) -> Iterator[tuple[str, str]]:
    for step in _STEPS:
        yield step, getattr(made, step)()
    for manipulation in made.all_manipulations():
        yield manipulation, made.manipulate(manipulation)


@functools.cache
def _everything() -> dict[str, str]:
    """Every fragment of every kind, over nothing and over every referable kind, and where it is from."""
    found: dict[str, str] = {}
    for kind in KINDS:
        for base in (None, *(other("o_base") for other in _REFERABLE)):
            for made in _made(kind, base):
                over = type(base).__name__ if base else "nothing"
                for step, fragment in _fragments(made):
                    found.setdefault(fragment, f"{kind.__name__} over {over}, {step}")
    return found


def _sql(fragment: str) -> list[str]:
    return [command.text for command in parse(fragment).commands if isinstance(command, Sql)]


_TEN: dict[str, tuple[bool, dict[str, tuple[Any, ...]], tuple[str, ...]]] = {
    "UpsertSource": (True, {}, ()),
    "Table": (True, {}, ()),
    "PostgresSource": (True, {}, ("insert", "update", "delete", "rename")),
    "MySqlSource": (True, {}, ("insert", "update", "delete", "rename")),
    "LoadGeneratorSource": (True, {"tick": ("1ms", "10ms", "100ms", "1s", "10s")}, ("rename",)),
    "WebhookSource": (True, {"body": ("TEXT", "JSON", "JSON ARRAY", "BYTES")}, ("rename",)),
    "KafkaSink": (False, {"encoding": ("JSON", "AVRO")}, ("set_from", "rename")),
    "View": (True, {}, ("rename",)),
    "MaterializedView": (True, {}, ("rename",)),
    "DefaultIndex": (False, {}, ()),
}


@pytest.mark.parametrize("name", _TEN)
def test_the_ten_kinds_are_drawn_as_specified(name: str) -> None:
    can_be_referenced, attributes, manipulations = _TEN[name]
    kind = _NAMES[name]
    assert kind.can_be_referenced is can_be_referenced
    assert kind.attributes() == attributes
    assert tuple(kind.all_manipulations()) == ("nothing", *manipulations)
    assert kind.enabled


def test_the_ten_kinds_come_first_in_the_order_of_the_specification() -> None:
    assert [kind.__name__ for kind in KINDS[:10]] == list(_TEN)


_KAFKA = [
    "CREATE CONNECTION IF NOT EXISTS csr_conn TO CONFLUENT SCHEMA REGISTRY (URL '${testdrive.schema-registry-url}')",
    "CREATE CONNECTION IF NOT EXISTS kafka_conn TO KAFKA (BROKER '${testdrive.kafka-addr}', SECURITY PROTOCOL PLAINTEXT)",
]
_AVRO = "FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr_conn ENVELOPE DEBEZIUM"
_TOPIC = "testdrive-o_0-${testdrive.seed}"
_INTO = "KAFKA CONNECTION kafka_conn (TOPIC '${racehound.database}-o_0-${arg.o_0-topics}')"
_OVER_NOTHING = {
    "UpsertSource": ([f'CREATE TABLE o_0 FROM SOURCE o_0_source (REFERENCE "{_TOPIC}") {_AVRO}'], "DROP TABLE o_0 CASCADE"),
    "Table": (["CREATE TABLE o_0 (a TEXT, b TEXT)"], "DROP TABLE o_0 CASCADE"),
    "PostgresSource": (["CREATE TABLE o_0 FROM SOURCE o_0_source (REFERENCE o_0_table)"], "DROP TABLE o_0 CASCADE"),
    "MySqlSource": (
        ["CREATE TABLE o_0 FROM SOURCE o_0_source (REFERENCE ${racehound.mysql-database}.o_0_table)"],
        "DROP TABLE o_0 CASCADE",
    ),
    "LoadGeneratorSource": (
        ["CREATE SOURCE o_0 IN CLUSTER quickstart FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1s')"],
        "DROP SOURCE o_0 CASCADE",
    ),
    "WebhookSource": (
        [
            "DROP CLUSTER IF EXISTS ${racehound.run}_o_0_cluster CASCADE",
            "CREATE CLUSTER ${racehound.run}_o_0_cluster (SIZE '${racehound.cluster-size}', REPLICATION FACTOR 1)",
            "CREATE SOURCE o_0 IN CLUSTER ${racehound.run}_o_0_cluster FROM WEBHOOK BODY FORMAT TEXT",
        ],
        "DROP CLUSTER ${racehound.run}_o_0_cluster CASCADE",
    ),
    "KafkaSink": (
        [
            "CREATE MATERIALIZED VIEW IF NOT EXISTS o_0_view AS SELECT 'foo' AS a, 'bar' AS b",
            *_KAFKA,
            f"CREATE SINK o_0 IN CLUSTER quickstart FROM o_0_view INTO {_INTO} FORMAT JSON ENVELOPE DEBEZIUM",
        ],
        "DROP SINK o_0 CASCADE",
    ),
    "View": (["CREATE VIEW o_0 AS SELECT 'foo' AS a, 'bar' AS b"], "DROP VIEW o_0 CASCADE"),
    "MaterializedView": (
        ["CREATE MATERIALIZED VIEW o_0 AS SELECT 'foo' AS a, 'bar' AS b"],
        "DROP MATERIALIZED VIEW o_0 CASCADE",
    ),
}


@pytest.mark.parametrize("name", _OVER_NOTHING)
def test_the_ten_kinds_are_made_and_dropped_in_the_words_of_the_specification(name: str) -> None:
    created, destroyed = _OVER_NOTHING[name]
    made = _NAMES[name]("o_0")
    assert _sql(made.create()) == created
    assert _sql(made.destroy()) == [destroyed]


def test_a_default_index_is_on_the_base_and_over_nothing_there_is_none() -> None:
    assert _NAMES["DefaultIndex"]("o_0").create() == ""
    index = _NAMES["DefaultIndex"]("o_0", _NAMES["Table"]("o_base"))
    assert _sql(index.create()) == ["CREATE DEFAULT INDEX ON o_base"]
    assert _sql(index.destroy()) == ["DROP INDEX o_base_primary_idx"]


def test_a_sink_over_a_view_writes_a_materialized_view_of_it() -> None:
    sink = _NAMES["KafkaSink"]("o_0", _NAMES["View"]("o_base"))
    assert "CREATE MATERIALIZED VIEW IF NOT EXISTS o_0_mv AS SELECT * FROM o_base" in _sql(sink.create())
    assert "ALTER SINK o_0 SET FROM o_0_mv" in _sql(sink.manipulate("set_from"))
    over_table = _NAMES["KafkaSink"]("o_0", _NAMES["Table"]("o_base"))
    assert " FROM o_base INTO KAFKA " in over_table.create()


def test_every_creation_of_a_sink_has_a_topic_of_its_own() -> None:
    """The count is kept by the language, in the session that creates."""
    head = _NAMES["KafkaSink"]("o_0").create().splitlines()[:3]
    assert head == [
        "$ set-arg-default o_0-topics=0",
        "$ set-from-sql var=arg.o_0-topics",
        "SELECT ${arg.o_0-topics} + 1",
    ]


@pytest.mark.parametrize(
    ("name", "noun", "temporary"),
    [
        ("PostgresSource", "TABLE", "o_0_tmp_table"),
        ("LoadGeneratorSource", "SOURCE", "o_0_tmp_source"),
        ("WebhookSource", "SOURCE", "o_0_tmp_source"),
        ("KafkaSink", "SINK", "o_0_tmp_sink"),
        ("View", "VIEW", "o_0_tmp_view"),
        ("MaterializedView", "MATERIALIZED VIEW", "o_0_tmp_mv"),
    ],
)
def test_renaming_removes_a_leftover_and_goes_there_and_back(name: str, noun: str, temporary: str) -> None:
    assert _sql(_NAMES[name]("o_0").manipulate("rename")) == [
        f"DROP {noun} IF EXISTS {temporary}",
        f"ALTER {noun} o_0 RENAME TO {temporary}",
        f"ALTER {noun} {temporary} RENAME TO o_0",
    ]


def test_every_kind_of_the_second_list_is_there_and_those_without_a_service_are_only_drawn_when_asked_for() -> None:
    specified = """
        Secret Connection Schema Database Role Cluster ClusterReplica Index Type RefreshedView ReplacedView ReplicaView
        AuctionSource TpchSource KeyValueSource MarketingSource WrittenTable Subscription Comment TransactionalSource
        SqlServerSource IcebergSink CopyToS3
            RestartedPostgresSource RestartedMySqlSource RestartedUpsertSource
    """
    assert {*_TEN, *specified.split()} == set(_NAMES)
    assert len(_NAMES) == len(KINDS)
    assert {kind.__name__ for kind in KINDS if not kind.enabled} == {"SqlServerSource", "IcebergSink"}


def test_every_fragment_is_a_script_that_can_run() -> None:
    for fragment, what in _everything().items():
        script = parse(fragment, what)
        check(script)
        for command in script.commands:
            if isinstance(command, Sql):
                assert command.sigil == ">", what
                assert count_statements(command.text) == 1, f"{what}: {command.text}"


def test_every_kind_creates_verifies_and_destroys() -> None:
    for kind in KINDS:
        for base in (_NAMES["Table"]("o_base"), _NAMES["Cluster"]("o_base")):
            for made in _made(kind, base):
                complete = bool(made.create() and made.verify() and made.destroy())
                assert complete or (kind.__name__ == "DefaultIndex" and base.relation is None), made


def test_what_is_made_bears_the_name_of_its_object() -> None:
    """Environment-wide names begin with the run's id, all others with the object's own; but the connections, which all share."""
    creating = re.compile(
        r"CREATE (?:OR REPLACE |DEFAULT |REPLACEMENT )?"
        r"(?P<noun>TABLE|VIEW|MATERIALIZED VIEW|SOURCE|SINK|SECRET|CONNECTION|SCHEMA|DATABASE|ROLE|CLUSTER REPLICA|CLUSTER|TYPE) "
        r"(?:IF NOT EXISTS )?(?P<name>[^\s(]+)"
    )
    shared = {"DATABASE", "ROLE", "CLUSTER", "CLUSTER REPLICA"}
    for kind in KINDS:
        for made in _made(kind):
            for step, fragment in _fragments(made):
                for noun, name in creating.findall("\n".join(_sql(fragment))):
                    if name in ("csr_conn", "kafka_conn"):
                        continue
                    own = name if noun in shared else name.rpartition(".")[2]
                    expected = "${racehound.run}_o_0" if noun in shared else "o_0"
                    subsource = noun == "TABLE" and name.startswith("o_0_schema.")
                    assert own.startswith(expected) or subsource, f"{kind.__name__}, {step}: {noun} {name}"


def test_what_is_made_over_a_schema_or_a_database_is_made_inside_it() -> None:
    for base, home in (("Schema", "o_base"), ("Database", "${racehound.run}_o_base.public")):
        for name in ("Table", "View", "MaterializedView", "LoadGeneratorSource", "WebhookSource", "KafkaSink", "Type", "Secret"):
            made = _NAMES[name]("o_0", _NAMES[base]("o_base"))
            assert f" {home}.o_0 " in made.create() + " ", name
            assert f" {home}.o_0 " in made.destroy() + " " or name == "WebhookSource", name


def test_what_is_made_over_a_cluster_works_in_it() -> None:
    for name in ("MaterializedView", "LoadGeneratorSource", "KafkaSink", "Index"):
        made = _NAMES[name]("o_0", _NAMES["Cluster"]("o_base"))
        assert "IN CLUSTER ${racehound.run}_o_base " in made.create(), name


def test_the_work_of_a_cluster_is_looked_at_from_the_one_that_it_is_made_over() -> None:
    base = _NAMES["Cluster"]("o_base")
    assert f"CREATE DEFAULT INDEX IN CLUSTER {base.cluster} ON o_0_mv" in _sql(_NAMES["Cluster"]("o_0", base).create())
    assert "CREATE DEFAULT INDEX ON o_0_mv" in _sql(_NAMES["Cluster"]("o_0").create())


def test_a_subscription_makes_a_table_only_where_time_would_end() -> None:
    subscribed = re.compile(r" FROM (\w+) WHERE ")
    over_table, over_constant = (
        _sql(_NAMES["Subscription"]("o_0", _NAMES[name]("o_base")).create()) for name in ("Table", "View")
    )
    assert not any("CREATE TABLE" in sql for sql in over_table)
    assert subscribed.findall(" ".join(over_table)) == ["o_base"]
    assert over_constant[0] == "CREATE TABLE o_0 (a TEXT)"
    assert subscribed.findall(" ".join(over_constant)) == ["o_base", "o_0"]


def test_what_is_made_over_a_role_belongs_to_it() -> None:
    for name in ("Table", "View", "MaterializedView", "LoadGeneratorSource", "Type"):
        made = _NAMES[name]("o_0", _NAMES["Role"]("o_base"))
        assert made.create().endswith("OWNER TO ${racehound.run}_o_base\n"), name


def test_facets_pass_through_what_has_none_of_its_own() -> None:
    inside = _NAMES["View"]("o_2", _NAMES["Secret"]("o_1", _NAMES["Schema"]("o_0")))
    assert "CREATE VIEW o_0.o_2 AS" in inside.create()
    chain = _NAMES["Index"]("o_2", _NAMES["View"]("o_1", _NAMES["LoadGeneratorSource"]("o_0")))
    assert "ON o_2_view (counter)" in chain.create()


def test_no_literal_secret_or_topic_comes_from_a_clock() -> None:
    for fragment, what in _everything().items():
        for statement in _sql(fragment):
            assert not re.search(r"(?:SECRET .* AS|TOPIC) .*(?:now|random|uuid)", statement), what


def test_a_transaction_holds_one_definition_or_renames_alone() -> None:
    assert allows_transaction("> CREATE VIEW o_0 AS SELECT 1\n")
    assert allows_transaction("> DROP TABLE o_0 CASCADE\n")
    assert allows_transaction("> ALTER VIEW o_0 RENAME TO o_0_tmp_view\n> ALTER VIEW o_0_tmp_view RENAME TO o_0\n")
    assert not allows_transaction("> DROP VIEW IF EXISTS x\n> ALTER VIEW o_0 RENAME TO o_0_tmp_view\n")
    assert not allows_transaction("> CREATE TABLE a (x int)\n> CREATE TABLE b (x int)\n")
    assert not allows_transaction("> CREATE SOURCE o_0 IN CLUSTER quickstart FROM LOAD GENERATOR COUNTER\n")
    assert not allows_transaction('> CREATE TABLE o_0 FROM SOURCE o_0_source (REFERENCE "x") FORMAT TEXT\n')
    assert not allows_transaction("> ALTER CLUSTER c SET (REPLICATION FACTOR 1)\n")
    assert not allows_transaction("> DROP CLUSTER c CASCADE\n")
    assert not allows_transaction("> CREATE VIEW o_0 AS SELECT 1\n1\n")
    assert not allows_transaction("$ webhook-append name=o_0\nx\n")
    assert not allows_transaction("")


_SEEDS = 1000


def _digest(scenario: str) -> str:
    """Of the programs that the first thousand seeds print."""
    kinds = choose_kinds(KINDS, KINDS, ())
    digest = hashlib.sha256()
    for seed in range(_SEEDS):
        _, program = plan_and_program(MATERIALIZE, kinds, seed, scenario, 5, 100)  # type: ignore[arg-type]
        digest.update(print_program(program).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_a_thousand_seeds_print_the_same_in_another_process(scenario: str) -> None:
    """With other hashes of texts, so that no order of a set shows."""
    code = f"from tests.unit.databases.materialize.test_materialize_kinds import _digest; print(_digest({scenario!r}))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == _digest(scenario)
