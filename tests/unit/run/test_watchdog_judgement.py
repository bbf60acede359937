from __future__ import annotations

from racehound.databases.target import Wait
from racehound.run.watchdog import judge_waits


def wait(pid: int, *blockers: int) -> Wait:
    return Wait(pid, f"o_{pid}", "active", "X", blockers, "Lock:relation" if blockers else "")


def test_a_cycle_is_a_deadlock() -> None:
    assert judge_waits([wait(1, 2), wait(2, 3), wait(3, 1)], 1, {1, 2, 3}) == "deadlock"


def test_a_stranger_at_the_end_of_the_chain_holds_it() -> None:
    assert judge_waits([wait(1, 2), wait(2, 9), wait(9)], 1, {1, 2}) == "held"


def test_who_waits_for_nobody_is_running() -> None:
    assert judge_waits([wait(1), wait(2)], 1, {1, 2}) == "running"


def test_what_the_program_itself_holds_is_undecided() -> None:
    assert judge_waits([wait(1, 2), wait(2)], 1, {1, 2}) == "undecided"


def test_a_cycle_among_others_is_not_walked_for_ever() -> None:
    assert judge_waits([wait(1, 2), wait(2, 3), wait(3, 2)], 1, {1, 2, 3}) == "undecided"


def test_where_the_server_does_not_tell_nothing_is_said_of_locks() -> None:
    assert judge_waits(None, 1, {1, 2}) == "unknown"
