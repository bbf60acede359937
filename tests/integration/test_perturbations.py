"""Each perturbation really happens on a real server, and a program in which nothing is wrong stays without findings."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Disturbed, Event, Recorder, Statement
from racehound.data.program import Disturbance, Program, ProgramSession, Step
from racehound.databases.database import Choice
from racehound.databases.postgres.perturbations import signalled
from racehound.databases.postgres.plugin import PostgresDatabase
from racehound.databases.postgres.server_location import EmbeddedServerLocation
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened, opened
from racehound.errors import UserError
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
from racehound.run.perturbations.network import Jitter
from racehound.run.perturbations.proxy_links import ProxyLinks
from racehound.run.perturbations.registry import TIMINGS, PerturbationSet
from racehound.run.recorded_session import RecordedSession, StepPosition
from racehound.run.storm_runner import StormRunner
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.installation import missing

Run = Callable[[Program], JudgedRepetition]

BASE = "> CREATE TABLE o_base (a TEXT)\n> INSERT INTO o_base SELECT i::text FROM generate_series(1, 10) AS i\n"
COUNT = "> SELECT count(*) FROM o_base\n10\n"
SLOW = "CREATE TABLE {0} AS SELECT a, pg_sleep(0.01)::text AS b FROM o_base"
"""Long enough to be met by whatever begins up to 3 ms after it was sent."""
_NOTHING = 0
"""The null signal, which only asks: kill(2)."""
PERTURBATIONS = PerturbationSet(PostgresDatabase().perturbations())
NETWORK = ("network-jitter", "network-cut")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A target of this module's own: its server will be killed."""
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


@pytest.fixture
def run(place: Opened, tmp_path: Path) -> Iterator[Run]:
    """Run repetition 1 of a program and judge it, with the checks of a plan's end."""
    runners: list[StormRunner] = []

    def run_one(program: Program) -> JudgedRepetition:
        recorder = Recorder(tmp_path / f"history-{len(runners)}.jsonl")
        runner = StormRunner(place.target, program, recorder, tmp_path, 5.0, perturbations=PERTURBATIONS)
        runners.append(runner)
        return RepetitionRunner.of(place.database).run(runner, 1, whole_plan=True)

    yield run_one
    for runner in runners:
        runner.close()
        runner.recorder.close()


def program(*perturbations: str, setup: str = BASE, verify: str = COUNT) -> Program:
    """Three sessions, each with a table of its own over the same rows; of a seed for which every perturbation draws something."""
    names = ("o_0", "o_1", "o_2")
    drops = tuple(Step(name, "destroy", f"> DROP TABLE IF EXISTS {name}") for name in (*names, "o_base"))
    sessions = tuple(
        ProgramSession(
            name,
            tuple(Step(name, "create", f"> DROP TABLE IF EXISTS {name}\n> {SLOW.format(name)}\n", beat=beat) for beat in (0, 1)),
        )
        for name in names
    )
    for seed in itertools.count():
        made = Program(
            seed=seed, scenario="concurrent", title="by hand", refers_to=dict.fromkeys(names, "o_base"), reset_each=True, once=(),
            setup=(Step("o_base", "create", setup),), sessions=sessions, verify=(Step("o_base", "verify", verify),),
            teardown=drops,
            perturbations=perturbations,
        )  # fmt: skip
        met = [each.perturbation for each in PERTURBATIONS.draw(made, 1) if _meets(each)]
        if set(met) == set(perturbations):
            return made
    raise AssertionError


def _meets(drawn: Disturbance) -> bool:
    """Whether it is sure to be done, and to find the slow statement under way where it needs one."""
    lasting = drawn.perturbation in ("priorities", "starvation", "network-jitter")
    return lasting or (drawn.statement == 1 and drawn.after_us >= 500)


def done(events: list[Event]) -> list[Disturbed]:
    return [event for event in events if isinstance(event, Disturbed)]


def raced(events: list[Event], session: str) -> list[Statement]:
    return [event for event in events if isinstance(event, Statement) and event.session == session]


