"""What of the Materialize target needs no server: addresses, ways, connected, the compose entry, logs, folded topics."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from racehound.databases.materialize import server, start
from racehound.databases.materialize.connected_services import ConnectedServices, from_variables
from racehound.databases.materialize.kinds import KINDS
from racehound.databases.materialize.log import FileLog, LogReader
from racehound.databases.materialize.server import MaterializeService
from racehound.databases.materialize.server_location import Addresses
from racehound.databases.materialize.sinks import RowBounds, count_rows, difference
from racehound.databases.materialize.start import Options, deployment, needed_services
from racehound.databases.materialize.target import is_available
from racehound.errors import UserError
from racehound.services import installation
from racehound.services.artifacts.python import PythonPackage
from racehound.services.backends import compose_file
from racehound.services.backends.compose_file import ComposeService
from racehound.services.service import CLIENT, Access, Endpoint, ServiceLayout
from tests.unit.services.test_compose_file import _errors, _read_back, validator  # noqa: F401 a fixture

# Addresses and ways


def test_ports_that_are_not_given_are_the_usual_ones_of_the_same_host() -> None:
    addresses = Addresses.given("postgres://materialize@mz.example:6875/materialize")
    assert addresses.internal == "postgres://mz_system@mz.example:6877/materialize"
    assert (addresses.http, addresses.internal_http) == ("http://mz.example:6876", "http://mz.example:6878")


def test_ports_that_are_given_are_taken() -> None:
    addresses = Addresses.given("postgres://u:pw@h:1/d", "postgres://s:other@i:2/d", "http://h:3/", "http://h:4")
    assert (addresses.internal, addresses.http, addresses.internal_http) == (
        "postgres://s:other@i:2/d",
        "http://h:3",
        "http://h:4",
    )
    assert addresses.secrets == ("pw", "other")


def test_what_is_no_address_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match="--url: not a connection string"):
        Addresses.given("mysql:/x y=")


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes these programs, and no others, be found on the path."""

    def only(*programs: str) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}" if name in programs else None)

    return only


def test_an_address_goes_before_all(on_path: Callable[..., None]) -> None:
    on_path("docker", *server.PROGRAMS)
    assert deployment(Options(url="postgres://x")) == "addresses"
    assert deployment(Options(release="v26.10.0")) == "docker"
    assert deployment(Options()) == "processes"


def test_docker_is_taken_where_a_program_is_missing(on_path: Callable[..., None]) -> None:
    on_path("docker", "environmentd")
    assert deployment(Options()) == "docker"


def test_where_nothing_is_to_be_had_one_line_names_the_three_ways(on_path: Callable[..., None]) -> None:
    on_path()
    with pytest.raises(UserError) as error:
        deployment(Options())
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in ("--url", "docker", "Docker", "environmentd", "clusterd"))


def test_a_docker_that_cannot_run_it_is_told_before_anything_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as error, start.opened(Options(), "rh00000001", tmp_path, tmp_path / "log"):
        pass
    assert all(word in str(error.value) for word in ("Docker Compose", "--url", "environmentd"))


def test_only_what_the_kinds_need_is_brought_up() -> None:
    assert needed_services(["View", "table"]) == []
    assert needed_services(["PostgresSource"]) == ["postgres"]
    assert needed_services(["KafkaSink", "MySqlSource"]) == ["kafka", "schema-registry", "mysql"]
    assert needed_services([]) == ["kafka", "schema-registry", "postgres", "mysql", "seaweedfs"]


def test_services_that_are_not_installed_are_told_of_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    lacking = installation.Installed(PythonPackage("x", "1", "x"), ("mysql",), "missing")
    monkeypatch.setattr(installation, "missing", lambda _names: [lacking])
    assert start._installed(["postgres", "mysql"], "process", said.append) == ["postgres"]
    assert said == ["mysql is not installed: kinds that need it are left out (racehound services install mysql)"]


# Connected services


def test_kinds_whose_services_or_features_are_missing_are_not_available() -> None:
    available = {kind.__name__ for kind in KINDS if is_available(kind, frozenset())}
    assert {"Table", "View", "MaterializedView", "LoadGeneratorSource", "DefaultIndex"} <= available
    assert not available & {"UpsertSource", "KafkaSink", "PostgresSource", "MySqlSource", "WebhookSource", "ReplacedView"}
    with_kafka = frozenset({"kafka", "schema-registry", "source-tables"})
    assert {"UpsertSource", "KafkaSink"} <= {kind.__name__ for kind in KINDS if is_available(kind, with_kafka)}


