"""What an exploration says of its findings, on a scripted target: whether a race is needed, and when each was first met."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Baseline, Finding, Store, read_finding
from racehound.data.history import RepetitionEnded, read_history
from racehound.data.run_directory import RunDirectory
from racehound.data.schedule import Schedule, print_schedule
from racehound.loops.explore import Class, Exploration, explore
from racehound.loops.recorded_run import read_scripts
from racehound.run.strategies import ExploreOptions
from tests.unit.scripted import INTERNAL, ScriptedTarget, done, opened, refused, rows

FIRST, SECOND = "PAINT it", "DROP it"
SCRIPTS = {"a.sql": f"BEGIN; {FIRST}; COMMIT;", "b.sql": f"{SECOND};"}


class Lab:
    """Explores two scripts: one in a transaction, and one beside it."""

    def __init__(self, directory: Path, target: ScriptedTarget) -> None:
        self.target = target
        self._directory = directory
        for name, text in SCRIPTS.items():
            (directory / name).write_text(text)

    def explore(self, check: str = "", only: Schedule | None = None) -> Exploration:
        """All interleavings, or the given one twice."""
        file = self._directory / "check.sql"
        file.write_text(check)
        scripts = read_scripts([self._directory / name for name in SCRIPTS], check=file if check else None)
        options = ExploreOptions(seed=1, schedules=2 if only else 100, strategy=None, depth=3, statement_limit_s=60.0, only=only)
        self.run = RunDirectory(self._directory / f"run-{len(list(self._directory.iterdir()))}")
        scratch = self.run.path / "scratch"
        scratch.mkdir()
        return explore(scripts, options, opened(self.target, scratch), self.run, Store(self.run.findings, Baseline()))

    def turns(self) -> list[str]:
        """What the sessions have sent in the present schedule."""
        return [sql for name, sql in self.target.present if name in ("1", "2")]

    def between(self) -> bool:
        """Whether the first session has done its statement, and has not committed."""
        sent = [sql for name, sql in self.target.present if name == "1"]
        return FIRST in sent and "COMMIT" not in sent


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    target = ScriptedTarget()
    yield Lab(tmp_path, target)
    target.stop()


def outcomes(explored: Exploration) -> dict[Class, int]:
    found: dict[Class, int] = {}
    for group in explored.classes:
        found[group.outcome] = found.get(group.outcome, 0) + group.count
    return found


def only(explored: Exploration) -> Finding:
    (finding,) = explored.findings
    return finding


def test_an_internal_error_that_comes_in_every_order_needs_no_race(lab: Lab) -> None:
    """Beside another statement it would count as a known weakness, alone as an internal error: it is one thing all the same."""
    lab.target.answer(SECOND, refused(INTERNAL, "duplicate key in the catalog"))
    explored = lab.explore()
    assert outcomes(explored) == {"no race needed": explored.schedules}
    assert only(explored).serial_orders == "show it"
    assert only(explored).needs_no_race


def test_an_internal_error_that_comes_in_no_serial_order_needs_a_race(lab: Lab) -> None:
    lab.target.answer(SECOND, lambda _sql: refused(INTERNAL, "torn") if lab.between() else done("DROP"))
    explored = lab.explore()
    assert outcomes(explored) == {"internal": 1, "fine": 3}
    assert only(explored).serial_orders == "clean"


def test_the_same_error_of_another_statement_is_not_explained_by_a_serial_order(lab: Lab) -> None:
    lab.target.answer(FIRST, refused(INTERNAL, "torn"))
    lab.target.answer(SECOND, lambda _sql: refused(INTERNAL, "torn") if lab.between() else done("DROP"))
    explored = lab.explore()
    assert {finding.serial_orders for finding in explored.findings} == {"clean", "show it"}
    assert outcomes(explored)["internal"] == 1


def test_a_single_schedule_is_compared_with_the_serial_ones_which_are_not_counted(lab: Lab) -> None:
    lab.target.answer(SECOND, refused(INTERNAL, "duplicate key in the catalog"))
    explored = lab.explore(only=(1, 2, 1, 1))
    assert outcomes(explored) == {"no race needed": 2}
    (history,) = (lab.run.path / "history").iterdir()
    assert [each.repetition for each in read_history(history) if isinstance(each, RepetitionEnded)] == [1, 2]


def test_a_check_that_fails_in_every_order_is_a_wrong_result_that_needs_no_race(lab: Lab) -> None:
    lab.target.answer("SELECT broken", rows("x"))
    explored = lab.explore(check="SELECT broken")
    assert outcomes(explored) == {"wrong": explored.schedules}
    assert explored.classes[0].reasons[0].startswith("no race needed: SELECT broken")
    assert not only(explored).needs_no_race


def test_an_sql_check_must_return_no_row(lab: Lab) -> None:
    lab.target.answer("SELECT twice", lambda _sql: rows("1 seat") if lab.turns()[:3] == ["BEGIN", FIRST, SECOND] else rows())
    explored = lab.explore(check="SELECT twice")
    assert outcomes(explored) == {"wrong": 1, "fine": 3}
    finding = only(explored)
    assert finding.severity == "wrong result"
    assert '"1 seat"' in finding.title
    assert any(line.startswith('+"1 seat"') for line in finding.detail)


def test_each_statement_of_a_check_must_return_no_row(lab: Lab) -> None:
    lab.target.answer("SELECT one", rows("1"))
    lab.target.answer("SELECT two", rows())
    lab.target.answer("SELECT three", rows("3"))
    explored = lab.explore(check="SELECT one; SET x = 1; SELECT two; SELECT three")
    assert sorted(finding.title.rpartition(": ")[2] for finding in explored.findings) == ["got 1", "got 3"]


def test_rows_that_differ_make_no_other_finding_of_a_check_that_must_return_none(lab: Lab) -> None:
    numbers = iter(range(1000))
    lab.target.answer("SELECT one", lambda _sql: rows(*("ab"[next(numbers) % 2] for _ in range(1 + next(numbers) % 3))))
    assert only(lab.explore(check="SELECT one")).severity == "wrong result"


def test_a_finding_says_when_it_was_first_met(lab: Lab) -> None:
    lab.target.answer(SECOND, lambda _sql: refused(INTERNAL, "torn") if lab.between() else done("DROP"))
    finding = only(lab.explore())
    assert finding.first_met is not None
    assert finding.detail[-1] == f"schedule: {print_schedule(finding.schedule)}"
    assert finding.first_met.repetition == 3  # after the two serial schedules
    assert read_finding(lab.run.findings / finding.id)[0].first_met == finding.first_met
