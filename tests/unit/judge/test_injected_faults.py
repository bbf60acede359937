"""What racehound has done itself is excused there and then; everything else stays a finding."""

from __future__ import annotations

import msgspec
import pytest

from racehound.data.finding import Finding
from racehound.data.history import Disturbed, Ends, Event, Fault, LogLine, Mismatch, Statement
from racehound.data.plan import WindowEnd
from racehound.data.program import ProgramSession, Step
from racehound.databases.dialect import Dialect
from racehound.databases.materialize.dialect import MATERIALIZE
from racehound.databases.postgres.dialect import POSTGRES
from racehound.judge.contents import judge_contents
from racehound.judge.crash import judge_crashes
from racehound.judge.errors import judge_errors
from racehound.judge.injected_faults import InjectedFaults
from racehound.judge.oracle import ObservedHistory
from racehound.judge.outage import lost_from_outside
from tests.unit.programs import program, statement


def disturbed(ends: Ends, at: int, pid: int) -> Disturbed:
    return Disturbed(1, "x", at, "x", ends, "o_0", pid, "", at + 1)


def cancelled(start: int, end: int, session: str = "o_0") -> Statement:
    return statement(
        session, f"UPDATE {session}", start, end, sqlstate="57014", message="canceling statement due to user request"
    )


def lost(start: int, end: int, session: str = "o_0") -> Statement:
    failed = statement(session, f"UPDATE {session}", start, end, sqlstate="08006", message="server closed the connection")
    return msgspec.structs.replace(failed, status="lost")


PID = cancelled(0, 1).pid


def observed(*events: Event, dialect: Dialect = POSTGRES) -> ObservedHistory:
    return ObservedHistory(program(o_0="o_base"), 1, list(events), dialect, "18.6")


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
    excuses = InjectedFaults([disturbed("statement", 15, PID), first, second])
    assert (excuses.cover(first), excuses.cover(second)) == (True, False)
    excuses = InjectedFaults([disturbed("statement", 15, PID), disturbed("statement", 35, PID), first, second])
    assert (excuses.cover(first), excuses.cover(second)) == (True, True)


def test_another_error_is_not_excused_by_a_request_to_cancel() -> None:
    internal = statement("o_0", "UPDATE o_0", 10, 20, sqlstate="XX000", message="tuple concurrently updated")
    assert not InjectedFaults([disturbed("statement", 15, PID), internal]).cover(internal)


def test_a_session_that_a_perturbation_ended_was_not_lost_from_outside() -> None:
    assert lost_from_outside([disturbed("session", 15, PID), lost(10, 20)]) == []
    assert lost_from_outside([Fault(1, f"terminated o_0 (pid {PID}): it ignored", 15), lost(10, 20)]) == []


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
def test_a_connection_that_is_lost_otherwise_was(events: tuple[Event, ...]) -> None:
    assert lost_from_outside(events) == [events[-1]]
    assert judge_crashes(observed(*events)) == [], "why it was lost is another question"


@pytest.mark.parametrize("killed", ["server process (PID 7)", "client backend (PID 7)"], ids=["up to 17", "since 18"])
def test_the_death_of_a_process_that_was_killed_is_excused_and_no_other(killed: str) -> None:
    ours = LogLine(1, f"LOG:  00000: {killed} was terminated by signal 9: Killed")
    events = (disturbed("server", 15, 7), lost(10, 20), lost(12, 22, "o_1"))
    assert judge_crashes(observed(*events, ours)) == []
    foreign = ours.text.replace("PID 7", "PID 8")
    assert judge_crashes(observed(*events, LogLine(1, foreign))) == [], "SIGKILL comes from outside, whoever sent it"
    crashed = ours.text.replace("signal 9: Killed", "signal 11: Segmentation fault")
    assert [f.severity for f in judge_crashes(observed(*events, LogLine(1, crashed)))] == ["crash"]


def test_errors_of_a_server_that_was_ended_are_expected_from_then_on() -> None:
    before = statement("o_0", "UPDATE o_0", 1, 5, sqlstate="57P03", message="the database system is starting up")
    after = msgspec.structs.replace(before, start_ns=20, end_ns=25)
    excuses = InjectedFaults([disturbed("server", 15, PID), before, after])
    assert (excuses.cover(before), excuses.cover(after)) == (False, True)


@pytest.mark.parametrize("ours", [True, False])
def test_an_object_whose_making_was_interrupted_may_be_missing(ours: bool) -> None:
    made = statement("o_0", "CREATE VIEW o_0_view AS SELECT 1", 1, 5)
    broken = msgspec.structs.replace(lost(10, 20), sql="CREATE INDEX o_0 ON o_0_view (a)")
    dropped = statement(
        "main", "DROP INDEX o_0", 30, 35, sqlstate="XX000", message="unknown catalog item 'o_0'", about="o_0", phase="destroy"
    )
    noted = [disturbed("session", 15, PID)] if ours else []
    found = judge_errors(observed(made, broken, *noted, dropped, dialect=MATERIALIZE))
    assert [finding.severity for finding in found] == ([] if ours else ["unexplained error"])


def test_a_service_that_was_killed_may_not_be_reached_and_nothing_else_is_excused() -> None:
    def refused(start: int, message: str) -> Statement:
        return statement("o_0", "CREATE SOURCE o_0", start, start + 5, sqlstate="XX000", message=message)

    before, after = (refused(start, "failed to connect to PostgreSQL database") for start in (1, 20))
    another = refused(30, "internal error: CONNECTION o_0 panicked")
    excuses = InjectedFaults([before, disturbed("service", 15, PID), after, another])
    assert [excuses.cover(each) for each in (before, after, another)] == [False, True, False]


def half_made(*, window: WindowEnd = "none", again: bool = False, ours: bool = True) -> list[Finding]:
    """What is found in an object that lacks rows after its creation was interrupted."""
    step = Step("o_0", "create", "> CREATE TABLE o_0 (a TEXT)\n> INSERT INTO o_0 VALUES (1)", window=window)
    racing = msgspec.structs.replace(program(o_0="o_base"), sessions=(ProgramSession("o_0", (step,)),))
    made = statement("o_0", "CREATE TABLE o_0 (a TEXT)", 1, 5)
    tries = [made, cancelled(10, 20)]
    if again:
        tries.append(msgspec.structs.replace(made, attempt=2, start_ns=30, end_ns=35))
    noted = [disturbed("statement", 15, PID)] if ours else []
    fewer = Mismatch(1, "main", "o_0", "verify", "SELECT count(*) FROM o_0", "-1\n+0", 40, 45)
    looked = ObservedHistory(racing, 1, [*tries, *noted, fewer], POSTGRES, "18.6")
    return judge_contents(looked)


def test_what_lacks_of_an_object_whose_making_was_interrupted_is_no_wrong_result() -> None:
    assert half_made() == []


def test_it_is_one_where_it_was_made_again_or_in_a_transaction_or_where_somebody_else_interrupted() -> None:
    for found in (half_made(again=True), half_made(window="commit"), half_made(ours=False)):
        assert [finding.severity for finding in found] == ["wrong result"]
