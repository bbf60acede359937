"""The embedded server: starts, stops, recovers, is fresh again, and never stays behind."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from racehound.errors import TargetError, UserError
from racehound.services import scratch
from racehound.services.embedded import installation, releases, server
from racehound.services.embedded.server import LOG_LINE, EmbeddedServer
from racehound.wire.session import LibpqSession

Start = Callable[..., EmbeddedServer]

_HUNTER = """
import sys, time
from pathlib import Path
from racehound.services import scratch
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession
directory = scratch.create("hunter")
server = EmbeddedServer(releases.find(), directory, directory / "log")
server.start()
session = LibpqSession.connect(server.address.conninfo())
print(server.pid, session.pid, directory, flush=True)
session.execute("SELECT sum(i) FROM generate_series(1, 100000000000) AS i")
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    path = scratch.create("server")
    yield path
    scratch.remove(path)


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """Starts servers of the test's own."""
    servers: list[EmbeddedServer] = []

    def start_one(settings: Mapping[str, str] | None = None, *, durable: bool = False) -> EmbeddedServer:
        servers.append(EmbeddedServer(releases.find(), directory, directory / "log", settings, durable=durable))
        servers[-1].start()
        return servers[-1]

    yield start_one
    for started in servers:
        started.kill()


def _value(owner: EmbeddedServer, sql: str, *, tcp: bool = False) -> str | None:
    session = LibpqSession.connect(owner.address.conninfo(tcp=tcp))
    outcome = session.execute(sql)
    session.close()
    assert outcome.rows is not None, outcome
    return outcome.rows.cells[0][0]


def _run(owner: EmbeddedServer, sql: str) -> None:
    session = LibpqSession.connect(owner.address.conninfo())
    outcome = session.execute(sql)
    session.close()
    assert outcome.ok, outcome