def clean(run: Run, name: str) -> list[Event]:
    """Run the sound program with one perturbation, which must find nothing; its events."""
    if name in NETWORK and missing(["toxiproxy"]):
        pytest.skip("toxiproxy: not installed; racehound services install toxiproxy")
    verdict = run(program(name))
    assert [finding.title for finding in verdict.findings] == []
    assert {each.perturbation for each in done(verdict.events)} == {name}
    return verdict.events


def struck(events: list[Event]) -> Disturbed:
    """What was done to a slow statement."""
    return next(each for each in done(events) if "pg_sleep" in each.sql)


@pytest.mark.parametrize("name", ["priorities", "starvation"])
def test_held_back_statements_are_sent_later_than_they_could_be(run: Run, name: str) -> None:
    events = clean(run, name)
    first = done(events)[0]
    (drawn,) = [d for d in PERTURBATIONS.draw(program(name), 1) if (d.session, d.step) == (first.session, 0)]
    sent = raced(events, first.session)
    pauses = [(after.start_ns - before.end_ns) / 1e3 for before, after in itertools.pairwise(sent)]
    assert min(pauses) >= drawn.lasts_us


def test_a_frozen_process_makes_its_statement_wait(run: Run) -> None:
    events = clean(run, "freeze")
    frozen = struck(events)
    met = next(s for s in raced(events, frozen.session) if s.sql == frozen.sql and s.start_ns <= frozen.at_ns < s.end_ns)
    assert met.end_ns >= frozen.end_ns
    assert frozen.end_ns - frozen.at_ns >= 1_000_000


def test_a_cancelled_statement_fails_and_its_session_goes_on(run: Run) -> None:
    """A request that comes too late does nothing, which a busy machine may bring about: then it is tried again."""
    for _ in range(5):
        events = clean(run, "cancel")
        cancelled = struck(events)
        met = raced(events, cancelled.session)
        if "57014" in {s.sqlstate for s in met}:
            break
    assert {s.status for s in met} == {"ok", "error"}
    assert {s.pid for s in met} == {cancelled.pid}


def test_a_terminated_session_is_lost_and_opened_anew(run: Run) -> None:
    events = clean(run, "terminate")
    terminated = struck(events)
    last = raced(events, terminated.session)[-1]
    assert (last.status, last.pid) == ("lost", terminated.pid)
    assert "terminating connection due to administrator command" in last.message


@pytest.mark.alone
def test_messages_are_late_until_the_sessions_rest(run: Run, place: Opened) -> None:
    clean(run, "network-jitter")
    with contextlib.closing(ProxyLinks(place.target)) as links:
        jitter = Jitter(place.target, links)
        inner = place.target.open("o_0", links.to("o_0").endpoint)
        recorder = Recorder(place.scratch / "late.jsonl")
        session = RecordedSession(inner, recorder, StepPosition("o_0"))
        assert jitter.apply(Disturbance("network-jitter", "o_0", 0, lasts_us=4000), session)
        late_s = _seconds(session)
        jitter.undo()
        quick_s = _seconds(session)
        session.close()
        recorder.close()
    # Some 8 ms each there and back, on an average of twenty, against some 0.4 ms through a link at all.
    assert late_s > 2 * quick_s + 0.002


def _seconds(session: RecordedSession) -> float:
    """A round trip takes so long, on an average."""
    began = time.monotonic()
    for _ in range(20):
        assert session.execute("SELECT 1").ok
    return (time.monotonic() - began) / 20


def test_a_cut_connection_is_lost_and_its_server_process_is_waited_for(run: Run, place: Opened) -> None:
    events = clean(run, "network-cut")
    cut = struck(events)
    assert raced(events, cut.session)[-1].status == "lost"
    assert cut.pid not in {wait.pid for wait in place.target.waits() or ()}


def test_after_a_kill_the_server_recovers_with_all_that_was_committed(run: Run) -> None:
    events = clean(run, "kill")
    killed = struck(events)
    assert raced(events, killed.session)[-1].status == "lost"
    verify = [s for s in raced(events, "main") if s.phase == "verify"]
    assert [s.status for s in verify] == ["ok"]
    assert verify[0].pid != next(s.pid for s in raced(events, "main") if s.phase == "create")


