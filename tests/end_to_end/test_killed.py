"""kill -9 at any instant: the history is readable, nothing survives, the next run or `clean` removes the rest."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from racehound.data.history import Statement, read_history
from tests.end_to_end.command import COMMAND, racehound
from tests.end_to_end.test_run import servers_of

INSTANTS = 30
GONE_S = 2.0
"""A server does not outlive its owner by more than this."""


@pytest.mark.usefixtures("nothing_left")
def test_thirty_random_instants(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    statements = 0
    for number in range(INSTANTS):
        out = tmp_path / f"out{number}"
        # Every other one while it hunts for sure, however long a busy machine takes to begin.
        statements += kill_after(rng.uniform(0.05, 1.5), out, tmp_path, hunting=bool(number % 2))
    assert statements > 1000, "most of the kills must have come while it hunted"
    racehound("clean", cwd=tmp_path)


def kill_after(seconds: float, out: Path, cwd: Path, *, hunting: bool) -> int:
    """Start a hunt, kill it so long after its start, or after the hunt itself began; the statements in its history."""
    running = subprocess.Popen([*COMMAND, "run", "--quiet", "--out", str(out)], cwd=cwd, stdout=subprocess.DEVNULL)
    while hunting and not any((out / "history").glob("*")):
        assert running.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)  # the instant is the point of the test: there is no event to wait for
    running.kill()
    running.wait()
    if (out / "run.json").exists():
        deadline = time.monotonic() + GONE_S
        while (left := servers_of(out)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left
    histories = sorted((out / "history").glob("*")) if out.exists() else []
    return sum(isinstance(event, Statement) for path in histories if path.suffix != ".part" for event in read_history(path))
