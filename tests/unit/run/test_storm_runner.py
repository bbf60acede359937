"""How the storm runner makes the working database ready, runs a repetition, and notices lost sessions."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from racehound.data.history import Event, Fault, Recorder, Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.target import Reset
from racehound.errors import TimeIsUpError
from racehound.run.storm_runner import StormRunner
from racehound.session import Outcome
from tests.unit.scripted import CONFLICT, INTERNAL, LOST, MISSING, ScriptedTarget, done, refused


def step(name: str, word: str = "CREATE") -> Step:
    return Step(name, "create", f"> {word} TABLE {name}\n")


PROGRAM = Program(
    1, "concurrent", "two tables", {}, True,
    once=(step("o_base"),),
    setup=(step("o_base", "FILL"),),
    sessions=(ProgramSession("o_0", (step("o_0"), step("o_0", "ALTER"))), ProgramSession("o_1", (step("o_1"),))),
    verify=(step("o_base", "CHECK"), step("o_0", "CHECK")),
    teardown=(step("o_base", "DROP"),),
)  # fmt: skip


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


Storm = Callable[..., StormRunner]


@pytest.fixture
def storm(target: ScriptedTarget, recorder: Recorder, tmp_path: Path) -> Iterator[Storm]:
    """Makes storm runners, which are closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(program: Program = PROGRAM, reset: Reset = "objects", deadline: float = math.inf) -> StormRunner:
            runner = StormRunner(target, program, recorder, tmp_path, 60.0, reset=reset, deadline=deadline)
            return stack.enter_context(contextlib.closing(runner))

        yield make


# The working database


def test_a_damaged_working_database_is_rebuilt_and_gets_what_is_done_once(target: ScriptedTarget, storm: Storm) -> None:
    assert storm().prepare(damaged=True)
    assert target.asked == ["rebuild", "open main"]
    assert target.texts("main") == ["CREATE TABLE o_base"]


@pytest.mark.parametrize(
    ("reset", "asked", "new"),
    [("objects", ["reset"], False), ("database", ["rebuild"], True), ("services", ["restart", "rebuild"], True)],
)
def test_between_repetitions_that_is_made_new_which_is_asked_for(
    target: ScriptedTarget, storm: Storm, reset: Reset, asked: list[str], new: bool
) -> None:
    runner = storm(reset=reset)
    runner.prepare(damaged=True)
    runner.run(1)
    target.asked.clear()
    assert runner.prepare(damaged=False) is new
    assert target.asked == asked
    assert bool(target.sessions) is not new


def test_what_cannot_be_dropped_is_a_reason_to_rebuild(target: ScriptedTarget, storm: Storm, recorder: Recorder) -> None:
    runner = storm()
    runner.prepare(damaged=True)
    target.can_reset = False
    assert runner.prepare(damaged=False)
    assert target.count("rebuild") == 2
    assert any("was rebuilt" in event.text for event in recorder.take() if isinstance(event, Fault))


def test_a_program_whose_objects_stay_is_left_alone_between_repetitions(target: ScriptedTarget, storm: Storm) -> None:
    runner = storm(msgspec.structs.replace(PROGRAM, reset_each=False))
    runner.prepare(damaged=True)
    assert not runner.prepare(damaged=False)
    assert target.asked == ["rebuild", "open main"]


def test_sessions_are_opened_once_for_a_working_database_and_anew_for_the_next(target: ScriptedTarget, storm: Storm) -> None:
    runner = storm()
    for damaged in (True, False, True):
        runner.prepare(damaged=damaged)
        runner.run(1)
    assert [target.count(f"open {name}") for name in ("main", "o_0", "o_1")] == [2, 2, 2]
    assert runner.pids() == {session.pid for session in target.sessions}


# A repetition


