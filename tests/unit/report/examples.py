"""A recorded repetition, with one statement of each outcome but `lost`."""

from __future__ import annotations

import msgspec

from racehound.data.history import Event, PlanStarted, RepetitionEnded, RepetitionStarted
from racehound.report.recorded import Repetition, repetitions_of_plan
from tests.unit.programs import program, statement

DROPS = statement("o_1", "DROP TABLE o_base CASCADE", 0, 10, phase="destroy")
GONE = statement("o_0", "CREATE VIEW o_0 AS TABLE o_base", 5, 12, sqlstate="42P01", message='relation "o_base" does not exist')
LOOKUP = statement("o_2", "ALTER TABLE o_2", 5, 20, sqlstate="XX000", message="cache lookup failed for relation 1")
ODD = statement("o_3", "SELECT o_3", 30, 40, sqlstate="22012", message="division by zero")
TITLE = "Table o_base; View o_0 over o_base; Role o_1 over o_base"


def repetition(*events: Event, **ended: int) -> Repetition:
    """The first repetition of a plan. `ended`: the counts of its RepetitionEnded; without any it has none, as after a kill."""
    last = [msgspec.structs.replace(RepetitionEnded(1, 100), **ended)] if ended else []
    titled = msgspec.structs.replace(program(), title=TITLE)
    (read,) = repetitions_of_plan(1, [PlanStarted(titled), RepetitionStarted(1, 0), *events, *last])
    return read