def test_a_restarted_server_is_another_process_with_the_same_data(run: Run, place: Opened) -> None:
    server = _server(place)
    before = server.pid
    events = clean(run, "restart")
    restarted = struck(events)
    assert server.pid != before
    assert raced(events, restarted.session)[-1].status == "lost"
    assert [s.status for s in raced(events, "main") if s.phase == "verify"] == ["ok"]


def test_all_at_once_find_nothing_where_nothing_is_wrong(run: Run, place: Opened) -> None:
    names, _ = PERTURBATIONS.possible(["all"], place.target)
    running = tuple(n for n in names if n not in TIMINGS and PERTURBATIONS.perturbation(n).ends != "server")
    verdict = run(program(*running))
    assert [finding.title for finding in verdict.findings] == []
    assert len(Counter(each.perturbation for each in done(verdict.events))) >= 4


def test_what_a_crash_has_not_broken_is_still_found_after_it(run: Run) -> None:
    """The catalog is broken before the process is killed: recovery brings that back as it was."""
    broken = BASE + (
        "> CREATE SCHEMA o_3 CREATE TABLE o_3_table (a TEXT)\n> SET allow_system_table_mods = on\n"
        "> DELETE FROM pg_namespace WHERE nspname = 'o_3'\n"
    )
    verdict = run(program("kill", setup=broken))
    assert done(verdict.events)
    assert "pg_class.relnamespace -> pg_namespace.oid: row missing" in {finding.signature for finding in verdict.findings}


def test_lost_rows_are_found_after_a_crash(run: Run) -> None:
    verdict = run(program("kill", verify="> SELECT count(*) FROM o_base\n11\n"))
    assert _severities(verdict.findings) == {"wrong result"}


def test_an_unlogged_table_may_be_empty_after_a_crash(run: Run) -> None:
    verdict = run(program("kill", setup=BASE.replace("CREATE TABLE", "CREATE UNLOGGED TABLE")))
    assert verdict.findings == []


def test_no_process_is_signalled_but_those_of_the_own_server(place: Opened, embedded_server: EmbeddedServer) -> None:
    ours = place.target.open("stranger")
    try:
        assert signalled(_server(place), ours.pid, _NOTHING)
        for pid in (embedded_server.pid, 1, 0, -1, _server(place).pid):
            assert not signalled(_server(place), pid, _NOTHING)
        assert not signalled(embedded_server, ours.pid, _NOTHING)
    finally:
        ours.close()


def test_what_a_server_cannot_be_disturbed_by_is_left_out_of_all_and_refused_by_name(embedded_server: EmbeddedServer) -> None:
    with opened(Choice("postgres", url=embedded_server.address.url()), Path("unused.log")) as theirs:
        names, hindered = PERTURBATIONS.possible(["all"], theirs.target)
        assert {"freeze", "kill", "restart"} <= set(hindered)
        assert {"windows", "cancel", "terminate"} <= set(names)
        with pytest.raises(UserError, match="--perturb kill: only for a PostgreSQL that racehound has started itself"):
            PERTURBATIONS.possible(["kill"], theirs.target)


def test_wires_lead_to_the_server_until_they_are_closed(place: Opened) -> None:
    if missing(["toxiproxy"]):
        pytest.skip("toxiproxy: not installed; racehound services install toxiproxy")
    with contextlib.closing(ProxyLinks(place.target)) as links:
        session = place.target.open("o_0", links.to("o_0").endpoint)
        assert session.execute("SELECT inet_server_port()").ok
        assert links.to("o_0").endpoint != links.to("o_1").endpoint
        assert links.to("o_0").behind == place.target.endpoint
    assert session.execute("SELECT 1").status == "lost"
    session.close()


def _severities(findings: list[Finding]) -> set[str]:
    return {finding.severity for finding in findings}


def _server(place: Opened) -> EmbeddedServer:
    assert isinstance(place.target, PostgresTarget)
    assert isinstance(place.target.location, EmbeddedServerLocation)
    return place.target.location.server
