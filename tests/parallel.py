"""How the tests are distributed over the worker processes of pytest-xdist (`pytest -n 2`).

A worker gets whole files, so that the fixtures of a file are made once. These tests are handed out first:

- `alone`: tests with the marker `alone`. While one of them runs, no other worker runs a test.
- `services`: tests that use the services of the test run (Kafka, MySQL and others). One worker gets them all, so that these are
  started once.
- `leftovers`: tests with the marker `leftovers`. One worker gets them all, so that none sees what another one has left behind.
- `long`: tests with the marker `long`. Each is handed out by itself.

The groups of pytest-xdist itself (`--dist=loadgroup`) are not used: with pytest 9.2, pytest-xdist 3.8 ignores them silently.
Only the workers see fixtures and markers, and only the controller distributes, so the workers leave the groups in a file for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

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
    """Hands out groups and files."""

    def __init__(self, config: pytest.Config, log: Any, groups: Path) -> None:
        super().__init__(config, log)
        self._file = groups

    @functools.cached_property
    def _groups(self) -> dict[str, str]:
        """Group by test id. The workers have written it before they told which tests they have."""
        found: dict[str, str] = json.loads(self._file.read_bytes())
        return found

    def _split_scope(self, nodeid: str) -> str:
        group = self._groups.get(nodeid)
        return nodeid if group == "long" else group or nodeid.partition("::")[0]


class Turns:
    """Keeps tests of other workers away while a test runs alone. The workers share it: it locks this file and its directory."""

    def __init__(self) -> None:
        here = Path(__file__)
        self._entrance, self._room = os.open(here.parent, os.O_RDONLY), os.open(here, os.O_RDONLY)

    @contextlib.contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait until the test may run."""
        # A test that waits to be alone holds the entrance, so that the tests of other workers cannot overtake it for ever.
        with _locked(self._entrance, fcntl.LOCK_EX):
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._entrance)
        os.close(self._room)


@contextlib.contextmanager
def _locked(handle: int, how: int) -> Iterator[None]:
    fcntl.flock(handle, how)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


class Controller:
    """What the process that distributes the tests does."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="test-groups-")
        self._groups = Path(self._directory.name) / "groups.json"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["groups"] = str(self._groups)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
        return FileScheduling(config, log, self._groups) if config.getoption("dist") == "loadfile" else None

    def pytest_unconfigure(self) -> None:
        self._directory.cleanup()


class Worker:
    """What a worker process does besides running its tests."""

    def __init__(self, groups: Path) -> None:
        self._turns = Turns()
        self._groups = groups

    # The timeout of a test begins when its turn has come, so this hook is the outermost one.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with self._turns.turn(alone=item.get_closest_marker("alone") is not None):
            return (yield)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=rank_of)

    # Before pytest-xdist tells the controller which tests there are.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        groups = {item.nodeid: group for item in session.items if (group := group_of(item)) is not None}
        unfinished = self._groups.with_name(f"{os.getpid()}.json")
        unfinished.write_text(json.dumps(groups), encoding="utf-8")
        unfinished.replace(self._groups)

    def pytest_unconfigure(self) -> None:
        self._turns.close()


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if (given := getattr(config, "workerinput", None)) is not None:
        config.pluginmanager.register(Worker(Path(given["groups"])), "racehound-tests-worker")
    elif config.getoption("numprocesses"):
        config.pluginmanager.register(Controller(), "racehound-tests-controller")