def test_statements_are_given_the_addresses_that_the_target_sees_and_actions_those_that_racehound_sees() -> None:
    connected = ConnectedServices(
        kafka="127.0.0.1:19092", kafka_inside="kafka:29092",
        registry="http://127.0.0.1:18081", registry_inside="http://schema-registry:8081",
        postgres="postgres://postgres:postgres@127.0.0.1:15432/rh1_source", postgres_inside=Endpoint("postgres", 5432),
        mysql="mysql://root@127.0.0.1:13306", mysql_inside=Endpoint("mysql", 3306), mysql_password="pw",
    )  # fmt: skip
    variables = connected.variables()
    assert variables["testdrive.kafka-addr"] == "kafka:29092"
    assert variables["testdrive.schema-registry-url"] == "http://schema-registry:8081"
    assert (variables["racehound.postgres-host"], variables["racehound.postgres-port"]) == ("postgres", "5432")
    assert variables["racehound.postgres-url"] == "postgres://postgres:postgres@127.0.0.1:15432/rh1_source"
    assert variables["racehound.postgres-database"] == "rh1_source"
    assert (variables["racehound.mysql-host"], variables["racehound.mysql-port"]) == ("mysql", "3306")
    services = connected.services("http://127.0.0.1:6876", None)
    assert (services.kafka, services.schema_registry) == ("127.0.0.1:19092", "http://127.0.0.1:18081")


def test_every_variable_of_every_fragment_has_somebody_who_sets_it() -> None:
    known = from_variables(
        {
            "testdrive.kafka-addr": "h:1",
            "testdrive.schema-registry-url": "http://h:2/",
            "racehound.postgres-url": "postgres://p@h:3/x",
            "racehound.mysql-url": "mysql://root@h:4",
            "arg.mysql-root-password": "pw",
            "testdrive.aws-endpoint": "http://h:5",
        }
    )
    assert known.registry == "http://h:2"
    target = {"user", "cluster-size", "other-cluster-size", "first-replica", "last-replica"}
    own = {*target, "run", "database", "upsert-records", "upsert-patience", "source-password"}
    set_by_the_target = {*known.variables(), *(f"racehound.{name}" for name in own), "testdrive.seed"}
    for kind in KINDS:
        if kind.enabled:
            text = kind("o_0").prepare() + kind("o_0").create() + kind("o_0").verify() + kind("o_0").destroy()
            asked = {part.partition("}")[0] for part in text.split("${")[1:]}
            foreign = {name for name in asked if name.startswith(("racehound.", "testdrive.", "arg.mysql"))}
            assert foreign <= set_by_the_target, kind.__name__


# The server of racehound's own


def test_its_compose_entry_is_valid_and_listens_on_loopback_only(validator: Any) -> None:  # noqa: F811
    service = MaterializeService(image="materialize/materialized:v26.10.0")
    ports = {name: 21_000 + number for number, name in enumerate(service.ports)}
    document = _read_back(
        compose_file.document("racehound-tests-0a1b2c3d", [ComposeService(service, "", ports)], {"racehound.user": "0"})
    )
    assert _errors(validator, document) == []
    entry = document["services"]["materialized"]
    assert entry["image"] == "materialize/materialized:v26.10.0"
    assert entry["ports"] == [f"127.0.0.1:{ports[name]}:{inside}" for name, inside in service.container("").ports.items()]
    assert sorted(service.container("").ports.values()) == [6875, 6876, 6877, 6878]


@pytest.mark.parametrize(
    ("known", "expected", "unexpected"),
    [
        ("--listeners-config-path --unsafe-mode --persist-blob-url", "--listeners-config-path=", "-listen-addr="),
        ("--sql-listen-addr --internal-http-listen-addr", "--sql-listen-addr=127.0.0.1:1", "--listeners-config-path"),
    ],
)
def test_only_options_that_the_release_knows_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str, expected: str, unexpected: str
) -> None:
    program = tmp_path / "environmentd"
    program.write_text(f"#!/bin/sh\necho 'Options: {known}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    endpoints = {
        port: Endpoint("127.0.0.1", number + 1) for number, port in enumerate((CLIENT, "internal", "http", "internal-http"))
    }
    layout = ServiceLayout(directory=tmp_path, log=tmp_path / "log", access=Access(endpoints), peers={})
    (command,) = MaterializeService("postgres://postgres:pw@127.0.0.1:5/postgres?sslmode=disable").commands(layout)
    store = (command.env or {})["MZ_PERSIST_CONSENSUS_URL"]
    assert store == "postgres://postgres:pw@127.0.0.1:5/postgres?sslmode=disable&options=--search_path%3Dconsensus"
    assert "pw@" not in str(command.argv)
    given = " ".join(command.argv)
    assert expected in given
    assert unexpected not in given
    assert {argument.partition("=")[0] for argument in command.argv[1:]} <= set(known.split())