def test_the_director_works_before_and_after_the_sessions(target: ScriptedTarget, storm: Storm) -> None:
    runner = storm()
    runner.prepare(damaged=True)
    target.sent.clear()
    runner.run(1)
    runner.finish(1, sound=True)
    who = [name for name, _ in target.sent]
    assert (who[0], sorted(who[1:4]), who[4:]) == ("main", ["o_0", "o_0", "o_1"], ["main"] * 3)
    words = [sql.split()[0] for sql in target.texts("main")]
    assert words == ["FILL", "CHECK", "CHECK", "DROP"]
    assert target.texts("o_0") == ["CREATE TABLE o_0", "ALTER TABLE o_0"]


def test_a_step_that_fails_does_not_keep_its_session_from_the_next_one(target: ScriptedTarget, storm: Storm) -> None:
    target.answer("CREATE TABLE o_0", refused(MISSING))
    runner = storm()
    runner.prepare(damaged=True)
    runner.run(1)
    assert target.texts("o_0") == ["CREATE TABLE o_0", "ALTER TABLE o_0"]
    assert not runner.lost


# Lost sessions


def test_a_session_that_lost_its_connection_is_noticed_until_there_is_a_new_working_database(
    target: ScriptedTarget, storm: Storm, recorder: Recorder
) -> None:
    target.answer("CREATE TABLE o_0", LOST)
    runner = storm()
    runner.prepare(damaged=True)
    before = runner.lost
    runner.run(1)
    assert (before, runner.lost) == (False, True)
    assert target.texts("o_0") == ["CREATE TABLE o_0"], "a lost session does nothing more"
    assert target.texts("o_1") == ["CREATE TABLE o_1"], "the other one goes on"
    assert [event.session for event in raced(recorder.take()) if event.status == "lost"] == ["o_0"]
    runner.prepare(damaged=True)
    assert [runner.lost] == [False]


def test_a_director_that_lost_its_connection_runs_no_further_step(target: ScriptedTarget, storm: Storm) -> None:
    target.answer("CHECK TABLE o_base", LOST)
    runner = storm()
    runner.prepare(damaged=True)
    runner.run(1)
    assert runner.lost
    assert "CHECK TABLE o_0" not in target.texts("main")


def raced(events: list[Event]) -> list[Statement]:
    return [event for event in events if isinstance(event, Statement)]


# The deadline


def test_at_the_deadline_no_session_begins_another_step(target: ScriptedTarget, storm: Storm) -> None:
    def takes_time(_sql: str) -> Outcome:
        threading.Event().wait(0.02)
        return done("WORK")

    target.answer("WORK TABLE o_0", takes_time)
    program = msgspec.structs.replace(PROGRAM, sessions=(ProgramSession("o_0", (step("o_0", "WORK"),) * 1000),))
    runner = storm(program, deadline=time.monotonic() + 0.2)
    runner.prepare(damaged=True)
    with pytest.raises(TimeIsUpError):
        runner.run(1)
    assert 0 < len(target.texts("o_0")) < 100
    assert "CHECK TABLE o_base" not in target.texts("main")


# Interrupts


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


def test_an_interrupt_between_two_looks_ends_a_repetition(
    monkeypatch: pytest.MonkeyPatch, target: ScriptedTarget, storm: Storm
) -> None:
    monkeypatch.setattr(queue, "SimpleQueue", InterruptedBell)
    runner = storm()
    runner.prepare(damaged=True)
    with pytest.raises(KeyboardInterrupt):
        runner.run(1)


# Objects that are kept


def racing(*others: ProgramSession) -> Program:
    """o_0 is created in up to three tries, read and destroyed. The other sessions race with it."""
    create = Step("o_0", "create", "> CREATE TABLE o_0\n> FILL TABLE o_0\n", clear="> CLEAR TABLE o_0\n", tries=3)
    steps = (create, Step("o_0", "manipulate", "> READ TABLE o_0\n"), Step("o_0", "destroy", "> DROP TABLE o_0\n"))
    sessions = (ProgramSession("o_0", steps), *others)
    return msgspec.structs.replace(PROGRAM, refers_to={"o_0": "o_2"}, sessions=sessions, once=(), setup=(), verify=())


