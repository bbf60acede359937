"""What a step runner does with steps that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from racehound.data.history import Recorder
from racehound.data.program import Step
from racehound.run.recorded_session import RecordedSession, StepPosition
from racehound.run.session_thread import StepRunner
from racehound.testdrive.state import Context
from tests.unit.testdrive.test_testdrive_interpreter import OK, MemorySession, error


def seen_of(fragment: str, directory: Path, *answers: object) -> list[str]:
    """What a server is told by a step runner that runs one step, given its answers."""
    session = MemorySession(*answers)  # type: ignore[arg-type]
    recorder = Recorder(directory / "history.jsonl")
    recorded = RecordedSession(session, recorder, StepPosition("main"), ())
    StepRunner(recorded, Context(recorded, max_tries=1), recorder, lambda _: False).run(1, Step("o_0", "verify", fragment))
    recorder.close()
    return session.seen


@pytest.mark.parametrize(
    ("fragment", "seen"),
    [
        (
            "> BEGIN\n> DECLARE c CURSOR FOR SUBSCRIBE o_0\n> ROLLBACK\n",
            ["BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE o_0", "ROLLBACK"],
        ),
        ("> SELECT 1\n1\n> SELECT * FROM o_0\n", ["SELECT 1"]),
    ],
)
def test_what_a_failed_step_has_begun_is_not_left_open(fragment: str, seen: list[str], tmp_path: Path) -> None:
    gone = error("unknown catalog item 'o_0'")
    assert seen_of(fragment, tmp_path, *([OK, gone, OK] if "BEGIN" in fragment else [gone])) == seen
