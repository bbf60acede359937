"""How the lock-step runner makes the working database ready, runs a schedule, and notices blocked and lost sessions."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from racehound.data.history import Blocked, Fault, Passed, Recorder
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.schedule import Listed, Schedule
from racehound.errors import TimeIsUpError, UserError
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner, ScheduledRepetition
from tests.unit.programs import one_statement_each
from tests.unit.scripted import LOST, MISSING, ScriptedTarget, refused


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    scripted = ScriptedTarget()
    yield scripted
    scripted.stop()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    opened = Recorder(tmp_path / "history.jsonl")
    yield opened
    opened.close()


@pytest.fixture
def runner(target: ScriptedTarget, recorder: Recorder, tmp_path: Path) -> Iterator[LockstepRunner]:
    with contextlib.closing(LockstepRunner(target, recorder, tmp_path, 60.0)) as made:
        yield made


def scheduled(runner: LockstepRunner, *turns: int, program: Program | None = None) -> ScheduledRepetition:
    schedule: Schedule = turns or (1, 2)
    return runner.schedule(lockstep_program(program or one_statement_each()), schedule, Listed(schedule))


def repetition(runner: LockstepRunner, *turns: int, damaged: bool = False, program: Program | None = None) -> ScheduledRepetition:
    """Everything that a repetition does in a new working database, without judging it. damaged: what it is told in the end."""
    host = scheduled(runner, *turns, program=program)
    assert host.prepare(damaged=True)
    host.run(1)
    host.finish(1, sound=True)
    host.leave(1, damaged=damaged)
    return host


# The working database


def test_what_a_schedule_leaves_is_dropped_and_the_database_and_its_sessions_are_used_again(
    runner: LockstepRunner, target: ScriptedTarget
) -> None:
    repetition(runner)
    assert not scheduled(runner).prepare(damaged=False)
    assert (target.count("rebuild"), target.count("drop leftovers"), target.count("open 1")) == (1, 1, 1)


@pytest.mark.parametrize("reason", ["it is damaged", "not everything could be dropped"])
def test_a_database_that_cannot_be_used_again_is_rebuilt(runner: LockstepRunner, target: ScriptedTarget, reason: str) -> None:
    damaged = reason == "it is damaged"
    target.can_reset = damaged
    repetition(runner)
    assert scheduled(runner).prepare(damaged=damaged)
    assert target.count("rebuild") == 2


def test_a_runner_that_leaves_the_target_to_another_one_has_ended_its_drops_and_its_sessions(
    runner: LockstepRunner, target: ScriptedTarget
) -> None:
    target.slow_drops = threading.Event()
    repetition(runner)
    releasing = threading.Thread(target=runner.release)
    releasing.start()
    releasing.join(0.05)
    waited = releasing.is_alive()
    target.slow_drops.set()
    releasing.join(10)
    assert waited, "it waits for the drops that are under way"
    assert target.count("drop leftovers") == 1
    assert scheduled(runner).prepare(damaged=False), "the working database is another runner's by now"


def test_in_a_damaged_database_nothing_is_dropped(runner: LockstepRunner, target: ScriptedTarget) -> None:
    repetition(runner, damaged=True)
    assert target.count("drop leftovers") == 0


# A schedule


def test_statements_are_sent_in_the_order_of_the_schedule(runner: LockstepRunner, target: ScriptedTarget) -> None:
    program = one_statement_each(window="commit")
    host = repetition(runner, 1, 1, 2, 1, program=program)
    assert host.schedule == (1, 1, 2, 1)
    raced = [(name, sql) for name, sql in target.sent if name != "main"]
    assert raced == [("1", "BEGIN"), ("1", "ALTER o_0"), ("2", "DROP o_1"), ("1", "COMMIT")]


def test_a_statement_that_waits_is_recorded_as_blocked_and_its_turn_passes(
    runner: LockstepRunner, target: ScriptedTarget, recorder: Recorder
) -> None:
    target.block("DROP o_1", behind="1")
    host = repetition(runner, 1, 1, 2, 1, program=one_statement_each(window="commit"))
    assert [(move.session, move.behind, move.released_by) for move in host.moves] == [
        (1, (), None),
        (1, (), None),
        (2, (1,), 3),
        (1, (), None),
    ]
    (blocked,) = (event for event in recorder.take() if isinstance(event, Blocked))
    assert (blocked.session, blocked.sql, blocked.behind) == ("2", "DROP o_1", ("1",))


def test_the_turn_of_a_blocked_session_passes_to_the_next_one(
    runner: LockstepRunner, target: ScriptedTarget, recorder: Recorder
) -> None:
    target.block("DROP o_1", behind="1")
    both = lockstep_program(one_statement_each(window="commit", both=True))
    host = runner.schedule(both, (), Listed((1, 1, 2, 2, 2, 1)))
    host.prepare(damaged=True)
    host.run(1)
    assert host.schedule == (1, 1, 2, 2, 1, 2)
    assert [event.session for event in recorder.take() if isinstance(event, Passed)] == ["2"]


def test_a_session_that_is_over_and_holds_what_others_wait_for_leaves(
    runner: LockstepRunner, target: ScriptedTarget, recorder: Recorder
) -> None:
    open_one = Step("o_0", "manipulate", "> BEGIN\n> ALTER o_0\n")
    drop = Step("o_1", "destroy", "> DROP o_1\n")
    program = Program(
        1, "concurrent", "", {}, True, (), (), (ProgramSession("1", (open_one,)), ProgramSession("2", (drop,))), (), ()
    )
    target.block("DROP o_1", behind="1")
    host = repetition(runner, 1, 1, 2, program=program)
    assert [move.outcome is not None and move.outcome.ok for move in host.moves] == [True, True, True]
    assert any("session 1 left" in event.text for event in recorder.take() if isinstance(event, Fault))


def test_a_setup_that_has_to_succeed_and_fails_ends_the_repetition(runner: LockstepRunner, target: ScriptedTarget) -> None:
    target.answer("CREATE o_0", refused(MISSING))
    host = scheduled(runner)
    host.prepare(damaged=True)
    with pytest.raises(UserError):
        host.run(1)


# The deadline


def test_a_schedule_that_is_not_over_at_the_deadline_ends_and_what_waits_is_cancelled(
    runner: LockstepRunner, target: ScriptedTarget
) -> None:
    program = one_statement_each()
    held = msgspec.structs.replace(program, setup=(Step("o_0", "prepare", "> BEGIN\n"), *program.setup))
    target.block("DROP o_1", behind="main")
    host = scheduled(runner, program=held)
    host.prepare(damaged=True)
    runner.deadline = time.monotonic() + 0.2
    with pytest.raises(TimeIsUpError):
        host.run(1)
    (waiting,) = (session for session in target.sessions if session.name == "2")
    assert waiting.finish().error is not None


def test_after_the_deadline_no_script_is_begun(runner: LockstepRunner, target: ScriptedTarget) -> None:
    host = scheduled(runner)
    host.prepare(damaged=True)
    runner.deadline = time.monotonic()
    with pytest.raises(TimeIsUpError):
        host.run(1)
    assert target.sent == []


# Lost sessions


@pytest.mark.parametrize("lost", ["ALTER o_0", "VERIFY o_0"], ids=["a session", "the director"])
def test_a_session_that_lost_its_connection_is_noticed_until_there_is_a_new_working_database(
    runner: LockstepRunner, target: ScriptedTarget, lost: str
) -> None:
    target.answer(lost, LOST)
    host = repetition(runner)
    assert host.lost
    assert target.count("drop leftovers") == 0
    assert scheduled(runner).prepare(damaged=True)
    assert not runner.lost


def test_nothing_is_verified_where_a_session_was_lost_or_the_state_is_not_sound(
    runner: LockstepRunner, target: ScriptedTarget
) -> None:
    host = repetition(runner)
    assert "VERIFY o_0" in target.texts("main")
    target.sent.clear()
    host.finish(1, sound=False)
    target.answer("ALTER o_0", LOST)
    repetition(runner)
    assert "VERIFY o_0" not in target.texts("main")
