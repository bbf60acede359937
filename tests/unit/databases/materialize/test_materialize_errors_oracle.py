"""Errors of Materialize in their drawers: expected only where some other session's statement could have caused them."""

from __future__ import annotations

from typing import TypedDict

import msgspec
import pytest

from racehound.data.history import Event
from racehound.databases.materialize.dialect import MATERIALIZE
from racehound.judge.oracle import ObservedHistory
from tests.unit.programs import program, statement


class Failure(TypedDict):
    sqlstate: str
    message: str


def drawers(*events: Event) -> dict[str, int]:
    observed = ObservedHistory(program(o_0="o_base", o_1="o_base"), 1, list(events), MATERIALIZE, "18.6")
    return {str(drawer): count for drawer, count in observed.classification.counts.items()}


MADE = msgspec.structs.replace(statement("main", "CREATE TABLE o_base (a TEXT, b TEXT)", 0, 1), object="o_base")
GONE = Failure(sqlstate="XX000", message="unknown catalog item 'o_base'")


@pytest.mark.parametrize(
    ("other", "drawer"),
    [
        ("DROP TABLE o_base CASCADE", "expected"),
        ("ALTER TABLE o_base RENAME TO o_base_tmp_table", "expected"),
        ("CREATE VIEW o_1 AS SELECT * FROM o_base", "unexplained"),
        ("DROP VIEW IF EXISTS o_1_tmp_view", "unexplained"),
        ("GRANT SELECT ON o_base TO r", "unexplained"),
    ],
)
def test_a_missing_item_is_expected_only_where_it_was_dropped_or_renamed(other: str, drawer: str) -> None:
    failed = statement("o_0", "CREATE VIEW o_0 AS SELECT * FROM o_base", 5, 9, **GONE)
    assert drawers(MADE, statement("o_1", other, 2, 6), failed) == {drawer: 1}


def test_what_was_never_made_or_rolled_back_is_missing_for_that_reason() -> None:
    failed = statement(
        "o_0", "CREATE VIEW o_0 AS SELECT * FROM o_1", 8, 9, sqlstate="XX000", message="unknown catalog item 'o_1'"
    )
    assert drawers(MADE, failed) == {"expected": 1}
    window = [
        statement("o_1", sql, at, at + 1) for at, sql in ((2, "BEGIN"), (3, "CREATE VIEW o_1 AS SELECT 1"), (5, "ROLLBACK"))
    ]
    assert drawers(MADE, *window, failed) == {"expected": 1}


@pytest.mark.parametrize(("end", "drawer"), [(9, "expected"), (6, "unexplained")])
def test_what_is_being_made_is_not_there_yet(end: int, drawer: str) -> None:
    first = statement("o_1", "CREATE ROLE rh1_o_1_other", 2, 3, phase="create")
    second = statement("o_1", "CREATE ROLE rh1_o_1", 4, end, phase="create")
    failed = statement("o_0", "ALTER TABLE o_0 OWNER TO rh1_o_1", 7, 8, sqlstate="XX000", message="unknown role 'rh1_o_1'")
    assert drawers(MADE, first, *sorted((second, failed), key=lambda s: s.end_ns)) == {drawer: 1}


def test_a_catalog_that_changed_elsewhere_explains_a_failed_transaction() -> None:
    failed = statement("o_0", "COMMIT", 5, 9, sqlstate="40001", message="object state changed while transaction was in progress")
    assert drawers(MADE, statement("o_1", "CREATE SECRET o_1 AS <redacted>", 2, 6), failed) == {"expected": 1}
    assert drawers(MADE, failed) == {"unexplained": 1}


def test_a_name_that_nobody_has_taken_is_unexplained() -> None:
    taken = Failure(sqlstate="XX000", message="catalog item 'o_0' already exists")
    failed = statement("o_0", "ALTER VIEW o_0_tmp_view RENAME TO o_0", 5, 9, **taken)
    assert drawers(MADE, statement("o_1", "CREATE VIEW o_1 AS SELECT * FROM o_base", 2, 6), failed) == {"unexplained": 1}


def test_an_unknown_message_of_class_xx_is_internal() -> None:
    failed = statement("o_0", "SELECT 1", 5, 9, sqlstate="XX000", message="storage controller lost its mind")
    assert drawers(MADE, failed) == {"internal": 1}
