"""When something is tried again, and for how long."""

from __future__ import annotations

import dataclasses

import pytest

from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.statements import is_failure_retried, is_retried


@dataclasses.dataclass(frozen=True)
class Refusal:
    is_final: bool = False


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def run(policy: Policy, results: list[Refusal | None]) -> tuple[Refusal | None, list[float], int]:
    clock, left = Clock(), list(results)
    outcome = until_success(lambda: left.pop(0), policy, lambda: clock.now, clock.sleep)
    return outcome, clock.sleeps, len(results) - len(left)


def test_the_pauses_grow_until_success() -> None:
    outcome, sleeps, tries = run(Policy(), [Refusal(), Refusal(), Refusal(), None])
    assert outcome is None
    assert sleeps == pytest.approx([0.05, 0.075, 0.1125])
    assert tries == 4


def test_the_last_attempt_begins_when_the_timeout_is_over() -> None:
    outcome, sleeps, tries = run(Policy(timeout=0.2), [Refusal()] * 9)
    assert outcome == Refusal()
    assert sleeps == pytest.approx([0.05, 0.075, 0.075])
    assert tries == 4


def test_no_more_tries_than_allowed_and_none_after_the_last_is_slept_for() -> None:
    assert run(Policy(max_tries=2), [Refusal()] * 9) == (Refusal(), [0.05], 2)
    assert run(Policy(max_tries=1), [Refusal()] * 9) == (Refusal(), [], 1)


def test_what_cannot_succeed_any_more_is_given_up() -> None:
    assert run(Policy(), [Refusal(), Refusal(is_final=True), None]) == (Refusal(is_final=True), [0.05], 2)


@pytest.mark.parametrize(
    "sql",
    [
        "FETCH 1 c",
        "EXPLAIN OPTIMIZED PLAN FOR SELECT 1",
        "explain select 1",
        "DISCARD ALL",
        "SET x = 1",
        "-- c\nCREATE TABLE t ()",
        "/* c */ create or replace view v as select 1",
        "ALTER TABLE t RENAME TO u",
        "ALTER INDEX i SET ENABLED",
        "ALTER SINK s SET FROM t",
        "DROP OWNED BY r",
    ],
)
def test_statements_that_are_run_once(sql: str) -> None:
    assert not is_retried(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "INSERT INTO t VALUES ('CREATE')",
        "ALTER TABLE t ADD COLUMN c int",
        "EXPLAIN TIMESTAMP FOR SELECT 1",
        "RESET x",
    ],
)
def test_statements_that_are_tried_again(sql: str) -> None:
    assert is_retried(sql)


@pytest.mark.parametrize("sql", ["COMMIT", "rollback", "FETCH 1 c", "ALTER SINK s SET FROM t", "CREATE CONNECTION c TO KAFKA"])
def test_failures_that_are_awaited_once(sql: str) -> None:
    assert not is_failure_retried(sql)


@pytest.mark.parametrize("sql", ["SELECT 1", "CREATE TABLE t ()", "DROP TABLE t", "ALTER INDEX i RENAME TO j"])
def test_failures_that_are_awaited(sql: str) -> None:
    assert is_failure_retried(sql)
