"""Files that version 0.1 wrote are read by this version."""

from __future__ import annotations

from pathlib import Path

from racehound.data.finding import finding_directories, read_finding
from racehound.data.history import Statement, read_history
from racehound.data.matrix import read_matrix, worst
from racehound.data.reduction import read_reduction
from racehound.loops.matrix.journal import matrix_of, read_journal

OLD = Path(__file__).parents[2] / "data/version-0.1"
FINDING = OLD / "run/findings/0bd1080a37"


def test_a_finding_and_its_program() -> None:
    finding, program = read_finding(FINDING)
    assert finding_directories(OLD / "run") == [FINDING]
    assert finding.id == FINDING.name
    assert finding.signature == "pg_depend.refobjid -> pg_operator.oid: row missing"
    assert {statement.session for statement in finding.statements} >= {"main", "o_1"}
    assert [session.name for session in program.sessions] == ["o_base", "o_0", "o_1", "o_2", "o_3"]


def test_the_history_of_a_finding() -> None:
    statements = [event for event in read_history(FINDING / "history.jsonl") if isinstance(event, Statement)]
    assert {statement.session for statement in statements} == {"main", "o_base", "o_0", "o_1", "o_2", "o_3"}


def test_a_reduction() -> None:
    reduction = read_reduction(FINDING)
    assert reduction is not None
    assert reduction.finding == FINDING.name
    assert reduction.scene is not None
    assert reduction.scene.schedule == (1, 1, 2, 1)


def test_a_matrix() -> None:
    matrix = read_matrix(OLD / "matrix")
    assert len(matrix.trials) == 213
    trial = worst(matrix.cells()["Schema.destroy", "Schema.create_inside"])
    assert (trial.relationship, trial.mode, trial.outcome) == ("same", "commit", "corrupt")
    assert matrix.statements(trial)[0][0] == "BEGIN"


def test_the_journal_of_a_matrix() -> None:
    header, results = read_journal(OLD / "matrix/matrix.jsonl")
    assert header.asked.kinds == ("Table", "Schema")
    assert matrix_of(header, results, complete=True) == read_matrix(OLD / "matrix")
