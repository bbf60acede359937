"""The trials of a pair on a scripted target: what becomes of a cell, and how it is compared with the serial orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.matrix import Mode, Outcome
from racehound.databases.effects import STANDARD
from racehound.loops.matrix.journal import PairResult
from racehound.loops.matrix.pair_runner import PairRunner, pair_runner
from racehound.scenarios.pairs import Catalogue, Pair
from racehound.session import Outcome as StatementOutcome
from tests.unit.programs import Box
from tests.unit.scripted import CRASHED, INTERNAL, MISSING, SYNTAX, ScriptedDatabase, ScriptedTarget, done, opened, refused

CATALOGUE = Catalogue((Box,), Box, STANDARD.effect)
OPERATIONS = {operation.name: operation for operation in CATALOGUE.operations()}
PAINT, DROP = "PAINT o_base", "DROP o_base"


class Trials:
    """Runs the pair Box.paint | Box.destroy of the same object."""

    def __init__(self, target: ScriptedTarget, runner: PairRunner, kept: list[Finding]) -> None:
        self.target = target
        self.kept = kept
        """Findings that were not only racehound's to see: they are kept with the matrix."""
        self._runner = runner

    @property
    def pair(self) -> Pair:
        return CATALOGUE.pair(OPERATIONS["Box.paint"], OPERATIONS["Box.destroy"], "same")

    def run(self) -> PairResult:
        return self._runner.run(self.pair)

    def cells(self) -> dict[tuple[bool, Mode], Outcome]:
        """The outcome of each trial, by who comes first and the mode."""
        return {(trial.y_first, trial.mode): trial.outcome for trial in self.run().trials}

    def turns(self) -> list[str]:
        """What the sessions of the present repetition have sent."""
        return [sql for name, sql in self.target.present if name in ("1", "2")]


@pytest.fixture
def trials(tmp_path: Path) -> Iterator[Trials]:
    target = ScriptedTarget()
    kept: list[Finding] = []
    with pair_runner(opened(target, tmp_path), 60.0, lambda finding, _program, _events: kept.append(finding)) as runner:
        yield Trials(target, runner, kept)
    target.stop()


EVERY = [(first, mode) for first in (False, True) for mode in ("together", "commit", "rollback")]


def test_a_pair_is_tried_in_all_modes_and_orders(trials: Trials) -> None:
    result = trials.run()
    assert result.key == ("Box.paint", "Box.destroy", "same")
    assert (result.setup, result.x_does, result.y_does) == (("PREPARE o_base", "CREATE o_base OVER nothing"), (PAINT,), (DROP,))
    assert [(trial.y_first, trial.mode, trial.outcome) for trial in result.trials] == [(*each, "fine") for each in EVERY]
    assert result.trouble == ""


def test_the_second_operation_comes_before_the_end_of_the_first_ones_transaction(trials: Trials) -> None:
    trials.run()
    raced = [(name, sql) for name, sql in trials.target.sent if name in ("1", "2")]
    commits = raced[2:6]
    assert commits == [("1", "BEGIN"), ("1", PAINT), ("2", DROP), ("1", "COMMIT")]


def test_a_statement_that_waits_for_the_first_operation_blocks_the_cell(trials: Trials) -> None:
    trials.target.block(DROP, behind="1")
    cells = trials.cells()
    assert [cells[False, mode] for mode in ("together", "commit", "rollback")] == ["fine", "blocked", "blocked"]


# The comparison with serial orders


def test_an_error_that_also_comes_when_one_begins_after_the_other_is_expected(trials: Trials) -> None:
    trials.target.answer(PAINT, refused(SYNTAX, "it is never painted"))
    result = trials.run()
    assert {trial.outcome for trial in result.trials} == {"no race needed"}
    assert all(trial.signature.startswith("one after the other, too: ") for trial in result.trials)
    assert trials.kept == []


def test_an_error_that_comes_only_in_a_race_is_a_defect_and_is_kept(trials: Trials) -> None:
    def while_it_is_dropped(_sql: str) -> StatementOutcome:
        """In no serial order is there a transaction."""
        return refused(SYNTAX, "half dropped") if trials.turns()[:2] == ["BEGIN", DROP] else done("PAINT")

    trials.target.answer(PAINT, while_it_is_dropped)
    cells = trials.cells()
    assert {each for each, outcome in cells.items() if outcome == "unexplained"} == {(True, "commit"), (True, "rollback")}
    assert {outcome for each, outcome in cells.items() if each[0] is False} == {"fine"}
    assert [finding.severity for finding in trials.kept] == ["unexplained error"] * 2


