"""A likely culprit of an internal error is confirmed by running the two statements in lock-step on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import Baseline, Culprit, Finding, Store, read_finding
from racehound.data.history import Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.judge.errors import judge_errors
from racehound.judge.oracle import ObservedHistory
from racehound.loops.reduction import ReduceOptions, Reducer, reduce
from tests.unit.programs import statement

SETUP, ALTER, GRANT = "CREATE TABLE o_0 (a int)", "ALTER TABLE o_0 ADD COLUMN o_0_b int", "GRANT SELECT ON TABLE o_0 TO PUBLIC"
REVOKE = "REVOKE SELECT ON TABLE o_0 FROM PUBLIC"
"""GRANT locks no table, so it meets a row of pg_class that another transaction has written: XX000 tuple concurrently updated."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as target:
        yield target


def step(sql: str) -> Step:
    return Step("o_0", "manipulate", f"> {sql}\n")


PROGRAM = Program(
    1, "concurrent", "", {}, True, (), (step(SETUP),),
    (ProgramSession("1", (step(ALTER),)), ProgramSession("2", (step(GRANT),)), ProgramSession("3", (step(REVOKE),))), (), (),
)  # fmt: skip


def recorded(session: str, sql: str, start: int, end: int, **error: str) -> Statement:
    return statement(session, sql, start, end, about="o_0", phase="manipulate", **error)


@pytest.fixture
def weakness(tmp_path: Path, place: Opened) -> Path:
    """As a storm recorded it: GRANT failed while two others ran."""
    failed = recorded("2", GRANT, 22, 30, sqlstate="XX000", message="tuple concurrently updated")
    failed = msgspec.structs.replace(failed, source="heapam.c:1 simple_heap_update")
    events = [recorded("main", SETUP, 1, 5), recorded("1", ALTER, 20, 28), recorded("3", REVOKE, 21, 27), failed]
    (found,) = judge_errors(ObservedHistory(PROGRAM, 1, list(events), place.target.dialect))
    assert {culprit.certainty for culprit in found.culprits} == {"likely"}
    store = Store(tmp_path / "findings", Baseline())
    store.add(found, PROGRAM, list(events))
    return tmp_path / "findings" / found.id


def known(directory: Path) -> Finding:
    return read_finding(directory)[0]


def test_a_likely_culprit_that_shows_the_error_by_itself_is_confirmed(weakness: Path, place: Opened) -> None:
    assert len(known(weakness).culprits) == 2
    assert Reducer(weakness, place, ReduceOptions(limit_s=30.0)).confirm()
    (culprit,) = known(weakness).culprits
    assert (culprit.failed, culprit.certainty) == ("GRANT SELECT ON TABLE TO PUBLIC", "confirmed")
    assert culprit.other in ("ALTER TABLE ADD COLUMN", "REVOKE SELECT ON TABLE FROM PUBLIC")


def test_a_culprit_that_never_shows_the_error_stays_likely(weakness: Path, place: Opened) -> None:
    innocent = (Culprit("GRANT SELECT ON TABLE TO PUBLIC", "DROP TABLE"),)
    finding = weakness / "finding.json"
    finding.write_bytes(msgspec.json.encode(msgspec.structs.replace(known(weakness), culprits=innocent)))
    assert not Reducer(weakness, place, ReduceOptions(limit_s=30.0)).confirm()
    assert known(weakness).culprits == innocent


def test_the_two_sessions_that_a_finding_was_reduced_to_are_its_culprits(weakness: Path, place: Opened) -> None:
    _, reduction, _ = reduce(weakness, place, ReduceOptions(limit_s=30.0, repetitions=3))
    assert reduction is not None
    (culprit,) = known(weakness).culprits
    assert culprit.certainty == "confirmed"
    assert culprit.failed.startswith("GRANT SELECT ON")
    assert culprit.other.startswith(("ALTER TABLE", "REVOKE"))
