"""The reduction of a finding on a scripted target: what it is reduced to, and how often that shows it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import SERIAL_ORDERS, Baseline, Reproduction, Store, read_finding
from racehound.data.history import Mismatch, Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.reduction import Reduction, read_reduction
from racehound.judge.contents import judge_contents
from racehound.judge.errors import judge_errors
from racehound.judge.oracle import ObservedHistory
from racehound.loops.reduction import ReduceOptions, reduce, reduce_all, replay_scene
from racehound.session import Outcome
from tests.unit.programs import statement
from tests.unit.scripted import MISSING, SCRIPTED, SYNTAX, ScriptedTarget, done, opened, refused, rows

ALTER, CREATE, FILL, OTHER = "ALTER o_0", "CREATE o_0", "FILL o_0", "DROP o_1"
HALF_FILLED = refused(SYNTAX, "o_0 is half filled")


def step(sql: str) -> Step:
    return Step("o_0", "manipulate", f"> {sql}\n")


PROGRAM = Program(
    1, "concurrent", "", {}, True, (), (step(CREATE), step(FILL)),
    (ProgramSession("o_0", (step(ALTER),)), ProgramSession("o_1", (step(OTHER),))), (), (),
)  # fmt: skip


def recorded(session: str, sql: str, start: int, **error: str) -> Statement:
    about = "o_1" if session == "o_1" else "o_0"
    return statement(session, sql, start, start + 5, about=about, phase="manipulate", **error)


HISTORY: list[Statement] = [
    recorded("main", CREATE, 1),
    recorded("main", FILL, 10),
    recorded("o_1", OTHER, 20),
    recorded("o_0", ALTER, 22, sqlstate=SYNTAX, message="o_0 is half filled"),
]


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    scripted = ScriptedTarget()
    yield scripted
    scripted.stop()


@pytest.fixture
def finding(tmp_path: Path) -> Path:
    """The directory of the finding of `HISTORY`."""
    (found,) = judge_errors(ObservedHistory(PROGRAM, 1, list(HISTORY), SCRIPTED))
    store = Store(tmp_path / "findings", Baseline())
    store.add(found, PROGRAM, list(HISTORY))
    return tmp_path / "findings" / found.id


def reduced(finding: Path, target: ScriptedTarget, limit_s: float = 60.0) -> Reduction | None:
    """Statements are not shortened: the target reads no text but those of the program."""
    target.readable = {ALTER, CREATE, FILL, OTHER}.__contains__
    options = ReduceOptions(limit_s=limit_s, repetitions=5)
    return reduce(finding, opened(target, finding.parent.parent), options).reduction


def lines(reduction: Reduction | None) -> list[str]:
    assert reduction is not None
    assert reduction.scene is not None
    return [line.sql for line in reduction.scene.lines]


def test_all_that_the_finding_does_not_need_is_left_out(finding: Path, target: ScriptedTarget) -> None:
    def needs_rows(_sql: str) -> Outcome:
        return HALF_FILLED if ("main", FILL) in target.present else done("ALTER")

    target.answer(ALTER, needs_rows)
    reduction = reduced(finding, target)
    assert lines(reduction) == [FILL, ALTER]
    assert reduction is not None
    assert (reduction.reproduction.tried, reduction.reproduction.reproduced) == (5, 5)
    assert reduction.ending == "minimal"
    assert read_reduction(finding) == reduction


def seldom_without_rows(target: ScriptedTarget) -> None:
    """With rows the error always comes. Without them it comes at the first try of the same statements, and never again."""
    tried: set[tuple[str, ...]] = set()

    def answer(_sql: str) -> Outcome:
        before = tuple(sql for _, sql in target.present)
        if FILL in before or before not in tried:
            tried.add(before)
            return HALF_FILLED
        return done("ALTER")

    target.answer(ALTER, answer)


def test_where_the_smallest_scene_shows_it_too_seldom_a_larger_one_is_taken(finding: Path, target: ScriptedTarget) -> None:
    seldom_without_rows(target)
    reduction = reduced(finding, target)
    assert FILL in lines(reduction)
    assert reduction is not None
    assert (reduction.reproduction.tried, reduction.reproduction.reproduced) == (5, 5)
    smaller = [done for done in reduction.passes if done.name == "statements"]
    assert smaller, "a smaller scene was accepted before"
    assert sum(done.shown for done in smaller) > 0


def test_where_none_shows_it_often_enough_the_one_that_does_so_most_often_is_taken(finding: Path, target: ScriptedTarget) -> None:
    def answer(_sql: str) -> Outcome:
        """After six tries it comes every second time where there are rows, and else never."""
        tries = sum(sql == ALTER for _, sql in target.sent)
        rows = ("main", FILL) in target.present
        return HALF_FILLED if tries <= 6 or (rows and tries % 2) else done("ALTER")

    target.answer(ALTER, answer)
    reduction = reduced(finding, target)
    assert FILL in lines(reduction)
    assert reduction is not None
    assert 0 < reduction.reproduction.reproduced < reduction.reproduction.tried


def test_what_does_not_show_again_is_not_reduced_and_it_is_said_what_was_tried(finding: Path, target: ScriptedTarget) -> None:
    done_with = reduce(finding, opened(target, finding.parent.parent), ReduceOptions(0.8, repetitions=5))
    assert done_with.reduction is None
    assert re.fullmatch(
        r"not in lock-step: none of \d+ schedules made from 1 recorded repetition showed it; "
        r"not in a storm: none of [1-9]\d* repetitions of its program did",
        done_with.tried,
    )
    assert read_reduction(finding) is None


# Serial orders

HALF, WHOLE, READ, PASS = "HALF o_1", "WHOLE o_1", "READ o_0", "PASS o_2"


def kept(
    tmp_path: Path, sessions: dict[str, tuple[str, ...]], events: Sequence[Statement | Mismatch], **told: object
) -> tuple[Path, Program]:
    """The directory of the only finding of a history, and its program. `told`: other fields of the finding."""
    raced = tuple(ProgramSession(name, tuple(map(step, texts))) for name, texts in sessions.items())
    check = (Step("o_0", "verify", f"> {READ}\n80\n"),) if any(isinstance(event, Mismatch) for event in events) else ()
    program = Program(1, "concurrent", "", {}, True, (), (step(CREATE), step(FILL)), raced, (), (), check=check)
    history = ObservedHistory(program, 1, list(events), SCRIPTED)
    (found,) = (*judge_errors(history), *judge_contents(history))
    Store(tmp_path / "findings", Baseline()).add(msgspec.structs.replace(found, **told), program, list(events))
    return tmp_path / "findings" / found.id, program


def half_filled_between(target: ScriptedTarget, *between: str) -> None:
    """ALTER fails after all of these statements, unless WHOLE came after them."""

    def answer(_sql: str) -> Outcome:
        before = [sql for _, sql in target.present]
        return HALF_FILLED if set(between) <= set(before) and WHOLE not in before else done("ALTER")

    target.answer(ALTER, answer)


def raced(*turns: tuple[str, str]) -> list[Statement]:
    """The history of turns, after CREATE and FILL. ALTER fails."""
    error = {"sqlstate": SYNTAX, "message": "o_0 is half filled"}
    sent = [("main", CREATE), ("main", FILL), *turns]
    return [recorded(name, sql, 10 * at, **(error if sql == ALTER else {})) for at, (name, sql) in enumerate(sent, 1)]


@pytest.mark.parametrize("schedule", [(), (1, 2, 1)], ids=["a storm's", "a schedule's"])
def test_what_a_serial_order_shows_without_is_not_left_out(
    tmp_path: Path, target: ScriptedTarget, schedule: tuple[int, ...]
) -> None:
    """ALTER fails between HALF and WHOLE. Without WHOLE it would also fail when one session begins after the other."""
    half_filled_between(target, HALF)
    sessions = {"o_1": (HALF, WHOLE), "o_0": (ALTER,)}
    finding, _ = kept(tmp_path, sessions, raced(("o_1", HALF), ("o_0", ALTER), ("o_1", WHOLE)), schedule=schedule)
    target.readable = lambda _sql: False
    done_with = reduce(finding, opened(target, tmp_path), ReduceOptions(20.0, repetitions=5))
    assert lines(done_with.reduction) == [HALF, ALTER, WHOLE]
    assert done_with.reduction is not None
    assert done_with.reduction.scene is not None
    assert done_with.reduction.scene.schedule == (1, 2, 1)
    assert done_with.reduction.reproduction == Reproduction(5, 5)
    assert done_with.finding.serial_orders == read_finding(finding)[0].serial_orders == "clean"


def test_what_needs_three_sessions_keeps_three(tmp_path: Path, target: ScriptedTarget) -> None:
    half_filled_between(target, HALF, PASS)
    sessions = {"o_1": (HALF, WHOLE), "o_2": (PASS, "UNDO o_2"), "o_0": (ALTER,)}
    turns = (("o_1", HALF), ("o_2", PASS), ("o_0", ALTER), ("o_1", WHOLE), ("o_2", "UNDO o_2"))
    finding, _ = kept(tmp_path, sessions, raced(*turns), schedule=(1, 2, 3, 1, 2))
    target.readable = lambda _sql: False
    done_with = reduce(finding, opened(target, tmp_path), ReduceOptions(20.0, repetitions=5))
    assert {HALF, PASS, ALTER, WHOLE} <= set(lines(done_with.reduction))
    assert done_with.finding.serial_orders == "clean"


def test_a_finding_that_a_serial_order_shows_needs_no_race(finding: Path, target: ScriptedTarget) -> None:
    target.answer(ALTER, HALF_FILLED)
    target.readable = lambda _sql: False
    done_with = reduce(finding, opened(target, finding.parent.parent), ReduceOptions(20.0, repetitions=5))
    assert done_with.finding.serial_orders == read_finding(finding)[0].serial_orders == "show it"
    assert lines(done_with.reduction) == [ALTER]
    assert done_with.reduction is not None
    assert "1 statement in 1 session, one after the other, shown 5 of 5 times" in done_with.reduction.facts


# What must hold


def lost_update(target: ScriptedTarget) -> None:
    """Each session reads 100 less what was written by then, and writes ten less than it has read; READ returns what is left."""

    def answer(_sql: str) -> Outcome:
        sent = [sql for _, sql in target.present]
        left, read = 100, {}
        for sql in sent if FILL in sent else []:
            word, _, name = sql.partition(" ")
            if word == "SEE":
                read[name] = left
            elif word == "TAKE" and name in read:
                left = read[name] - 10
        return rows(str(left)) if FILL in sent else refused(MISSING)

    target.answer(READ, answer)


SEEN: list[Statement | Mismatch] = [
    *raced(("o_1", "SEE a"), ("o_2", "SEE b"), ("o_3", "PASS c"), ("o_1", "TAKE a"), ("o_2", "TAKE b")),
    Mismatch(1, "main", "o_0", "verify", READ, "--- expected\n+++ actual\n@@ -1 +1 @@\n-80\n+90", 80, 81),
]
SEERS = {"o_1": ("SEE a", "TAKE a"), "o_2": ("SEE b", "TAKE b"), "o_3": ("PASS c",)}


def test_a_finding_about_a_users_check_is_not_reduced_to_nothing(tmp_path: Path, target: ScriptedTarget) -> None:
    lost_update(target)
    finding, program = kept(tmp_path, SEERS, SEEN, schedule=(1, 2, 3, 1, 2))
    target.readable = lambda _sql: False
    done_with = reduce(finding, opened(target, tmp_path), ReduceOptions(20.0, repetitions=5))
    assert set(lines(done_with.reduction)) == {FILL, "SEE a", "SEE b", "TAKE a", "TAKE b"}
    assert done_with.reduction is not None
    assert done_with.reduction.scene is not None
    assert done_with.reduction.scene.size.sessions == 2
    assert done_with.reduction.scene.check == program.check[0].fragment
    assert done_with.finding.serial_orders == "clean"


def test_a_users_check_that_fails_in_a_serial_order_is_not_reduced(tmp_path: Path, target: ScriptedTarget) -> None:
    target.answer(READ, rows("70"))
    finding, _ = kept(tmp_path, SEERS, SEEN)
    done_with = reduce(finding, opened(target, tmp_path), ReduceOptions(4.0, repetitions=5))
    assert done_with.reduction is None
    assert "of 3 schedules made from" not in done_with.tried
    assert "so did serial orders of the same statements" in done_with.tried
    assert done_with.finding.serial_orders == "show it"
    again = reduce(finding, opened(target, tmp_path), ReduceOptions(4.0, repetitions=5))
    assert (again.reduction, again.tried) == (None, SERIAL_ORDERS["show it"])


# In a storm


def test_what_only_a_storm_shows_keeps_the_smallest_storm_and_says_what_was_tried(finding: Path, target: ScriptedTarget) -> None:
    """ALTER fails while OTHER runs, in a storm only: its sessions have names, those of lock-step have numbers."""
    running = threading.Event()

    def run(_sql: str) -> Outcome:
        running.set()
        threading.Event().wait(0.05)
        running.clear()
        return done("DROP")

    target.answer(OTHER, run, session="o_1")
    target.answer(ALTER, lambda _sql: HALF_FILLED if running.wait(0.05) else done("ALTER"), session="o_0")
    done_with = reduce(finding, opened(target, finding.parent.parent), ReduceOptions(12.0, repetitions=5))
    assert done_with.reduction is not None
    assert done_with.reduction.program is not None
    assert [session.name for session in done_with.reduction.program.sessions] == ["o_0", "o_1"]
    assert done_with.finding.serial_orders == "clean"
    assert "in a storm, shown" in done_with.reduction.facts
    assert "not in lock-step: none of" in done_with.reduction.facts


# The time


@pytest.fixture
def slow_target(target: ScriptedTarget) -> ScriptedTarget:
    """Each statement takes twenty milliseconds; with rows there is the error."""

    def answer(sql: str) -> Outcome:
        threading.Event().wait(0.02)
        return HALF_FILLED if sql == ALTER and ("main", FILL) in target.present else done("OK")

    target.answer(".*", answer)
    return target


@pytest.mark.parametrize("shows", [True, False], ids=["it shows again", "it does not show again"])
def test_a_reduction_keeps_to_its_time(finding: Path, slow_target: ScriptedTarget, shows: bool) -> None:
    if not shows:
        slow_target.answer(ALTER, done("ALTER"))
    started = time.monotonic()
    options = ReduceOptions(limit_s=1.0, repetitions=10_000)
    reduction = reduce(finding, opened(slow_target, finding.parent.parent), options).reduction
    assert time.monotonic() - started < 6.0
    assert (reduction is not None) == shows
    if reduction is not None:
        assert 0 < reduction.reproduction.tried < 10_000, "it is run again as often as there is time for"


def test_all_findings_together_keep_to_their_time_and_it_is_said_which_were_left_out(
    finding: Path, slow_target: ScriptedTarget
) -> None:
    started, shown = time.monotonic(), []
    options = ReduceOptions(limit_s=1.0, repetitions=10_000)
    place = opened(slow_target, finding.parent.parent)
    ended = reduce_all([finding] * 5, place, options, show=lambda each: shown.append(each.finding.id))
    assert time.monotonic() - started < 6.0
    assert shown == [finding.name]
    assert ended.left_out == "4 of 5 findings were not reduced: the time for that was over"


def test_what_a_finding_leaves_of_its_time_is_for_the_others(finding: Path, target: ScriptedTarget) -> None:
    target.answer(ALTER, HALF_FILLED)
    shown: list[str] = []
    ended = reduce_all(
        [finding] * 3, opened(target, finding.parent.parent), ReduceOptions(30.0, repetitions=5),
        show=lambda each: shown.append(each.reduction.ending if each.reduction else "none"),
    )  # fmt: skip
    assert shown == ["minimal"] * 3
    assert (ended.left_out, ended.interrupted) == ("", False)


def test_a_scene_is_replayed_and_its_rate_on_the_release_is_kept(finding: Path, target: ScriptedTarget) -> None:
    target.answer(ALTER, HALF_FILLED)
    reduced(finding, target)
    target.answer(ALTER, HALF_FILLED, HALF_FILLED, done("ALTER"))
    rate = replay_scene(finding, opened(target, finding.parent.parent), 4, 60.0)
    assert rate is not None
    assert (rate.reproduction.tried, rate.reproduction.reproduced, rate.first) == (4, 2, 1)
    known = read_reduction(finding)
    assert known is not None
    assert known.replays == {"1.0": rate.reproduction}
