"""The contents of the page, and that nothing in them can break out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from racehound.data.finding import SERIAL_ORDERS, Baseline, Finding, FirstMet, Store
from racehound.data.history import PlanStarted, RepetitionEnded, RepetitionStarted
from racehound.data.matrix import Matrix, Operation, Trial
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.kinds import KINDS
from racehound.report.html.contents import gather
from racehound.report.html.page import page
from tests.unit.programs import program
from tests.unit.report.examples import DROPS, ODD


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with one plan, of statements that try to break out of a page."""
    facts = {
        "target": "postgres",
        "server_release": "18.6",
        "clock_zero_unix_s": 0.0,
        "options": {"seed": 2**63 - 1, "runtime_s": 6.0, "plan_limit_s": None, "kinds": []},
    }
    (tmp_path / "run.json").write_text(json.dumps(facts))
    (tmp_path / "history").mkdir()
    (tmp_path / "findings").mkdir()
    nasty = msgspec.structs.replace(ODD, sql="SELECT '</script><script>alert(1)</script>\u2028<!--'")
    events = [PlanStarted(program()), RepetitionStarted(1, 0), DROPS, nasty, RepetitionEnded(1, 100, unexplained=1)]
    (tmp_path / "history/000001-1.jsonl").write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return tmp_path


def contents_in(text: str) -> dict[str, Any]:
    between = text.split('<script type="application/json" id="contents">')[1].split("</script>", maxsplit=1)[0]
    decoded: dict[str, Any] = json.loads(between)
    return decoded


def test_nothing_that_was_recorded_leaves_its_place_on_the_page(run: Path) -> None:
    text = page(gather(run, POSTGRES, KINDS, (1,)))
    assert text.count("<script") == 2
    assert any("<script>alert(1)" in shown for shown in contents_in(text)["plans"][0]["texts"])
    facts = dict(contents_in(text)["facts"])
    assert facts["seed"] == str(2**63 - 1)
    assert dict(contents_in(text)["settings"]) == {"runtime": "6 s", "plan limit": "–", "kinds": "all"}
    assert contents_in(text)["verdict"] == "no findings, no summary: the run goes on, or was killed"


def test_the_page_shows_a_matrix_where_there_is_one(run: Path) -> None:
    operations = (Operation("Table.create", "Table"), Operation("Schema.destroy", "Schema", "DROP SCHEMA"))
    trial = Trial("Table.create", "Schema.destroy", "same", "commit", "corrupt", "row missing", (1, 2, 1), 0, (1, 2))
    texts = (("CREATE SCHEMA o",), ("BEGIN", "CREATE TABLE o.t ()", "COMMIT"), ("DROP SCHEMA o",))
    (run / "matrix.json").write_bytes(msgspec.json.encode(Matrix("postgres", "18.3", operations, texts, (trial,))))
    shown = contents_in(page(gather(run, POSTGRES, KINDS)))["matrix"]
    ((x, y, meeting, outcome, schedule, setup, sessions, reason),) = shown["trials"]
    assert (shown["operations"][x], shown["operations"][y]) == ("Table.create", "Schema.destroy")
    assert (shown["meetings"][meeting], shown["outcomes"][outcome]) == ("same, commit", "corrupt")
    assert (schedule, [shown["texts"][each] for each in (setup, *sessions)]) == ([1, 2, 1], [list(text) for text in texts])
    assert shown["reasons"][reason] == "row missing"


def test_a_finding_on_the_page_says_when_it_was_met_what_follows_from_it_and_whether_it_needs_a_race(run: Path) -> None:
    finding = Finding(
        "catalog", "corruption", "row missing", "row missing",
        first_met=FirstMet(12.5, 1234), serial_orders="clean", consequences=("corruption 0123456789: pg_dump fails",),
    )  # fmt: skip
    alone = Finding("errors", "internal error", "23505", "23505", serial_orders="show it")
    store = Store(run / "findings", Baseline())
    for each in (finding, alone):
        store.add(each, program(), [])
    shown = contents_in(page(gather(run, POSTGRES, KINDS)))
    first, second = shown["findings"]
    assert first["first_met"] == "after 12.5 s, in repetition 1,234 of the run"
    assert (first["serial_orders"], first["consequences"]) == (SERIAL_ORDERS["clean"], list(finding.consequences))
    assert (first["needs_no_race"], second["needs_no_race"]) == (False, True)
    assert shown["verdict"].startswith("1 finding, 1 that needs no race")


def test_the_totals_are_those_of_the_histories(run: Path) -> None:
    contents = gather(run, POSTGRES, KINDS)
    assert contents.totals == [1, 0, 1, 0, 0]