_LOG = """\
2026-11-23T05:10:00Z  INFO environmentd: environmentd listening
thread 'coordinator' panicked at src/adapter/src/coord.rs:12:5: item does not exist: u12
2026-11-23T05:10:01Z  WARN mz_orchestrator_process: process for cluster-u1-replica-u2-0 exited unexpectedly: exit status: 101
2026-11-23T05:10:02Z ERROR mz_compute: internal error: unexpected absence of a frontier
"""


def test_only_lines_of_a_log_that_tell_something_are_picked_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("of an earlier run: thread 'x' panicked at y\n")
    scan = LogReader(FileLog(path))
    with path.open("a") as log:
        log.write(_LOG)
        log.write("thread 'half' panick")
        log.flush()
        assert [line.split()[0] for line in scan.new_lines()] == ["thread", "2026-11-23T05:10:01Z", "2026-11-23T05:10:02Z"]
        assert scan.new_lines() == []
        log.write("ed at z\n")
    assert scan.new_lines() == ["thread 'half' panicked at z"]
    assert len(scan.around()) == 5


# Sinks


def _folded(*envelopes: dict[str, Any]) -> Counter[tuple[str | None, ...]]:
    return count_rows(iter(envelopes), ("a", "n"))


_FOO, _BAR = {"a": "foo", "n": 1}, {"a": "bar", "n": None}


def test_the_envelopes_of_a_topic_give_its_rows() -> None:
    folded = _folded({"before": None, "after": _FOO}, {"before": None, "after": _BAR}, {"before": _FOO, "after": None})
    assert folded == {("bar", None): 1}
    assert _folded({"before": _FOO, "after": _BAR}) == {("foo", "1"): -1, ("bar", None): 1}


def test_a_topic_that_says_what_its_relation_says_does_not_differ() -> None:
    rows: Counter[tuple[str | None, ...]] = Counter({("foo", "1"): 2})
    assert difference(rows, rows, _folded({"before": None, "after": _FOO}, {"before": None, "after": _FOO})) == ""


@pytest.mark.parametrize(
    ("folded", "said"),
    [
        (Counter({("foo", "1"): 3}), "in the relation 2 times, in the topic 3 times: ('foo', '1')"),
        (Counter({("foo", "1"): 1}), "in the relation 2 times, in the topic 1 times: ('foo', '1')"),
        (Counter(), "in the relation 2 times, in the topic 0 times: ('foo', '1')"),
        (Counter({("foo", "1"): 2, ("x", "y"): 1}), "in the relation 0 times, in the topic 1 times: ('x', 'y')"),
        (Counter({("foo", "1"): 2, ("x", "y"): -1}), "deleted 1 times more than inserted: ('x', 'y')"),
    ],
)
def test_lost_doubled_and_strange_rows_are_reported(folded: Counter[tuple[str | None, ...]], said: str) -> None:
    rows: Counter[tuple[str | None, ...]] = Counter({("foo", "1"): 2})
    assert said in difference(rows, rows, folded)


def test_rows_of_a_relation_that_goes_on_changing_are_held_against_what_was_there_before_and_after() -> None:
    before: Counter[tuple[str | None, ...]] = Counter({("1",): 1})
    after: Counter[tuple[str | None, ...]] = Counter({("1",): 1, ("2",): 1, ("3",): 1})
    assert difference(before, after, Counter({("1",): 1, ("2",): 1})) == ""
    assert "in the topic 2 times: ('1',)" in difference(before, after, Counter({("1",): 2}))
    assert "in the topic 0 times: ('1',)" in difference(before, after, Counter({("2",): 1}))


def _numbers(count: int) -> Counter[tuple[str | None, ...]]:
    return Counter((str(number),) for number in range(count))


def test_a_sink_that_is_always_a_moment_behind_a_relation_that_grows_is_right() -> None:
    seen = RowBounds()
    assert "in the topic 0 times: ('2',)" in difference(*seen.bounds(_numbers(3), _numbers(4)), _numbers(2))
    assert difference(*seen.bounds(_numbers(5), _numbers(6)), _numbers(4)) == ""


def test_a_row_that_a_sink_never_writes_is_reported_though_its_relation_grows() -> None:
    seen = RowBounds()
    seen.bounds(_numbers(3), _numbers(4))
    assert "in the topic 0 times: ('1',)" in difference(
        *seen.bounds(_numbers(5), _numbers(6)), _numbers(4) - Counter({("1",): 1})
    )


def test_a_relation_that_has_come_to_rest_is_compared_row_by_row() -> None:
    seen = RowBounds()
    seen.bounds(_numbers(3), _numbers(4))
    assert "in the topic 0 times: ('4',)" in difference(*seen.bounds(_numbers(5), _numbers(5)), _numbers(4))
