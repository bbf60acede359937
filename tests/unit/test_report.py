"""What reports are made from: drawers, statistics, timelines, logs, rates; and the texts that other programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from racehound.data.finding import Finding
from racehound.data.history import Blocked, Event, Overdue, PlanStarted, RepetitionEnded, RepetitionStarted
from racehound.data.matrix import Matrix, Operation, Trial
from racehound.data.program import ProgramSession, Step
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.kinds import KINDS
from racehound.report.again import again
from racehound.report.drawers import became
from racehound.report.github import annotation_lines
from racehound.report.html.contents import gather
from racehound.report.html.page import page
from racehound.report.rates import BUCKETS_LIMIT, Clock
from racehound.report.recorded import Repetition, kinds_of, of_plan
from racehound.report.server_log import LINES_LIMIT, Span, fill
from racehound.report.statistics import Statistics
from racehound.report.timeline import FAILED, timeline
from tests.unit.programs import program, statement

DROPS = statement("o_1", "DROP TABLE o_base CASCADE", 0, 10, phase="destroy")
GONE = statement("o_0", "CREATE VIEW o_0 AS TABLE o_base", 5, 12, sqlstate="42P01", message='relation "o_base" does not exist')
LOOKUP = statement("o_2", "ALTER TABLE o_2", 5, 20, sqlstate="XX000", message="cache lookup failed for relation 1")
ODD = statement("o_3", "SELECT o_3", 30, 40, sqlstate="22012", message="division by zero")


def repetition(*events: Event, **ended: int) -> Repetition:
    last = [msgspec.structs.replace(RepetitionEnded(1, 100), **ended)] if ended else []
    whole: list[Event] = [RepetitionStarted(1, 0), *events, *last]
    titled = msgspec.structs.replace(program(), title="Table o_base; View o_0 over o_base; Role o_1 over o_base")
    return Repetition(1, titled, 1, whole)


def drawers(*events: Event, **ended: int) -> list[str]:
    return [drawer for _, drawer in became(repetition(*events, **ended), POSTGRES)]


def test_each_statement_gets_the_drawer_that_the_oracle_gave_it() -> None:
    assert drawers(DROPS, GONE, LOOKUP, ODD) == ["ok", "expected", "internal", "unexplained"]
    lost = msgspec.structs.replace(GONE, status="lost", sqlstate="")
    assert drawers(DROPS, lost, expected=0, lost=1) == ["ok", "lost"]


def test_what_was_recorded_has_the_last_word() -> None:
    assert drawers(ODD, expected=1) == ["expected"]
    assert drawers(LOOKUP, ODD, expected=1, internal=1) == ["internal", "expected"]


def test_a_history_is_read_repetition_by_repetition() -> None:
    events: list[Event] = [
        PlanStarted(program()), DROPS, RepetitionStarted(1, 20), GONE, RepetitionEnded(1, 40), RepetitionStarted(2, 50), LOOKUP,
    ]  # fmt: skip
    once, first, second = of_plan(4, events)
    assert [each.number for each in (once, first, second)] == [0, 1, 2]
    assert {each.plan for each in (once, first, second)} == {4}
    assert first.ended
    assert second.ended is None
    assert list(of_plan(1, [DROPS])) == []


def test_kinds_are_read_from_the_title_of_a_program() -> None:
    assert kinds_of(repetition().program) == {"o_base": "Table", "o_0": "View", "o_1": "Role"}
    assert kinds_of(msgspec.structs.replace(program(), title="explored: a.sql | o_1.sql")) == {}


def test_a_step_that_never_got_through_is_a_hole() -> None:
    statistics = Statistics()
    tries = [msgspec.structs.replace(GONE, attempt=attempt) for attempt in (1, 2)]
    made = [msgspec.structs.replace(DROPS, sql=sql, start_ns=at) for at, sql in enumerate(("BEGIN", "DROP ROLE o_1", "COMMIT"))]
    case = repetition(*tries, *made, expected=2)
    statistics.add(case, became(case, POSTGRES))
    rows = {(row.kind, row.step): row for row in statistics.rows()}
    view, role = rows["View", "(create)"], rows["Role", "(destroy)"]
    assert (view.tries, view.succeeded) == (2, 0)
    assert (role.tries, role.succeeded) == (1, 1)
    assert view.errors == {"42P01 relation OBJECT does not exist": 2}


def test_manipulations_that_were_never_drawn_are_told_of_the_kinds_that_were() -> None:
    statistics = Statistics()
    case = repetition(DROPS)
    statistics.add(case, became(case, POSTGRES))
    told = {(row.kind, row.step): row.tries for row in statistics.rows(KINDS)}
    assert told["Role", "(destroy)"] == 1
    assert 0 in told.values()
    assert {kind for kind, _ in told} == {"Role"}


def test_a_timeline_marks_what_failed_and_what_ran_beside_it() -> None:
    case = repetition(DROPS, GONE, ODD, Overdue(1, "o_0", "SELECT 1", 5, 0.001, ("o_0 waits",), "held"))
    finding = Finding("errors", "unexplained error", "x", f"42P01 {GONE.message}", statements=(DROPS, GONE))
    drawn = timeline("", [(case, became(case, POSTGRES))], finding)
    assert [drawn.texts[bar.sql_text] for bar in drawn.bars if bar.role == FAILED] == [GONE.sql]
    assert drawn.window == (0.0, 0.012)
    (mark,) = drawn.marks
    assert mark.at_us == pytest.approx(1000.005)
    assert "o_0 waits" in mark.text
    assert drawn.sessions == ["o_1", "o_0", "o_3"]


def test_a_statement_that_waited_says_from_when_on() -> None:
    case = repetition(GONE, Blocked(1, "o_0", GONE.sql, 8, ("o_1",)))
    (bar,) = timeline("", [(case, became(case, POSTGRES))]).bars
    assert bar.blocked_us == pytest.approx(0.003)


def test_the_log_is_cut_to_each_span_and_keeps_no_password(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(
        "no time at all\n"
        "1970-01-01 00:00:10.000 UTC\t7\tcheckpointer\t\t00000\tLOG:  00000: early\n"
        "1970-01-01 00:00:20.000 UTC\t8\tclient backend\tracehound rh12345678 o_4\t42P01\tERROR:  42P01: gone\n"
        "\tpostgres://me:secret@host/\n"
        "1970-01-01T00:00:21.500000Z INFO another server's way\n"
        "1970-01-01 00:00:30.000 UTC\t7\tcheckpointer\t\t00000\tLOG:  00000: late\n"
    )
    zero = 5.0
    one, other = Span(14_900_000_000, 17_000_000_000), Span(25_000_000_000, 25_000_000_000)
    fill([one, other], log, zero)
    first, second = one.lines
    assert (first.at_us, first.pid) == (100_000, 8)
    assert first.text == "o_4: ERROR:  42P01: gone\n\tpostgres://me:***@host/"
    assert (second.pid, second.text) == (0, "INFO another server's way")
    assert [line.text for line in other.lines] == ["checkpointer: LOG:  00000: late"]


def test_a_long_log_says_how_much_was_left_out(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("1970-01-01 00:00:01.000 UTC said\n" * (LINES_LIMIT + 3))
    span = Span(0, 2_000_000_000)
    fill([span], log, 0.0)
    assert (len(span.lines), span.left_out) == (LINES_LIMIT, 3)


def test_a_long_run_has_wider_buckets_and_loses_nothing() -> None:
    clock = Clock()
    for second in range(1000):
        at_ns = 10**12 + second * 10**9
        done = msgspec.structs.replace(DROPS, start_ns=at_ns, end_ns=at_ns)
        case = Repetition(1, program(), second, [done, RepetitionEnded(second, at_ns, findings=("f",))])
        clock.add(case, [(done, "ok")])
    course = clock.course()
    assert len(course.buckets) <= BUCKETS_LIMIT
    assert sum(bucket.repetitions for bucket in course.buckets) == 1000
    assert sum(bucket.drawers[0] for bucket in course.buckets) == 1000
    assert course.meetings["f"][:3] == [0, 1, 2]


def test_an_exploration_is_shown_again_by_its_schedule() -> None:
    steps = (Step("scripts", "prepare", "> SELECT 1\n"),)
    explored = msgspec.structs.replace(program(), sessions=(ProgramSession("1", ()), ProgramSession("2", ())), verify=steps)
    finding = Finding("contents", "wrong result", "x", "y", detail=("schedule: 1 2 1",))
    facts = {"scripts": ["a b.sql", "c.sql", "check.td"], "release": "18.3", "url": None}
    expected = "racehound explore 'a b.sql' c.sql --check check.td --release 18.3 --replay '1 2 1'"
    assert again(Path("run"), finding, explored, facts) == expected
    assert again(Path("run"), finding, program(), {"url": "postgres://h"}).endswith(f"findings/{finding.id} --url postgres://h")


def test_an_annotation_is_one_line_whatever_the_server_says() -> None:
    finding = Finding("errors", "corruption", "x", "100% of a::b\r\nlost", detail=("one", "two"), database="X", release="1, 2:3")
    (line,) = annotation_lines([(finding, "racehound replay x")]).splitlines()
    assert line.startswith(f"::error title=corruption {finding.id} in X 1%2C 2%3A3::100%25 of a::b%0D%0Alost%0Aone%0Atwo%0A")
    weak = msgspec.structs.replace(finding, severity="known weakness")
    assert annotation_lines([(weak, "")]).startswith("::warning ")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with one plan, of statements that try to break out of a page."""
    facts = {"target": "postgres", "server_release": "18.6", "clock_zero_unix_s": 0.0, "options": {"seed": 2**63 - 1}}
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


def test_the_totals_are_those_of_the_histories(run: Path) -> None:
    contents = gather(run, POSTGRES, KINDS)
    assert contents.totals == [1, 0, 1, 0, 0]
