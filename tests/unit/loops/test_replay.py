"""Replay on a scripted target: what was found in lock-step is run in its schedule, what a storm has found in a storm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import Baseline, Finding, Reproduction, Store, read_finding
from racehound.data.program import Program, ProgramSession, Step
from racehound.loops.replay import replay
from racehound.session import Outcome
from tests.unit.scripted import SYNTAX, ScriptedTarget, done, opened, refused

A, B, C = "ALTER o_0", "DROP o_1", "PAINT o_0"
FINDING = Finding("errors", "unexplained error", f"{SYNTAX} broken from PAINT", "broken")


def step(sql: str) -> Step:
    return Step("o_0", "manipulate", f"> {sql}\n")


PROGRAM = Program(
    1, "concurrent", "", {}, True, (), (),
    (ProgramSession("x", (step(A), step(C))), ProgramSession("y", (step(B),))), (), (),
    check=(Step("o_0", "verify", "> CHECK o_0\n"),),
)  # fmt: skip


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    """PAINT fails in a session named by a number, after ALTER and DROP in this order."""
    scripted = ScriptedTarget()

    def answer(_sql: str) -> Outcome:
        before = [sql for name, sql in scripted.present if name.isdecimal()]
        return refused(SYNTAX, "broken") if before == [A, B, C] else done("PAINT")

    scripted.answer(C, answer)
    yield scripted
    scripted.stop()


def kept(tmp_path: Path, finding: Finding) -> Path:
    Store(tmp_path / "findings", Baseline()).add(finding, PROGRAM, [])
    return tmp_path / "findings" / finding.id


@pytest.mark.parametrize(("schedule", "met"), [((1, 2, 1), 5), ((1, 1, 2), 0)], ids=["its own", "another one"])
def test_a_finding_with_a_schedule_is_replayed_in_it(
    tmp_path: Path, target: ScriptedTarget, schedule: tuple[int, ...], met: int
) -> None:
    directory = kept(tmp_path, msgspec.structs.replace(FINDING, schedule=schedule))
    finding, rate = replay(directory, opened(target, tmp_path), 5, 60.0)
    assert rate.reproduction == finding.reproduction == Reproduction(5, met)
    assert read_finding(directory)[0].reproduction == rate.reproduction
    assert target.texts("main").count("CHECK o_0") == 5


def test_a_storm_is_run_where_it_is_asked_for(tmp_path: Path, target: ScriptedTarget) -> None:
    directory = kept(tmp_path, msgspec.structs.replace(FINDING, schedule=(1, 2, 1)))
    replay(directory, opened(target, tmp_path), 2, 60.0, storm=True)
    assert (len(target.texts("x")), len(target.texts("1"))) == (4, 0)


def test_sessions_that_were_started_together_are_so_again(tmp_path: Path, target: ScriptedTarget) -> None:
    directory = kept(tmp_path, msgspec.structs.replace(FINDING, schedule=(1, 2, 1), together=True))
    replay(directory, opened(target, tmp_path), 1, 60.0)
    assert [sql for name, sql in target.sent if name.isdecimal()] == [A, B, C]