@pytest.mark.parametrize("first", [PAINT, DROP])
def test_either_serial_order_is_enough(trials: Trials, first: str) -> None:
    """An error that comes when the other operation is over, or has not begun."""

    def at_once(_sql: str) -> StatementOutcome:
        turns = [sql for sql in trials.turns() if sql in (PAINT, DROP)]
        return refused(SYNTAX, "not now") if turns[0] == first else done("PAINT")

    trials.target.answer(PAINT, at_once)
    assert set(trials.cells().values()) == {"fine", "no race needed"}
    assert trials.kept == []


def test_an_internal_error_that_comes_in_a_serial_order_is_no_known_weakness(trials: Trials) -> None:
    """Beside the other operation it looks like one."""
    trials.target.answer(PAINT, refused(INTERNAL, "duplicate key in the catalog"))
    assert set(trials.cells().values()) == {"no race needed"}
    assert trials.kept == []


def test_what_comes_serially_does_not_hide_what_needs_a_race(trials: Trials) -> None:
    def torn(_sql: str) -> StatementOutcome:
        return refused(SYNTAX, "half painted") if "BEGIN" in trials.turns() else done("DROP")

    trials.target.answer(PAINT, refused(INTERNAL, "duplicate key in the catalog"))
    trials.target.answer(DROP, torn)
    result = trials.run()
    assert {trial.mode: trial.outcome for trial in result.trials if not trial.y_first} == {
        "together": "no race needed",
        "commit": "unexplained",
        "rollback": "unexplained",
    }
    assert {(finding.severity, finding.serial_orders) for finding in trials.kept} == {("unexplained error", "clean")}
    assert [each.first_met.repetition for each in trials.kept if each.first_met] == [2, 3, 5, 6]
    assert {(each.schedule, each.together) for each in trials.kept} == {((1, 1, 2, 1), False)}


def test_both_serial_orders_are_run_once_for_each_order_of_the_pair(trials: Trials) -> None:
    trials.target.answer(PAINT, refused(SYNTAX))
    trials.run()
    runs = sum(sql == PAINT for _, sql in trials.target.sent)
    assert runs == 2 * (len(EVERY) + 2 * 2)  # each time it is run again at rest


def test_without_a_defect_nothing_is_compared(trials: Trials) -> None:
    trials.target.answer(PAINT, refused(MISSING, "o_base does not exist"))
    assert set(trials.cells().values()) == {"expected"}
    assert sum(sql == PAINT for _, sql in trials.target.sent) == len(EVERY)


def test_a_crash_is_a_defect_even_if_it_comes_in_every_order(trials: Trials) -> None:
    trials.target.answer(PAINT, CRASHED)
    assert set(trials.cells().values()) == {"crash"}
    assert {finding.severity for finding in trials.kept} == {"crash"}


# Trouble


def test_a_pair_whose_objects_cannot_be_created_is_given_up_after_a_second_try(trials: Trials) -> None:
    trials.target.answer("CREATE .*", refused(SYNTAX, "no room"))
    result = trials.run()
    assert result.trials == ()
    assert "no room" in result.trouble
    assert trials.target.count("rebuild") == 2


def test_an_object_that_can_be_created_at_the_second_try_is_no_trouble(trials: Trials) -> None:
    trials.target.answer("CREATE .*", refused(SYNTAX, "no room"), done("CREATE"))
    result = trials.run()
    assert (len(result.trials), result.trouble) == (len(EVERY), "")


def test_the_oracles_at_rest_judge_a_trial_too(tmp_path: Path) -> None:
    target = ScriptedTarget()
    kept: list[Finding] = []
    given = opened(target, tmp_path)
    assert isinstance(given.database, ScriptedDatabase)
    given.database.oracle.finds = "corruption"
    with pair_runner(given, 60.0, lambda finding, _program, _events: kept.append(finding)) as runner:
        result = Trials(target, runner, kept).run()
    assert {trial.outcome for trial in result.trials} == {"corrupt"}
    target.stop()
