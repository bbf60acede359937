"""The outcome of each statement: from the history where that holds it, else by classifying again."""

from __future__ import annotations

import msgspec
import pytest

from racehound.data.history import Event, Judged
from racehound.databases.postgres.dialect import POSTGRES
from racehound.report.error_classes import STATEMENT_OUTCOMES, statement_outcomes
from tests.unit.report.examples import DROPS, GONE, LOOKUP, ODD, repetition

LOST = msgspec.structs.replace(GONE, status="lost", sqlstate="")


def outcomes(*events: Event, **ended: int) -> list[str]:
    return [outcome for _, outcome in statement_outcomes(repetition(*events, **ended), POSTGRES)]


def test_the_history_says_the_class_even_where_the_oracle_would_say_another_one() -> None:
    events = (DROPS, GONE, ODD, LOOKUP, Judged(1, ((1, "internal"), (2, "expected"), (3, "unexplained"))))
    assert outcomes(*events, expected=1, internal=1, unexplained=1) == ["ok", "internal", "expected", "unexplained"]


def test_a_history_without_classes_is_classified_again() -> None:
    assert outcomes(DROPS, GONE, LOOKUP, ODD) == ["ok", "expected", "internal", "unexplained"]
    assert outcomes(DROPS, LOST) == ["ok", "lost"]
    assert outcomes(DROPS, LOST, expected=0, lost=1) == ["ok", "lost"]


def test_where_a_history_has_no_classes_its_counts_are_right() -> None:
    assert outcomes(ODD, expected=1) == ["expected"]
    assert outcomes(LOST, ODD, expected=1, lost=1) == ["lost", "expected"]
    assert outcomes(LOOKUP, ODD, expected=1, internal=1) == ["internal", "expected"]


@pytest.mark.parametrize("killed", [False, True])
def test_statements_after_the_last_judgement_are_classified_again(*, killed: bool) -> None:
    """A kill leaves statements that nobody judged."""
    ended = {} if killed else {"internal": 1}
    assert outcomes(ODD, Judged(1, ((0, "internal"),)), LOOKUP, **ended) == ["internal", "internal"]


def test_success_comes_first_and_the_worst_last() -> None:
    assert STATEMENT_OUTCOMES == ("ok", "expected", "unexplained", "internal", "lost")
