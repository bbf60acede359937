"""Serial orders: which statements run in which order, and what is concluded from them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from racehound.data.history import Event, Statement
from racehound.judge.oracle import ObservedHistory
from racehound.loops.retry import Retry, retries
from racehound.loops.serial_orders import serial_outcome
from tests.unit.programs import program, statement
from tests.unit.scripted import INTERNAL, MISSING, SCRIPTED, ScriptedTarget, done, refused

FAILED = statement("o_1", "READ o_0", 50, 60, sqlstate=INTERNAL, message="broken", phase="manipulate")
BROKEN = refused(INTERNAL, "broken")


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    made = ScriptedTarget()
    made.rebuild()
    yield made
    made.stop()


def by_main(sql: str, at: int) -> Statement:
    return msgspec.structs.replace(statement("main", sql, at, at + 1), object="o_base")


def raced(session: str, sql: str, start: int, end: int, sqlstate: str = "") -> Statement:
    made = statement(session, sql, start, end, sqlstate=sqlstate, phase="manipulate")
    return msgspec.structs.replace(made, tag=sql if sql == "COMMIT" else "")


def observed(*events: Event) -> tuple[ObservedHistory, Retry]:
    history = ObservedHistory(program(), 1, list(events), SCRIPTED)
    (retry,) = (retry for retry in retries(history) if FAILED in retry.failed)
    return history, retry


HISTORY = (
    by_main("CREATE o_base", 1),
    raced("o_0", "BEGIN", 10, 11),
    raced("o_0", "PAINT o_0", 12, 13),
    raced("o_2", "PAINT o_2", 20, 45),
    raced("o_0", "COMMIT", 30, 70),
    FAILED,
    raced("o_1", "TURN o_1", 61, 62),
)


def orders(target: ScriptedTarget) -> list[list[str]]:
    """What was sent to each new working database."""
    found: list[list[str]] = []
    for _, sql in target.sent:
        if sql == "CREATE o_base":
            found.append([])
        found[-1].append(sql)
    return found


def test_orders_by_end_by_start_and_by_session_are_run_each_in_a_new_working_database(target: ScriptedTarget) -> None:
    history, retry = observed(*HISTORY)
    assert serial_outcome(target, history, retry, 5.0) == "succeeds"
    first, paint, two, read, turn = "CREATE o_base", ["BEGIN", "PAINT o_0", "COMMIT"], "PAINT o_2", "READ o_0", "TURN o_1"
    assert orders(target) == [
        [first, two, read, turn, *paint, read],
        [first, *paint, two, read, turn, read],
        [first, read, turn, *paint, two, read],
    ], "the order with its session last is that of the starts"
    assert target.count("rebuild") == 1 + 3
    assert target.sessions == []


def test_an_order_in_which_it_fails_the_same_way_is_enough(target: ScriptedTarget) -> None:
    history, retry = observed(*HISTORY)
    target.answer("READ o_0", done("READ"), done("READ"), BROKEN)
    assert serial_outcome(target, history, retry, 5.0) == "fails the same way"
    assert target.count("rebuild") == 1 + 2, "no further order is run"


def test_where_it_gets_another_error_nothing_is_known(target: ScriptedTarget) -> None:
    history, retry = observed(*HISTORY)
    target.answer("READ o_0", refused(MISSING))
    assert serial_outcome(target, history, retry, 5.0) == "undecided"


def test_what_failed_and_what_was_rolled_back_is_left_out(target: ScriptedTarget) -> None:
    rolled_back = (raced("o_2", "BEGIN", 2, 3), raced("o_2", "PAINT o_2", 4, 5), raced("o_2", "ROLLBACK", 6, 7))
    history, retry = observed(by_main("CREATE o_base", 1), *rolled_back, raced("o_0", "PAINT o_0", 8, 9, MISSING), FAILED)
    serial_outcome(target, history, retry, 5.0)
    assert orders(target)[0] == ["CREATE o_base", "READ o_0", "READ o_0"]


def test_the_transaction_of_the_failed_statement_is_run_up_to_it_and_rolled_back(target: ScriptedTarget) -> None:
    own = (raced("o_1", "BEGIN", 40, 41), raced("o_1", "PAINT o_1", 42, 43), FAILED, raced("o_1", "ROLLBACK", 61, 62))
    history, retry = observed(by_main("CREATE o_base", 1), *own)
    serial_outcome(target, history, retry, 5.0)
    again = ["BEGIN", "PAINT o_1", "READ o_0"]
    assert orders(target)[0] == ["CREATE o_base", *again, "ROLLBACK", *again]
