"""How a repetition is run and ended."""

from __future__ import annotations

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.data.history import Recorder
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.target import Target
from racehound.run.storm_runner import StormRunner
from tests.unit.testdrive.test_testdrive_interpreter import OK, MemorySession


class InterruptedBell(queue.SimpleQueue[object]):
    """Ctrl-C is pressed just when the first ring has been heard, and nothing been done about it."""

    heard = False

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        got = super().get(block, timeout)
        # Sessions wait for work without a limit.
        if timeout is not None and not self.heard:
            self.heard = True
            raise KeyboardInterrupt
        return got


def test_an_interrupt_between_two_looks_ends_a_repetition(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(queue, "SimpleQueue", InterruptedBell)
    target = SimpleNamespace(
        dialect=POSTGRES, secrets=(), services=ServiceAddresses(), variables=dict, open=lambda _: MemorySession(OK), waits=list
    )
    recorder = Recorder(tmp_path / "history.jsonl")
    sessions = tuple(ProgramSession(name, (Step(name, "create", f"> CREATE TABLE {name} ()\n"),)) for name in ("o_0", "o_1"))
    program = Program(1, "concurrent", "two tables", {}, False, (), (), sessions, (), ())
    running = StormRunner(cast("Target", target), program, recorder, tmp_path, 60.0)
    with pytest.raises(KeyboardInterrupt):
        running.run(1)
    running.close()
    recorder.close()
