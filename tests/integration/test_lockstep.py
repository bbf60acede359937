"""Lock-step and the exploration on real servers: who is blocked, who is released, and what is left behind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from racehound.data.finding import Baseline, Store
from racehound.data.history import Blocked, Overdue, Passed, Recorder, RepetitionEnded, RepetitionStarted, Statement, read_history
from racehound.data.run_directory import RunDirectory
from racehound.data.schedule import Listed, Schedule, parse_schedule
from racehound.databases.database import Choice
from racehound.databases.postgres.stepping import PostgresStepping
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened, opened
from racehound.errors import TargetError, UserError
from racehound.loops.explore import Exploration, Explorer, OpenTarget, ScheduleResult, SerialOrders, explore
from racehound.run import lockstep
from racehound.run.session_script import Scripts, lengths, parse_sql, read_script, read_session
from racehound.run.strategies import ExploreOptions
from racehound.wire.session import LibpqSession

FUNCTION = "BEGIN; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; COMMIT"
DROP = "DROP SCHEMA s"
TABLES = "CREATE TABLE t (a int); CREATE TABLE u (a int)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


@pytest.fixture(scope="module")
def old_place(maven: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A release with known races."""
    with opened(Choice("postgres", release="18.3"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


class Lab:
    """Writes scripts and explores them on a place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self.history = directory / "none"

    def scripts(self, *sessions: str, setup: str = "", check: str = "", suffix: str = ".sql") -> Scripts:
        paths = []
        for number, text in enumerate(sessions, 1):
            paths.append(self._directory / f"{number}{suffix}")
            paths[-1].write_text(text)
        (self._directory / "check.td").write_text(check)
        return Scripts(
            tuple(map(read_session, paths)),
            setup=parse_sql(setup, "setup.sql") if setup else None,
            check=read_script(self._directory / "check.td") if check else None,
        )

    def explore(
        self, place: Opened, scripts: Scripts, only: str | None = None, *, times: int = 1, limit_s: float = 20
    ) -> Exploration:
        schedule = parse_schedule(only, lengths(scripts.sessions)) if only else None
        options = ExploreOptions(
            seed=1, schedules=times if only else 1000, strategy=None, depth=2, statement_limit_s=limit_s, only=schedule
        )
        return self.explore_with(place, scripts, options)

    def explore_with(
        self, place: Opened, scripts: Scripts, options: ExploreOptions, others: Sequence[OpenTarget] = ()
    ) -> Exploration:
        self._number += 1
        run = RunDirectory(self._directory / f"run-{self._number}")
        self.history = run.history(1, options.seed).with_suffix(".jsonl.gz")
        return explore(scripts, options, place, run, Store(self._directory / "findings", Baseline()), others)

    def play(self, place: Opened, scripts: Scripts, schedule: str, *, limit_s: float = 20) -> ScheduleResult:
        (met,) = self.explore(place, scripts, schedule, limit_s=limit_s).classes
        return met.first

    def events(self, sort: type) -> list[object]:
        return [event for event in read_history(self.history) if isinstance(event, sort)]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def outcomes(performance: ScheduleResult) -> list[str]:
    """`ok` or the SQLSTATE of every turn."""
    assert all(move.outcome for move in performance.moves)
    return [move.outcome.error.sqlstate if move.outcome.error else "ok" for move in performance.moves if move.outcome]


# The race that 18.6 has no more


def test_a_drop_inside_the_window_leaves_an_orphan_on_an_old_release(lab: Lab, old_place: Opened) -> None:
    found = lab.explore(old_place, lab.scripts(FUNCTION, DROP, setup="CREATE SCHEMA s"))
    assert found.schedules == found.interleavings == 4
    by_outcome = {(met.outcome, met.first.schedule): met.count for met in found.classes}
    assert by_outcome == {("corrupt", (1, 1, 2, 1)): 1, ("fail", (2, 1, 1, 1)): 2, ("fail", (1, 1, 1, 2)): 1}
    assert "pg_proc.pronamespace -> pg_namespace.oid: row missing" in [finding.signature for finding in found.findings]


def test_its_replay_shows_the_orphan_twenty_times_out_of_twenty(lab: Lab, old_place: Opened) -> None:
    found = lab.explore(old_place, lab.scripts(FUNCTION, DROP, setup="CREATE SCHEMA s"), "1 1 2 1", times=20)
    assert [(met.outcome, met.count) for met in found.classes] == [("corrupt", 20)]
    assert {finding.count for finding in found.findings if "row missing" in finding.signature} == {20}


def test_the_default_release_leaves_none(lab: Lab, place: Opened) -> None:
    found = lab.explore(place, lab.scripts(FUNCTION, DROP, setup="CREATE SCHEMA s"))
    assert {met.outcome for met in found.classes} == {"fail"}
    assert found.findings == []


# Who is blocked


def test_a_blocked_statement_is_recognised_in_milliseconds_and_its_release_awaited(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("BEGIN; LOCK TABLE t; COMMIT", "TRUNCATE t; SELECT 1", setup=TABLES)
    played = lab.play(place, scripts, "1 1 2 2 1")
    assert played.schedule == (1, 1, 2, 1, 2)
    assert outcomes(played) == ["ok"] * 5
    assert played.moves[2].behind == (1,)
    assert played.moves[2].released_by == 3
    assert played.moves[3].passed == (2,)
    (blocked,) = lab.events(Blocked)
    (truncated,) = [s for s in lab.events(Statement) if isinstance(s, Statement) and s.sql == "TRUNCATE t"]
    assert isinstance(blocked, Blocked)
    assert blocked.behind == ("1",)
    # Half a millisecond of patience, a look, and the time in which the server looks for deadlocks; the rest is a busy machine.
    assert 0.5e6 < blocked.at_ns - truncated.start_ns < 100e6
    assert [event.session for event in lab.events(Passed) if isinstance(event, Passed)] == ["2"]


def test_the_schedule_is_recorded_as_asked_for_and_as_taken(lab: Lab, place: Opened) -> None:
    lab.play(place, lab.scripts("BEGIN; LOCK TABLE t; COMMIT", "TRUNCATE t; SELECT 1", setup=TABLES), "1 1 2 2 1")
    assert [e.schedule for e in lab.events(RepetitionStarted) if isinstance(e, RepetitionStarted)] == [(1, 1, 2, 2, 1)]
    assert [e.schedule for e in lab.events(RepetitionEnded) if isinstance(e, RepetitionEnded)] == [(1, 1, 2, 1, 2)]


def test_a_statement_that_only_takes_long_is_awaited(lab: Lab, place: Opened) -> None:
    played = lab.play(place, lab.scripts("SELECT pg_sleep(0.05)", "SELECT 1"), "1 2")
    assert [move.behind for move in played.moves] == [(), ()]
    first, second = (s for s in lab.events(Statement) if isinstance(s, Statement))
    assert first.end_ns <= second.start_ns


@pytest.mark.parametrize("schedule", ["1 1 2 2 1 2 1 2", "2 2 1 1 2 1 2 1"])
def test_a_deadlock_is_broken_by_the_server_and_its_victim_is_always_the_last_to_wait(
    lab: Lab, place: Opened, schedule: str
) -> None:
    one = "BEGIN; LOCK TABLE t; LOCK TABLE u; COMMIT"
    other = "BEGIN; LOCK TABLE u; LOCK TABLE t; COMMIT"
    found = lab.explore(place, lab.scripts(one, other, setup=TABLES), schedule, times=10)
    (met,) = found.classes
    assert (met.outcome, met.count) == ("fail", 10)
    first, last = (int(number) for number in schedule.split()[4:6])
    victim = next(move for move in met.first.moves if move.outcome and move.outcome.error)
    assert (victim.session, victim.outcome and victim.outcome.error and victim.outcome.error.sqlstate) == (last, "40P01")
    waited = next(move for move in met.first.moves if move.behind)
    assert (waited.session, waited.behind) == (first, (last,))
    assert waited.outcome is not None
    assert waited.outcome.ok


def test_three_sessions_wait_in_turn(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("BEGIN; LOCK TABLE t; COMMIT", "TRUNCATE t", "TRUNCATE t", setup=TABLES)
    played = lab.play(place, scripts, "1 1 2 3 1")
    assert [move.behind for move in played.moves] == [(), (), (1,), (1, 2), ()]
    assert outcomes(played) == ["ok"] * 5


def test_who_has_done_everything_leaves_when_others_wait_for_it(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("BEGIN; LOCK TABLE t", "TRUNCATE t", setup=TABLES)
    played = lab.play(place, scripts, "1 1 2")
    assert played.moves[2].behind == (1,)
    assert played.outcome == "fine"


def test_a_prepared_transaction_in_the_way_is_a_hang_that_ends(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("BEGIN; LOCK TABLE t; PREPARE TRANSACTION 'p'", "TRUNCATE t", setup=TABLES)
    played = lab.play(place, scripts, "1 1 1 2", limit_s=0.3)
    assert played.outcome == "hang"
    assert outcomes(played)[3] == "57014"
    (overdue,) = lab.events(Overdue)
    assert isinstance(overdue, Overdue)
    assert overdue.verdict == "held"
    assert lab.play(place, lab.scripts("SELECT 1", "SELECT 2"), "1 2").outcome == "fine"


def test_a_target_that_cannot_tell_is_led_by_time(lab: Lab, place: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresStepping, "blockers", lambda *_: None)
    scripts = lab.scripts("BEGIN; LOCK TABLE t; COMMIT", "TRUNCATE t; SELECT 1", setup=TABLES)
    played = lab.play(place, scripts, "1 1 2 2 1")
    assert played.schedule == (1, 1, 2, 1, 2)
    assert played.moves[2].behind == (lockstep.SOMEBODY,)
    assert outcomes(played) == ["ok"] * 5


def test_a_statement_over_the_catalogs_themselves_is_not_in_the_way_of_the_observers(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("VACUUM FULL pg_namespace", "SELECT 1")
    began = time.monotonic()
    found = lab.explore(place, scripts, "1 2", times=3)
    assert [(met.outcome, met.count) for met in found.classes] == [("fine", 3)]
    assert time.monotonic() - began < 15


# What becomes of scripts


def test_what_is_left_of_one_schedule_does_not_meet_the_next(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts(
        "CREATE TABLE t (a int); SET search_path = nowhere; SELECT pg_advisory_lock(1)", "CREATE TYPE e AS ENUM ('x')",
    )  # fmt: skip
    found = lab.explore(place, scripts)
    assert [(met.outcome, met.count) for met in found.classes] == [("fine", 4)]


def test_an_error_that_comes_in_a_serial_order_too_is_no_finding(lab: Lab, place: Opened) -> None:
    found = lab.explore(place, lab.scripts("SELECT 1/0", "SELECT 1"))
    assert [(met.outcome, met.reasons) for met in found.classes] == [("fail", ("session 1: 22012 division by zero",))]
    assert found.findings == []


def test_an_error_that_no_serial_order_has_is_unexplained(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("INSERT INTO t VALUES (0); DELETE FROM t", "SELECT 1 / (count(*) - 1) FROM t", setup=TABLES)
    found = lab.explore(place, scripts)
    assert [(met.outcome, met.first.schedule) for met in found.classes] == [("unexplained", (1, 2, 1)), ("fine", (1, 1, 2))]


def test_testdrive_sessions_say_what_they_expect(lab: Lab, place: Opened) -> None:
    asks = "$ set name=t\n> SELECT count(*) FROM ${name}\n0\n! SELECT * FROM nowhere\ncontains:does not exist\n"
    scripts = lab.scripts(asks, "> INSERT INTO t VALUES (1)\n", setup=TABLES, suffix=".td")
    found = lab.explore(place, scripts)
    assert [(met.outcome, met.first.schedule, met.count) for met in found.classes] == [
        ("fail", (2, 1, 1), 1),
        ("fine", (1, 1, 2), 2),
    ]
    assert found.classes[0].reasons == ("session 1: rows differ",)


def test_a_lost_update_is_a_wrong_result_by_the_check(lab: Lab, place: Opened) -> None:
    add = "SELECT a AS was FROM t; UPDATE t SET a = 1 + (SELECT min(a) FROM u); UPDATE u SET a = (SELECT a FROM t)"
    check = "> SELECT a FROM u\n2\n"
    scripts = lab.scripts(add, add, setup=f"{TABLES}; INSERT INTO t VALUES (0); INSERT INTO u VALUES (0)", check=check)
    found = lab.explore(place, scripts)
    outcome = {met.outcome: met.first for met in found.classes}
    assert set(outcome) == {"wrong", "fine"}
    assert outcome["fine"].schedule == (1, 1, 1, 2, 2, 2)


def test_a_crash_is_told_and_the_next_schedule_goes_on(lab: Lab, place: Opened) -> None:
    found = lab.explore(place, lab.scripts("COPY (SELECT 1) TO PROGRAM 'kill -SEGV $PPID'", "SELECT 1"))
    assert [(met.outcome, met.count) for met in found.classes] == [("crash", 2)]
    assert lab.play(place, lab.scripts("SELECT 1", "SELECT 2"), "1 2").outcome == "fine"


def test_a_setup_that_fails_is_bad_input(lab: Lab, place: Opened) -> None:
    with pytest.raises(UserError, match=r'--setup: setup\.sql:1:1: relation "nowhere" does not exist'):
        lab.explore(place, lab.scripts("SELECT 1", "SELECT 2", setup="TABLE nowhere"))


def test_pct_is_played_as_well_and_its_schedules_can_be_replayed(lab: Lab, place: Opened) -> None:
    scripts = lab.scripts("BEGIN; LOCK TABLE t; COMMIT", "TRUNCATE t; SELECT 1", setup=TABLES)
    options = ExploreOptions(seed=5, schedules=12, strategy="pct", depth=2, statement_limit_s=20)
    found = lab.explore_with(place, scripts, options)
    assert found.schedules == 12
    for met in found.classes:
        again = lab.play(place, scripts, " ".join(map(str, met.first.schedule)))
        assert (again.schedule, again.outcome) == (met.first.schedule, met.outcome)


def test_corruption_by_hand_is_seen_by_the_quick_look(lab: Lab, place: Opened) -> None:
    damage = "SET allow_system_table_mods = on; DELETE FROM pg_namespace WHERE nspname = 's'"
    scripts = lab.scripts("CREATE TABLE s.t (a int); CREATE SCHEMA r", damage, setup="CREATE SCHEMA s")
    found = lab.explore(place, scripts)
    assert {(met.outcome, met.count) for met in found.classes} == {("corrupt", 5), ("fail", 1)}


def test_a_leak_is_seen_by_the_quick_look(lab: Lab, place: Opened) -> None:
    leak = "SELECT count(*) FROM pg_create_logical_replication_slot('stays', 'test_decoding')"
    played = lab.play(place, lab.scripts("SELECT 1", leak), "1 2")
    assert played.outcome == "no race needed"  # a serial order leaves it, too
    assert [reason.split(":")[0] for reason in played.reasons] == ["replication slot"]


def test_an_explorer_runs_the_schedules_that_it_is_given(lab: Lab, place: Opened, tmp_path: Path) -> None:
    scripts = lab.scripts("SELECT 1", "SELECT 2")
    options = ExploreOptions(seed=5, schedules=2, strategy=None, depth=2, statement_limit_s=20)
    store = Store(tmp_path / "findings", Baseline())
    with (
        contextlib.closing(Recorder(tmp_path / "history.jsonl")) as recorder,
        contextlib.closing(
            Explorer(scripts, options, place, recorder, store, SerialOrders(scripts), time.monotonic())
        ) as explorer,
    ):
        orders = enumerate(((1, 2), (2, 1)), 1)
        schedules: list[Schedule] = [explorer.run(number, (), Listed(each)).schedule for number, each in orders]
    assert schedules == [(1, 2), (2, 1)]


def test_a_server_that_is_not_to_be_had_ends_all(lab: Lab, place: Opened) -> None:
    def another() -> contextlib.AbstractContextManager[Opened]:
        raise TargetError("no server today")

    scripts = lab.scripts("SELECT 1", "SELECT 2")
    options = ExploreOptions(seed=1, schedules=100_000, strategy=None, depth=2, statement_limit_s=20, only=(1, 2))
    with pytest.raises(TargetError, match="no server today"):
        lab.explore_with(place, scripts, options, [another])


def test_nothing_stays_on_the_server(place: Opened) -> None:
    target = place.target
    assert isinstance(target, PostgresTarget)
    session = LibpqSession.connect(target.location.conninfo())
    left = session.execute(
        "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'racehound %' "
        "AND application_name NOT LIKE '% observer'"
    )
    session.close()
    assert left.rows is not None
    assert left.rows.cells == []
