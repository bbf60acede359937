"""A run's history, repetition by repetition."""

from __future__ import annotations

import msgspec

from racehound.data.history import Event, Judged, PlanStarted, RepetitionEnded, RepetitionStarted
from racehound.report.recorded import kinds_of, repetitions_of_plan
from tests.unit.programs import program
from tests.unit.report.examples import DROPS, GONE, LOOKUP, ODD, repetition


def test_a_history_is_read_repetition_by_repetition() -> None:
    events: list[Event] = [
        PlanStarted(program()), DROPS, RepetitionStarted(1, 20), GONE, RepetitionEnded(1, 40), RepetitionStarted(2, 50), LOOKUP,
    ]  # fmt: skip
    once, first, second = repetitions_of_plan(4, events)
    assert [each.number for each in (once, first, second)] == [0, 1, 2]
    assert {each.plan for each in (once, first, second)} == {4}
    assert first.ended
    assert second.ended is None
    assert list(repetitions_of_plan(1, [DROPS])) == []


def test_classes_follow_their_statements_also_those_from_before_the_first_repetition() -> None:
    setup = msgspec.structs.replace(GONE, repetition=0)
    again = msgspec.structs.replace(ODD, repetition=2)
    events: list[Event] = [
        PlanStarted(program()), setup, RepetitionStarted(1, 20), DROPS, ODD, Judged(0, ((0, "internal"),)),
        Judged(1, ((1, "expected"),)), RepetitionEnded(1, 40), RepetitionStarted(2, 50), again, Judged(2, ((0, "unexplained"),)),
        RepetitionEnded(2, 60),
    ]  # fmt: skip
    once, first, second = repetitions_of_plan(1, events)
    assert once.error_classes[id(setup)] == "internal"
    assert first.error_classes[id(ODD)] == "expected"
    assert second.error_classes == {id(again): "unexplained"}


def test_kinds_are_read_from_the_title_of_a_program() -> None:
    assert kinds_of(repetition().program) == {"o_base": "Table", "o_0": "View", "o_1": "Role"}
    assert kinds_of(msgspec.structs.replace(program(), title="explored: a.sql | o_1.sql")) == {}
