"""What a step runner does with steps that fail, and what it counts as success."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.history import Fault, Mismatch, Recorder, Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.run.pacer import StormPacer
from racehound.run.recorded_session import RecordedSession, StepPosition
from racehound.run.session_thread import StepRunner
from racehound.testdrive.state import Context
from tests.unit.scripted import CONFLICT, LOST, MISSING, SCRIPTED, ScriptedTarget, done, refused, rows

Run = Callable[[Step], bool]
"""Runs a step; whether it succeeded."""

CREATE = Step("o_0", "create", "> CREATE TABLE o_0 ()\n")
COMMITTED = Step("o_0", "create", "> CREATE TABLE o_0 ()\n", window="commit")


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    scripted = ScriptedTarget()
    scripted.rebuild()
    yield scripted
    scripted.stop()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    opened = Recorder(tmp_path / "history.jsonl")
    yield opened
    opened.close()


@pytest.fixture
def run(target: ScriptedTarget, recorder: Recorder) -> Run:
    """Runs steps in the session o_0 of a program that has no other one."""
    session = RecordedSession(target.open("o_0"), recorder, StepPosition("o_0"))
    context = Context(session, max_tries=1, is_final=SCRIPTED.is_missing)
    runner = StepRunner(session, context, recorder, SCRIPTED)
    program = Program(1, "concurrent", "", {}, True, (), (), (ProgramSession("o_0", ()),), (), ())
    return lambda step: runner.run(0, step, StormPacer(program, {}))


def seen_of(target: ScriptedTarget) -> list[str]:
    return target.texts("o_0")


# The end of a transaction


@pytest.mark.parametrize(("tag", "succeeded"), [("COMMIT", True), ("ROLLBACK", False)])
def test_a_step_whose_commit_is_answered_by_rollback_has_failed(
    target: ScriptedTarget, run: Run, tag: str, succeeded: bool
) -> None:
    target.answer("COMMIT", done(tag))
    assert run(COMMITTED) is succeeded
    assert seen_of(target) == ["BEGIN", "CREATE TABLE o_0 ()", "COMMIT"]


def test_a_step_that_is_to_be_rolled_back_succeeds_with_that(target: ScriptedTarget, run: Run) -> None:
    assert run(Step("o_0", "create", "> CREATE TABLE o_0 ()\n", window="rollback"))
    assert seen_of(target) == ["BEGIN", "CREATE TABLE o_0 ()", "ROLLBACK"]


def test_a_commit_that_is_refused_is_no_success(target: ScriptedTarget, run: Run) -> None:
    target.answer("COMMIT", refused(MISSING))
    assert not run(COMMITTED)


def test_a_transaction_whose_statement_failed_is_rolled_back(target: ScriptedTarget, run: Run) -> None:
    target.answer("CREATE.*", refused(MISSING))
    assert not run(COMMITTED)
    assert seen_of(target) == ["BEGIN", "CREATE TABLE o_0 ()", "ROLLBACK"]


def test_without_a_transaction_nothing_of_the_step_is_run(target: ScriptedTarget, run: Run) -> None:
    target.answer("BEGIN", refused("25000"))
    assert not run(COMMITTED)
    assert seen_of(target) == ["BEGIN"]


@pytest.mark.parametrize(
    ("fragment", "seen"),
    [
        (
            "> BEGIN\n> DECLARE c CURSOR FOR SUBSCRIBE o_0\n> ROLLBACK\n",
            ["BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE o_0", "ROLLBACK"],
        ),
        ("> SELECT * FROM o_0\n1\n> SELECT 1\n", ["SELECT * FROM o_0"]),
    ],
)
def test_what_a_failed_step_has_begun_is_not_left_open(target: ScriptedTarget, run: Run, fragment: str, seen: list[str]) -> None:
    target.answer("(DECLARE|SELECT).* o_0", refused(MISSING))
    assert not run(Step("o_0", "verify", fragment))
    assert seen_of(target) == seen


# Further tries


def test_a_transient_error_is_tried_again_and_what_the_failed_try_has_left_is_cleared_first(
    target: ScriptedTarget, run: Run, recorder: Recorder
) -> None:
    target.answer("CREATE.*", refused(CONFLICT), refused(CONFLICT), done("CREATE TABLE"))
    assert run(Step("o_0", "create", CREATE.fragment, clear="> DROP TABLE o_0\n", tries=5))
    create, clear = "CREATE TABLE o_0 ()", "DROP TABLE o_0"
    assert seen_of(target) == [create, clear, create, clear, create]
    recorded = [event for event in recorder.take() if isinstance(event, Statement)]
    assert [(event.attempt, event.status) for event in recorded if event.sql == create] == [(1, "error"), (2, "error"), (3, "ok")]


def test_a_step_in_a_transaction_leaves_nothing_to_clear(target: ScriptedTarget, run: Run) -> None:
    target.answer("CREATE.*", refused(CONFLICT), done("CREATE TABLE"))
    assert run(Step("o_0", "create", CREATE.fragment, clear="> DROP TABLE o_0\n", tries=2, window="commit"))
    assert "DROP TABLE o_0" not in seen_of(target)


def test_no_step_has_more_tries_than_its_program_says(target: ScriptedTarget, run: Run) -> None:
    target.answer("CREATE.*", refused(CONFLICT))
    assert not run(Step("o_0", "create", CREATE.fragment, tries=3))
    assert len(seen_of(target)) == 3


def test_an_error_that_no_other_session_can_change_is_not_tried_again(target: ScriptedTarget, run: Run) -> None:
    target.answer("CREATE.*", refused(MISSING))
    assert not run(Step("o_0", "create", CREATE.fragment, tries=3))
    assert len(seen_of(target)) == 1


def test_a_session_that_lost_its_connection_tries_nothing_again(target: ScriptedTarget, run: Run) -> None:
    target.answer("CREATE.*", refused(CONFLICT))
    target.answer("BEGIN", done("BEGIN"), LOST)
    assert not run(Step("o_0", "create", CREATE.fragment, tries=5, window="commit"))
    assert seen_of(target) == ["BEGIN", "CREATE TABLE o_0 ()", "ROLLBACK", "BEGIN"]


# What is recorded


def test_other_rows_than_must_be_there_are_a_mismatch(target: ScriptedTarget, run: Run, recorder: Recorder) -> None:
    target.answer("SELECT.*", rows("2"))
    assert not run(Step("o_0", "verify", "> SELECT a FROM o_0\n1\n"))
    (mismatch,) = (event for event in recorder.take() if isinstance(event, Mismatch))
    assert (mismatch.object, mismatch.sql) == ("o_0", "SELECT a FROM o_0")
    assert "2" in mismatch.difference


def test_an_action_that_fails_is_a_fault(run: Run, recorder: Recorder) -> None:
    assert not run(Step("o_0", "verify", "$ set-from-file var=no/such/file\n"))
    (fault,) = (event for event in recorder.take() if isinstance(event, Fault))
    assert fault.text.startswith("o_0: ")
