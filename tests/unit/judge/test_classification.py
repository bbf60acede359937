"""The class of a failed statement, by what a scripted dialect says of errors."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from racehound.data.history import Disturbed, ErrorClass, Event, Statement
from racehound.data.program import ProgramSession
from racehound.databases.dialect import Dialect
from racehound.judge.errors import judge_errors
from racehound.judge.injected_faults import InjectedFaults
from racehound.judge.oracle import ObservedHistory
from tests.unit.programs import program, statement
from tests.unit.scripted import CONFLICT, INTERNAL, MISSING, SCRIPTED, SYNTAX

ANYWHERE = dataclasses.replace(SCRIPTED, may_cause=lambda _error, _other: "anywhere")
"""Any write at the same time may cause an error."""
REFERENCES = {"o_0": "o_base", "o_1": "o_base"}


def observed(*events: Event, dialect: Dialect = SCRIPTED) -> ObservedHistory:
    return ObservedHistory(program(**REFERENCES), 1, list(events), dialect)


def class_of(*events: Statement, dialect: Dialect = SCRIPTED) -> ErrorClass:
    """The class of the only statement that failed."""
    ((_, found),) = observed(*events, dialect=dialect).classification.failed
    return found


def failed(sqlstate: str, start: int = 50, end: int = 60) -> Statement:
    return statement("o_0", "ALTER o_0", start, end, sqlstate=sqlstate, message="no", phase="manipulate")


def ended(session: str, end: str, start: int, tag: str | None = None) -> Statement:
    """The end of a transaction, with the tag that the server answered."""
    return msgspec.structs.replace(statement(session, end, start, start + 1), tag=end if tag is None else tag)


# The four classes


@pytest.mark.parametrize(("sqlstate", "expected"), [(CONFLICT, "expected"), (SYNTAX, "unexplained"), (INTERNAL, "internal")])
def test_a_write_of_another_session_explains_only_what_races_bring_about(sqlstate: str, expected: ErrorClass) -> None:
    assert class_of(statement("o_1", "DROP o_base", 40, 55), failed(sqlstate)) == expected


@pytest.mark.parametrize("sqlstate", [CONFLICT, SYNTAX])
def test_where_nobody_else_did_anything_nothing_is_explained(sqlstate: str) -> None:
    assert class_of(statement("o_0", "ALTER o_0", 10, 20), failed(sqlstate)) == "unexplained"


def test_a_statement_without_an_answer_is_lost_whatever_its_sqlstate() -> None:
    assert class_of(msgspec.structs.replace(failed(INTERNAL), status="lost")) == "lost"


@pytest.mark.parametrize(("step", "expected"), [(0, "expected"), (1, "unexplained")])
def test_an_error_that_is_known_beforehand_is_expected_at_its_step_only(step: int, expected: ErrorClass) -> None:
    known = frozenset({("o_0", step, SYNTAX)})
    history = dataclasses.replace(observed(failed(SYNTAX)), known_errors=known)
    assert history.classification.counts == {expected: 1}


def test_an_internal_error_is_one_even_if_it_is_known_beforehand() -> None:
    history = dataclasses.replace(observed(failed(INTERNAL)), known_errors=frozenset({("o_0", 0, INTERNAL)}))
    assert history.classification.counts == {"internal": 1}


CORRUPTED = "XX001"
CHECKED = dataclasses.replace(
    SCRIPTED,
    is_internal=lambda error: error.sqlstate in (INTERNAL, CORRUPTED),
    shows_corruption=lambda error, disturbed: error.sqlstate == CORRUPTED and not disturbed,
)


def check(sqlstate: str, session: str = "o_0") -> Statement:
    return statement(session, "SELECT check('o_0')", 50, 60, sqlstate=sqlstate, message="it is gone", about="o_0", phase="verify")


@pytest.mark.parametrize(
    ("failing", "other_ended", "expected"),
    [
        (check(INTERNAL), 55, "expected"),
        (check(INTERNAL), 45, "internal"),  # what it looks at had come to rest
        (check(INTERNAL, "main"), 55, "internal"),  # all sessions had
        (check(CORRUPTED), 55, "internal"),  # damage stays one
        (failed(INTERNAL), 55, "internal"),  # the session's own statement
    ],
)
def test_a_check_of_racehounds_own_may_lose_what_it_looks_at(failing: Statement, other_ended: int, expected: ErrorClass) -> None:
    raced = msgspec.structs.replace(program(**REFERENCES), sessions=(ProgramSession("o_0", ()), ProgramSession("o_1", ())))
    history = ObservedHistory(raced, 1, [statement("o_1", "DROP o_base", 40, other_ended), failing], CHECKED)
    assert history.classification.counts == {expected: 1}
    assert bool(judge_errors(history)) == (expected == "internal")


def test_what_a_perturbation_brought_about_is_expected() -> None:
    cancelled = failed("57014")
    request = Disturbed(1, "x", 55, "cancel", "statement", "o_0", cancelled.pid, "", 56)
    assert InjectedFaults([request, cancelled]).cover(cancelled)
    assert observed(request, cancelled).classification.counts == {"expected": 1}


# The start of a transaction: what a session knows of the catalogs may be as old


OTHER = statement("o_1", "ALTER o_1", 12, 18, phase="manipulate")
"""A write of another session, between the BEGIN of a transaction at 10 and its statement before the last one, at 30."""
IN_TRANSACTION = (statement("o_0", "BEGIN", 10, 11), OTHER, statement("o_0", "SELECT 1", 30, 31))
ON_ITS_OWN = (statement("o_0", "SELECT 1", 10, 11), OTHER, statement("o_0", "SELECT 1", 30, 31))
COMMITTED = (statement("o_0", "BEGIN", 1, 2), ended("o_0", "COMMIT", 10), OTHER, statement("o_0", "SELECT 1", 30, 31))
BEFORE = (OTHER, statement("o_0", "BEGIN", 20, 21), statement("o_0", "SELECT 1", 30, 31))


@pytest.mark.parametrize(
    ("before", "expected"),
    [(IN_TRANSACTION, "expected"), (ON_ITS_OWN, "unexplained"), (COMMITTED, "unexplained"), (BEFORE, "unexplained")],
    ids=["in the transaction", "without a transaction", "after a transaction", "before the transaction"],
)
def test_a_write_since_the_start_of_the_transaction_explains_an_error_in_it(
    before: tuple[Statement, ...], expected: ErrorClass
) -> None:
    assert class_of(*before, failed(CONFLICT), dialect=ANYWHERE) == expected


@pytest.mark.parametrize(
    ("before", "severity"),
    [(IN_TRANSACTION, "known weakness"), (ON_ITS_OWN, "internal error"), (BEFORE, "internal error")],
    ids=["in the transaction", "without a transaction", "before the transaction"],
)
def test_a_write_since_the_start_of_the_transaction_disturbs_a_statement_in_it(
    before: tuple[Statement, ...], severity: str
) -> None:
    near = tuple(msgspec.structs.replace(s, sql="ALTER o_base") if s is OTHER else s for s in before)
    (found,) = judge_errors(observed(*near, failed(INTERNAL)))
    assert found.severity == severity


# What is missing


def gone(start: int) -> Statement:
    return statement("o_1", "ALTER o_0", start, start + 1, sqlstate=MISSING, message="o_0 does not exist", phase="manipulate")


@pytest.mark.parametrize(
    ("end", "tag", "expected"),
    [("COMMIT", "COMMIT", "unexplained"), ("COMMIT", "ROLLBACK", "expected"), ("ROLLBACK", "ROLLBACK", "expected")],
    ids=["committed", "COMMIT answered by ROLLBACK", "rolled back"],
)
def test_what_was_created_in_a_transaction_exists_only_if_the_server_says_that_it_was_committed(
    end: str, tag: str, expected: ErrorClass
) -> None:
    mine = statement("o_1", "CREATE o_1", 1, 2)
    created = (statement("o_0", "BEGIN", 10, 11), statement("o_0", "CREATE o_0", 12, 13), ended("o_0", end, 14, tag))
    nothing_else = dataclasses.replace(SCRIPTED, may_cause=lambda _error, _other: "none")
    assert class_of(mine, *created, gone(50), dialect=nothing_else) == expected


def test_what_has_not_been_created_yet_may_be_missing() -> None:
    nothing_else = dataclasses.replace(SCRIPTED, may_cause=lambda _error, _other: "none")
    mine, late = statement("o_1", "CREATE o_1", 1, 2), statement("o_0", "CREATE o_0", 60, 61)
    assert class_of(mine, gone(50), late, dialect=nothing_else) == "expected"
