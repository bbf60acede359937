"""The pulse tells when the server answers nobody, and statements do not hang meanwhile."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.history import STOPPED, Outage, Recorder
from racehound.databases.target import ServerStart
from racehound.run import pulse
from racehound.run.pulse import Pulse
from tests.unit.scripted import ScriptedTarget

LIMIT_S = 10.0
"""In which what must happen has happened."""


class Stopped(ScriptedTarget):
    """A server that is stopped and continued by a test."""

    answers_beside = True

    def __init__(self) -> None:
        super().__init__()
        self.since = ServerStart("noon")
        self.goes_on = threading.Event()
        self.asked_now = threading.Event()
        self.abandoned = threading.Event()

    def started(self) -> ServerStart | None:
        self.asked_now.set()
        if self.doing == "stopped":
            self.goes_on.wait(LIMIT_S)
        return super().started()

    def abandon(self) -> None:
        self.abandoned.set()


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopped]:
    for name, seconds in (("PULSE_S", 0.01), ("SLOW_S", 0.05), ("_GAP_S", 0.05), ("_RETRY_S", 0.01)):
        monkeypatch.setattr(pulse, name, seconds)
    made = Stopped()
    yield made
    made.stop()


@contextlib.contextmanager
def beating(target: Stopped, path: Path) -> Iterator[tuple[Pulse, Recorder]]:
    with contextlib.closing(Recorder(path / "history.jsonl")) as recorder:
        made = Pulse(target, recorder)
        try:
            yield made, recorder
        finally:
            target.goes_on.set()
            made.stop()


def wait_for(what: threading.Event) -> None:
    assert what.wait(LIMIT_S)


def test_the_time_in_which_a_server_was_stopped_is_told_and_is_no_time_of_a_statement(target: Stopped, tmp_path: Path) -> None:
    target.doing = "stopped"
    began_ns = time.monotonic_ns()
    with beating(target, tmp_path) as (found, recorder):
        wait_for(target.asked_now)
        deadline = time.monotonic() + LIMIT_S
        while not found.silent_s and time.monotonic() < deadline:
            time.sleep(0.01)
        assert found.silent_s
        assert found.age_s(began_ns) == 0.0
        silent_s = (time.monotonic_ns() - began_ns) / 1e9
        target.doing = "running"
        target.goes_on.set()
        outages: list[Outage] = []
        while not outages and time.monotonic() < deadline:
            outages += [event for event in recorder.take() if isinstance(event, Outage)]
            time.sleep(0.01)
        assert [(outage.verdict, outage.why, outage.back) for outage in outages] == [("unresponsive", STOPPED, True)]
        assert found.age_s(began_ns) < (time.monotonic_ns() - began_ns) / 1e9 - silent_s / 2


def test_when_the_user_waits_no_longer_all_connections_are_broken(target: Stopped, tmp_path: Path) -> None:
    target.reconnect_s = 0.02
    target.is_alive = False
    with beating(target, tmp_path):
        wait_for(target.abandoned)


def test_a_server_that_answers_is_left_alone(target: Stopped, tmp_path: Path) -> None:
    with beating(target, tmp_path) as (found, recorder):
        wait_for(target.asked_now)
        assert found.silent_s == 0.0
        assert recorder.take() == []
    assert not target.abandoned.is_set()
