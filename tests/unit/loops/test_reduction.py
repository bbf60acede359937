"""The reduction of a finding on a scripted target: what it is reduced to, and how often that shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Baseline, Store
from racehound.data.history import Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.reduction import Reduction, read_reduction
from racehound.judge.errors import judge_errors
from racehound.judge.oracle import ObservedHistory
from racehound.loops.reduction import ReduceOptions, reduce, reduce_all, replay_scene
from racehound.session import Outcome
from tests.unit.programs import statement
from tests.unit.scripted import SCRIPTED, SYNTAX, ScriptedTarget, done, opened, refused

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


def test_what_does_not_show_again_is_not_reduced(finding: Path, target: ScriptedTarget) -> None:
    assert reduced(finding, target, limit_s=0.4) is None
    assert read_reduction(finding) is None


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