def dropping(name: str) -> ProgramSession:
    """Waits until o_0 has been read, and destroys another object."""
    return ProgramSession(name, (Step(name, "destroy", f"> DROP TABLE {name}\n", beat=1),))


def race(storm: Storm, program: Program) -> StormRunner:
    runner = storm(program)
    runner.prepare(damaged=True)
    runner.run(1)
    return runner


def beat_at(program: Program, step: int, beat: int) -> Program:
    """The program, with a rendezvous before a step of o_0."""
    own, *others = program.sessions
    steps = tuple(msgspec.structs.replace(s, beat=beat) if n == step else s for n, s in enumerate(own.steps))
    return msgspec.structs.replace(program, sessions=(msgspec.structs.replace(own, steps=steps), *others))


def test_what_an_internal_error_is_about_and_what_that_is_built_over_is_destroyed_when_everybody_has_rested(
    target: ScriptedTarget, storm: Storm
) -> None:
    target.answer("READ TABLE o_0", refused(INTERNAL))
    runner = race(storm, beat_at(racing(dropping("o_1"), dropping("o_2")), 2, 1))
    raced = [sql for _, sql in target.sent]
    assert "DROP TABLE o_0" not in raced
    assert "DROP TABLE o_2" not in raced, "o_0 is built over it"
    assert "DROP TABLE o_1" in raced, "it has nothing to do with the error"
    runner.finish(1, sound=True)
    assert sorted(target.texts("main")) == ["DROP TABLE o_0", "DROP TABLE o_2", "DROP TABLE o_base"]
    runner.run(2)
    assert "DROP TABLE o_1" in target.texts("o_1")


@pytest.mark.parametrize("sqlstate", [MISSING, CONFLICT])
def test_after_another_error_everything_is_destroyed_in_the_race(target: ScriptedTarget, storm: Storm, sqlstate: str) -> None:
    target.answer("READ TABLE o_0", refused(sqlstate))
    race(storm, racing(dropping("o_1")))
    assert "DROP TABLE o_0" in target.texts("o_0")


def test_one_session_alone_destroys_whatever_failed(target: ScriptedTarget, storm: Storm) -> None:
    target.answer("READ TABLE o_0", refused(INTERNAL))
    race(storm, racing())
    assert "DROP TABLE o_0" in target.texts("o_0")


def busy(target: ScriptedTarget) -> ProgramSession:
    """The session of what o_0 is built over. It is at work until o_0 is read: as long as that, o_0 may be tried again."""
    read = threading.Event()

    def answer_read(_sql: str) -> Outcome:
        read.set()
        return done("READ")

    def answer_alter(_sql: str) -> Outcome:
        assert read.wait(10)
        return done("ALTER")

    target.answer("READ TABLE o_0", answer_read)
    target.answer("ALTER TABLE o_2", answer_alter)
    return ProgramSession("o_2", (step("o_2", "ALTER"),))


def test_what_fails_so_again_at_once_is_not_cleared_for_another_try(target: ScriptedTarget, storm: Storm) -> None:
    target.answer("FILL TABLE o_0", refused(INTERNAL, "lookup failed for 1"), refused(INTERNAL, "lookup failed for 2"))
    race(storm, racing(busy(target)))
    assert target.texts("o_0")[:3] == ["CREATE TABLE o_0", "FILL TABLE o_0", "FILL TABLE o_0"]
    assert "CLEAR TABLE o_0" not in target.texts("o_0")


def test_what_succeeds_at_once_is_cleared_and_tried_again(target: ScriptedTarget, storm: Storm) -> None:
    target.answer("FILL TABLE o_0", refused(INTERNAL), done("FILL"))
    race(storm, racing(busy(target)))
    tried = ["CREATE TABLE o_0", "FILL TABLE o_0", "FILL TABLE o_0", "CLEAR TABLE o_0", "CREATE TABLE o_0", "FILL TABLE o_0"]
    assert target.texts("o_0")[:6] == tried
