"""Timelines: bars, marks, and what a finding's statements have to do with each other."""

from __future__ import annotations

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Blocked, Overdue
from racehound.databases.postgres.dialect import POSTGRES
from racehound.report.error_classes import STATEMENT_OUTCOMES, statement_outcomes
from racehound.report.timeline import FAILED, timeline
from tests.unit.report.examples import DROPS, GONE, ODD, repetition


def test_a_timeline_marks_what_failed_and_what_ran_beside_it() -> None:
    case = repetition(DROPS, GONE, ODD, Overdue(1, "o_0", "SELECT 1", 5, 0.001, ("o_0 waits",), "held"))
    finding = Finding("errors", "unexplained error", "x", f"42P01 {GONE.message}", statements=(DROPS, GONE))
    drawn = timeline("", [(case, statement_outcomes(case, POSTGRES))], finding)
    assert [drawn.texts[bar.sql_text] for bar in drawn.bars if bar.role == FAILED] == [GONE.sql]
    assert [STATEMENT_OUTCOMES[bar.outcome] for bar in drawn.bars] == ["ok", "expected", "unexplained"]
    assert drawn.window == (0.0, 0.012)
    (mark,) = drawn.marks
    assert mark.at_us == pytest.approx(1000.005)
    assert "o_0 waits" in mark.text
    assert drawn.sessions == ["o_1", "o_0", "o_3"]


def test_a_statement_that_waited_says_from_when_on() -> None:
    case = repetition(GONE, Blocked(1, "o_0", GONE.sql, 8, ("o_1",)))
    (bar,) = timeline("", [(case, statement_outcomes(case, POSTGRES))]).bars
    assert bar.blocked_us == pytest.approx(0.003)
