"""How the tests are distributed over the worker processes of pytest-xdist (`pytest -n 2`).

A worker gets whole files, so that the fixtures of a file are made once. These tests are handed out first:

- `alone`: tests with the marker `alone`. While one of them runs, no other worker runs a test.
- `services`: tests that use the services of the test run (Kafka, MySQL and others). One worker gets them all, so that these are
  started once.
- `leftovers`: tests with the marker `leftovers`. One worker gets them all, so that none sees what another one has left behind.
- `long`: tests with the marker `long`. Each is handed out by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

GROUPS = ("alone", "services", "long", "leftovers")
"""In the order in which they are handed out."""
_SHARED_FIXTURES = {"composition": "services", "nothing_left": "leftovers"}
"""Fixtures that put a test into a group."""
_MARKERS = {
    "alone": "it measures short times, so no other test may run beside it",
    "leftovers": "it makes, removes or looks for what killed runs leave on the machine",
    "long": "it takes more than a minute and needs nothing that its file shares",
}


def group_of(item: pytest.Item) -> str | None:
    """The group of a test; None for one that goes with its file."""
    found = {name for name in _MARKERS if item.get_closest_marker(name)}
    found |= {group for fixture, group in _SHARED_FIXTURES.items() if fixture in getattr(item, "fixturenames", ())}
    return next((group for group in GROUPS if group in found), None)


def rank_of(item: pytest.Item) -> int:
    """The place of a test in the order: the unit tests come last, so that all workers end at about the same time."""
    group = group_of(item)
    if group is not None:
        return GROUPS.index(group)
    return len(GROUPS) + ("unit" in item.path.parts)


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out groups and files; `@group` at the end of a test's id names its group."""

    def _split_scope(self, nodeid: str) -> str:
        _, _, group = nodeid.rpartition("@")
        if group == "long":
            return nodeid
        return group if group in GROUPS else nodeid.partition("::")[0]


class Turns:
    """Keeps tests of other workers away while a test runs alone. Worker processes share it by locks on two files."""

    def __init__(self, directory: Path) -> None:
        self._entrance = (directory / "parallel.py").open("rb")
        self._room = (directory / "__init__.py").open("rb")

    @contextlib.contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait until the test may run."""
        # A test that waits to be alone holds the entrance, so that the tests of other workers cannot overtake it for ever.
        with _locked(self._entrance.fileno(), fcntl.LOCK_EX):
            fcntl.flock(self._room.fileno(), fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._room.fileno(), fcntl.LOCK_UN)

    def close(self) -> None:
        self._entrance.close()
        self._room.close()


@contextlib.contextmanager
def _locked(handle: int, how: int) -> Iterator[None]:
    fcntl.flock(handle, how)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


class Worker:
    """What a worker process does besides running its tests."""

    def __init__(self) -> None:
        self._turns = Turns(Path(__file__).parent)

    # The timeout of a test begins when its turn has come, so this hook is the outermost one.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with self._turns.turn(alone=item.get_closest_marker("alone") is not None):
            return (yield)

    # Before pytest-xdist, which writes the group behind the test's id.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=rank_of)
        for item in items:
            if (group := group_of(item)) is not None:
                item.add_marker(pytest.mark.xdist_group(group))

    def pytest_unconfigure(self) -> None:
        self._turns.close()


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(), "racehound-tests-worker")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    return FileScheduling(config, log) if config.getoption("dist") == "loadgroup" else None
