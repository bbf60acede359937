"""Fixtures for the tests of racehound and of its emulator: real servers, started once, and fresh databases on them."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from racehound.databases.registry import databases
from racehound.services import scratch
from racehound.services.backends.instance import Instance
from racehound.services.catalogue import find, in_order
from racehound.services.composition import Composition, ServiceRequest
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession

pytest_plugins = ["tests.parallel"]

# A busy machine makes any test slow: time is no reason to fail. CI draws the same examples on every run.
settings.register_profile(
    "racehound", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("racehound")

_numbers = itertools.count()
# Also where all of this is a shell's background job, in which SIGINT is ignored: what tests start can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def registered_actions() -> None:
    """Scripts in tests may use the actions of all databases."""
    databases()


@pytest.fixture(scope="session")
def scratch_dir() -> Iterator[Path]:
    """A scratch directory for the whole test run."""
    path = scratch.create("tests")
    yield path
    scratch.remove(path)


@pytest.fixture(scope="session")
def embedded_server(scratch_dir: Path) -> Iterator[EmbeddedServer]:
    """A running server of the default release, shared: whoever stops, kills or breaks one starts one of their own."""
    server = EmbeddedServer(releases.find(), scratch_dir, scratch_dir / "postgres.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fresh_database(embedded_server: EmbeddedServer) -> Iterator[str]:
    """Conninfo of an empty database on the shared server; dropped, with whoever is still connected, after the test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = LibpqSession.connect(embedded_server.address.conninfo(), "tests")
    created = admin.execute(f"CREATE DATABASE {name}")
    assert created.ok, created
    yield embedded_server.address.conninfo(name)
    dropped = admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()
    assert dropped.ok, dropped


@pytest.fixture
def connect(fresh_database: str) -> Iterator[Callable[[], LibpqSession]]:
    """Opens sessions to the fresh database; they are closed after the test."""
    sessions: list[LibpqSession] = []

    def open_one() -> LibpqSession:
        sessions.append(LibpqSession.connect(fresh_database, f"test {len(sessions)}"))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture(scope="session")
def maven() -> str:
    """The mvn command; what needs it is skipped where there is none."""
    mvn = shutil.which("mvn")
    if mvn is None:
        pytest.skip("other PostgreSQL releases are fetched by Maven, and there is no mvn: apt-get install maven")
    return mvn


@pytest.fixture(scope="session")
def composition() -> Iterator[Composition]:
    """The services of the whole test run; each is brought up when a test first asks `service` for it."""
    directory = scratch.create("tests.services")
    composition = Composition("tests", directory)
    yield composition
    composition.down(lambda _name, _what: None)
    scratch.remove(directory)


@pytest.fixture(scope="session")
def service(composition: Composition) -> Callable[[str], Instance]:
    """Brings a service up, with those it needs, and returns it. Tests of what is not installed are skipped."""

    def up(name: str) -> Instance:
        missing = [artifact.name for each in in_order([name]) for artifact in find(each).artifacts() if artifact.find() is None]
        if missing:
            pytest.skip(f"{', '.join(missing)}: not installed; racehound services install {name}")
        composition.up([ServiceRequest(name)], lambda _name, _what: None)
        return composition.instance(name)

    return up