def _ends(pid: int, within: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


def _shared_memory_segments(creator: int) -> set[str]:
    """Identifiers of the System V segments that a process has created (proc(5): key, shmid, perms, size, cpid)."""
    columns = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return {each[1] for each in columns if each[4] == str(creator)}


def test_it_runs_as_an_ordinary_user_and_answers_over_both_sockets(start: Start) -> None:
    own = start()
    assert own.alive()
    assert Path(f"/proc/{own.pid}").stat().st_uid != 0
    assert own.data_dir.stat().st_mode & 0o777 == 0o700
    for tcp in (False, True):
        assert _value(own, "SHOW server_version", tcp=tcp) == own.installation.version
    assert _value(own, "SELECT inet_server_addr() IS NULL") == "t"
    _run(own, 'CREATE DATABASE "a b/c"')
    session = LibpqSession.connect(own.address.url("a b/c"))
    named = session.execute("SELECT current_database(), inet_server_addr() IS NOT NULL").rows
    session.close()
    assert named is not None
    assert named.cells == [("a b/c", "t")]


@pytest.mark.alone
def test_it_is_ready_within_a_second_again_and_again(start: Start) -> None:
    own = start()
    for again in (own.restart, own.recreate):
        begun = time.monotonic()
        again()
        assert time.monotonic() - begun < 1.0


def test_nobody_outside_the_machine_can_reach_it(start: Start) -> None:
    assert _value(start(), "SHOW listen_addresses") == "127.0.0.1"


def test_the_settings_are_those_of_the_hunt(start: Start) -> None:
    own = start({"work_mem": "1234kB", "search_path": "it's, \\here"})
    expected = {"fsync": "off", "synchronous_commit": "off", "wal_level": "logical", "deadlock_timeout": "3ms", "jit": "off"}
    expected |= {"allow_in_place_tablespaces": "on", "allow_system_table_mods": "off", "restart_after_crash": "on"}
    expected |= {"autovacuum_naptime": "1s", "TimeZone": "UTC", "work_mem": "1234kB", "search_path": "it's, \\here"}
    for name, value in expected.items():
        assert _value(own, f'SHOW "{name}"') == value


def test_durable_means_what_it_says(start: Start) -> None:
    own = start(durable=True)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert _value(own, f"SHOW {name}") == "on"


@pytest.mark.parametrize("name", ["a b", "x = 1\nfsync", "", "a.b.c"])
def test_a_name_that_no_setting_can_have_is_the_users_error(directory: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name"):
        EmbeddedServer(releases.find(), directory, directory / "log", {name: "1"})


def test_a_setting_that_the_server_refuses_is_told_in_one_line(start: Start) -> None:
    with pytest.raises(TargetError, match='unrecognized configuration parameter "nonsense"') as caught:
        start({"nonsense": "1"})
    assert "\n" not in str(caught.value)


def test_settings_of_later_releases_are_left_out() -> None:
    assert "allow_in_place_tablespaces" not in server.configuration(14, {}, durable=False)
    assert "allow_in_place_tablespaces" in server.configuration(15, {}, durable=False)


@pytest.mark.parametrize("end", [lambda own: own.stop("fast"), lambda own: own.stop("immediate"), EmbeddedServer.kill])
def test_it_ends_with_all_its_processes_and_keeps_its_data(start: Start, end: Callable[[EmbeddedServer], None]) -> None:
    own = start()
    postmaster = own.pid
    assert _shared_memory_segments(postmaster)
    _run(own, "CREATE TABLE kept (a int)")
    # Without synchronous_commit a crash may take the last commits; the checkpoint makes them last.
    _run(own, "CHECKPOINT")
    session = LibpqSession.connect(own.address.conninfo())
    port = own.address.port
    end(own)
    assert not own.alive()
    assert _ends(session.pid, 0)
    assert session.execute("SELECT 1").status == "lost"
    assert not _shared_memory_segments(postmaster)
    own.start()
    assert own.address.port == port
    assert _value(own, "SELECT count(*) FROM kept") == "0"


def test_a_postmaster_that_was_killed_is_noticed_and_can_be_started_again(start: Start) -> None:
    own = start()
    busy = LibpqSession.connect(own.address.conninfo())
    os.kill(own.pid, signal.SIGKILL)
    assert _ends(own.pid, 5)
    while own.alive():
        time.sleep(0.001)
    own.start()
    assert own.alive()
    assert busy.execute("SELECT 1").status == "lost"


def test_a_backend_that_crashes_does_not_end_the_server(start: Start) -> None:
    own = start()
    victim = LibpqSession.connect(own.address.conninfo())
    os.kill(victim.pid, signal.SIGSEGV)
    assert _ends(victim.pid, 5)
    assert victim.execute("SELECT 1").status == "lost"
    assert own.alive()
    own.restart()
    assert "was terminated by signal 11" in own.log_path.read_text()


def test_recreate_gives_a_fresh_cluster_whatever_state_it_was_in(start: Start) -> None:
    own = start()
    _run(own, "CREATE DATABASE old")
    _run(own, "CREATE ROLE old")
    shutil.rmtree(own.data_dir / "global")
    own.recreate()
    assert _value(own, "SELECT count(*) FROM pg_database") == "3"
    assert _value(own, "SELECT count(*) FROM pg_roles WHERE rolname = 'old'") == "0"


def test_a_port_that_was_taken_meanwhile_is_changed(start: Start) -> None:
    own = start()
    own.stop()
    taken = own.address.port
    with socket.create_server(("127.0.0.1", taken)):
        own.start()
        assert own.address.port != taken
        assert _value(own, "SELECT 1", tcp=True) == "1"


def test_an_error_in_the_log_can_be_tied_to_its_session(start: Start) -> None:
    own = start()
    session = LibpqSession.connect(own.address.conninfo(), "session\t1: x")
    session.execute("SELECT 'two\nlines'::int")
    own.stop("fast")
    matches = [match for line in own.log_path.read_text().splitlines() if (match := LOG_LINE.fullmatch(line))]
    mine = [match for match in matches if match["pid"] == str(session.pid) and match["level"] == "ERROR"]
    assert [match["sqlstate"] for match in mine] == ["22P02"]
    assert mine[0]["backend"] == "client backend"
    assert mine[0]["application"].startswith("session")
    assert mine[0]["application"].endswith("1: x")
    assert mine[0]["message"].startswith("22P02: invalid input syntax")
    assert {match["backend"] for match in matches} >= {"postmaster", "checkpointer"}


def test_two_servers_share_a_scratch_directory(start: Start) -> None:
    one, other = start(), start()
    assert one.address.port != other.address.port
    one.stop()
    assert _value(other, "SELECT 1") == "1"


def test_a_path_too_long_for_a_socket_is_the_users_error(directory: Path) -> None:
    deep = directory / ("x" * 100)
    deep.mkdir()
    with pytest.raises(UserError, match="TMPDIR"):
        EmbeddedServer(releases.find(), deep, directory / "log")


@pytest.mark.alone
@pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root"))])
def test_a_killed_racehound_leaves_no_server_no_busy_backend_and_no_directory(user: str | None) -> None:
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [_python_for(user), "-c", _HUNTER],
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        env=environment,
        cwd="/",
    ) as hunter:
        assert hunter.stdout is not None
        postmaster, backend, path = hunter.stdout.readline().split()
        if user is not None:
            assert Path(f"/proc/{postmaster}").owner() == user
        hunter.kill()
        killed = time.monotonic()
        assert _ends(int(postmaster), 2)
        assert _ends(int(backend), 2)
        while Path(path).exists():
            assert time.monotonic() - killed < 2
            time.sleep(0.01)


def _python_for(user: str | None) -> str:
    """This Python, or another of the same version where this one is closed to the user."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            subprocess.run([python, "-c", ""], check=True, user=user, extra_groups=None if user is None else [])
        except (PermissionError, FileNotFoundError):
            continue
        return python
    pytest.skip(f"user {user} can run no Python {sys.version_info.major}.{sys.version_info.minor} here")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_programs_in_a_closed_directory_are_copied_to_where_the_servers_user_reaches_them(directory: Path) -> None:
    closed = directory / "closed"
    wheel = releases.find()
    package = wheel.bin.parent.parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), closed / name, symlinks=True)
    closed.chmod(0o700)
    user = installation.server_user()
    hidden = installation.Installation(closed / package.name / "pginstall" / "bin", wheel.version, wheel.clients)
    assert not installation.runs(hidden.bin, user)
    own = EmbeddedServer(hidden, directory, directory / "log")
    own.start()
    assert own.installation.bin.is_relative_to(directory / f"postgresql-{wheel.version}")
    # An extension that needs a shared library of the wheel's.
    _run(own, "CREATE EXTENSION dblink")
    own.kill()
    assert installation.reachable(wheel, user, directory) == wheel
