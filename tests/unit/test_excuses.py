"""What racehound has done itself is excused there and then; everything else stays a finding."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from racehound.history import Disturbed, Ends, Event, LogLine, Statement
from racehound.oracles.crash import judge_crashes
from racehound.oracles.errors import judge_errors
from racehound.oracles.excuses import Excuses
from racehound.oracles.oracle import Observed
from racehound.targets.postgres.dialect import POSTGRES
from racehound.targets.target import Target
from tests.unit.programs import program, statement


class _Dead:
    """What a finding asks of a target."""

    dialect = POSTGRES
    release = "18.6"

    def log_around(self, pids: set[int]) -> list[str]:  # noqa: ARG002
        return []


def disturbed(ends: Ends, at: int, pid: int) -> Disturbed:
    return Disturbed(1, "x", at, "x", ends, "o_0", pid, "", at + 1)


def cancelled(start: int, end: int, actor: str = "o_0") -> Statement:
    return statement(actor, f"UPDATE {actor}", start, end, sqlstate="57014", message="canceling statement due to user request")


def lost(start: int, end: int, actor: str = "o_0") -> Statement:
    failed = statement(actor, f"UPDATE {actor}", start, end, sqlstate="08006", message="server closed the connection")
    return msgspec.structs.replace(failed, status="lost")


PID = cancelled(0, 1).pid


def observed(*events: Event) -> Observed:
    return Observed(program(o_0="o_base"), 1, list(events), cast("Target", _Dead()), frozenset())


def test_a_statement_that_was_cancelled_by_a_perturbation_is_expected() -> None:
    assert judge_errors(observed(disturbed("statement", 15, PID), cancelled(10, 20))) == []


@pytest.mark.parametrize(
    "events",
    [
        (cancelled(10, 20),),
        (disturbed("statement", 25, PID), cancelled(10, 20)),
        (disturbed("statement", 15, PID + 1), cancelled(10, 20)),
        (disturbed("session", 15, PID), cancelled(10, 20)),
    ],
    ids=["nobody asked", "asked later", "another session", "something else was done"],
)
def test_a_cancelled_statement_that_nobody_asked_for_is_a_finding(events: tuple[Event, ...]) -> None:
    assert [finding.severity for finding in judge_errors(observed(*events))] == ["unexplained error"]


def test_one_request_cancels_one_statement() -> None:
    first, second = cancelled(10, 20), cancelled(30, 40)
    excuses = Excuses([disturbed("statement", 15, PID), first, second])
    assert (excuses.cover(first), excuses.cover(second)) == (True, False)
    excuses = Excuses([disturbed("statement", 15, PID), disturbed("statement", 35, PID), first, second])
    assert (excuses.cover(first), excuses.cover(second)) == (True, True)


def test_another_error_is_not_excused_by_a_request_to_cancel() -> None:
    internal = statement("o_0", "UPDATE o_0", 10, 20, sqlstate="XX000", message="tuple concurrently updated")
    assert not Excuses([disturbed("statement", 15, PID), internal]).cover(internal)


def test_a_session_that_a_perturbation_ended_is_no_crash() -> None:
    assert judge_crashes(observed(disturbed("session", 15, PID), lost(10, 20))) == []


@pytest.mark.parametrize(
    "events",
    [
        (lost(10, 20),),
        (disturbed("session", 25, PID), lost(10, 20)),
        (disturbed("session", 15, PID), lost(10, 20, "o_1")),
        (disturbed("statement", 15, PID), lost(10, 20)),
        (disturbed("server", 25, PID), lost(10, 20)),
    ],
    ids=["nobody did it", "later", "another session", "only cancelled", "the server was ended later"],
)
def test_a_connection_that_is_lost_otherwise_is_a_crash(events: tuple[Event, ...]) -> None:
    assert [finding.severity for finding in judge_crashes(observed(*events))] == ["crash"]


@pytest.mark.parametrize("killed", ["server process (PID 7)", "client backend (PID 7)"], ids=["up to 17", "since 18"])
def test_the_death_of_a_process_that_was_killed_is_excused_and_no_other(killed: str) -> None:
    ours = LogLine(1, f"LOG:  00000: {killed} was terminated by signal 9: Killed")
    events = (disturbed("server", 15, 7), lost(10, 20), lost(12, 22, "o_1"))
    assert judge_crashes(observed(*events, ours)) == []
    for other in (ours.text.replace("PID 7", "PID 8"), ours.text.replace("signal 9: Killed", "signal 11: Segmentation fault")):
        assert [f.severity for f in judge_crashes(observed(*events, LogLine(1, other)))] == ["crash"]


def test_errors_of_a_server_that_was_ended_are_expected_from_then_on() -> None:
    before = statement("o_0", "UPDATE o_0", 1, 5, sqlstate="57P03", message="the database system is starting up")
    after = msgspec.structs.replace(before, start_ns=20, end_ns=25)
    excuses = Excuses([disturbed("server", 15, PID), before, after])
    assert (excuses.cover(before), excuses.cover(after)) == (False, True)
