"""Outcomes by kind and step."""

from __future__ import annotations

import msgspec

from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.kinds import KINDS
from racehound.report.error_classes import statement_outcomes
from racehound.report.statistics import Statistics
from tests.unit.report.examples import DROPS, GONE, repetition


def test_a_step_that_never_succeeded_is_a_hole() -> None:
    statistics = Statistics()
    tries = [msgspec.structs.replace(GONE, attempt=attempt) for attempt in (1, 2)]
    made = [msgspec.structs.replace(DROPS, sql=sql, start_ns=at) for at, sql in enumerate(("BEGIN", "DROP ROLE o_1", "COMMIT"))]
    case = repetition(*tries, *made, expected=2)
    statistics.add(case, statement_outcomes(case, POSTGRES))
    rows = {(row.kind, row.step): row for row in statistics.rows()}
    view, role = rows["View", "(create)"], rows["Role", "(destroy)"]
    assert (view.tries, view.succeeded) == (2, 0)
    assert (role.tries, role.succeeded) == (1, 1)
    assert view.errors == {"42P01 relation OBJECT does not exist": 2}


def test_manipulations_that_were_never_drawn_have_a_row_without_tries() -> None:
    statistics = Statistics()
    case = repetition(DROPS)
    statistics.add(case, statement_outcomes(case, POSTGRES))
    tries = {(row.kind, row.step): row.tries for row in statistics.rows(KINDS)}
    assert tries["Role", "(destroy)"] == 1
    assert 0 in tries.values()
    assert {kind for kind, _ in tries} == {"Role"}
