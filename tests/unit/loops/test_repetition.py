"""One repetition, with a scripted host: when it gets a new working database, what is judged, and what is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import Severity
from racehound.data.history import Disturbed, Event, Fault, Judged, Outage, Recorder, RepetitionEnded, Statement, read_history
from racehound.data.program import Program
from racehound.databases.target import ServerStart
from racehound.errors import TargetError
from racehound.judge import oracles
from racehound.judge.judge import Judge
from racehound.judge.oracle import ObservedHistory
from racehound.loops.repetition import RepetitionRunner
from racehound.session import Session
from tests.unit.programs import program, statement
from tests.unit.scripted import SCRIPTED, ScriptedOracle, ScriptedTarget


class Host:
    """A host of sessions that runs given events."""

    damaging: frozenset[Severity] = frozenset(("crash", "corruption", "hang"))
    schedule = (1, 2)

    def __init__(self, recorder: Recorder, what: Program) -> None:
        self.recorder = recorder
        self.program = what
        self.lost = False
        self.silent_s = 0.0
        self.statement_limit_s = 60.0
        self.looks_first = False
        self.events: list[Event] = []
        self.prepared: list[bool] = []
        self.sound: list[bool] = []
        self.left: list[bool] = []
        self.raises: Exception | None = None
        self.target = ScriptedTarget()

    def prepare(self, *, damaged: bool) -> bool:
        self.prepared.append(damaged)
        if damaged:
            self.target.rebuild()
        return damaged

    def run(self, number: int) -> None:
        for event in self.events:
            self.recorder.append(msgspec.structs.replace(event, repetition=number))
        if self.raises:
            raise self.raises

    def worth_judging(self, look: Callable[[], bool]) -> bool:
        return look() if self.looks_first else True

    def finish(self, number: int, *, sound: bool) -> None:
        self.sound.append(sound)
        self.recorder.append(Fault(number, "the teardown", 99))

    def leave(self, number: int, *, damaged: bool) -> None:  # noqa: ARG002
        self.left.append(damaged)

    def resting_session(self, name: str) -> Session:
        known = (session for session in self.target.sessions if session.name == name)
        return next(known, None) or self.target.open(name)

    def disconnect(self) -> None:
        for session in list(self.target.sessions):
            session.close()

    def reconnect(self) -> None:
        pass

    def wanted_errors(self) -> frozenset[tuple[str, int, str]]:
        return frozenset()

    def pids(self) -> set[int]:
        return {1}

    def note(self, text: str) -> None:
        self.recorder.append(Fault(0, text, 1))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    recorder = Recorder(tmp_path / "history.jsonl")
    made = Host(recorder, program())
    yield made
    made.target.stop()
    recorder.close()


@pytest.fixture
def oracle() -> ScriptedOracle:
    return ScriptedOracle()


@pytest.fixture
def runs(oracle: ScriptedOracle) -> RepetitionRunner:
    return RepetitionRunner(Judge([*oracles(["crash", "hang", "contents", "errors"], {}), oracle]))


def failed() -> Statement:
    return statement("o_0", "CREATE VUE o_0", 5, 9, sqlstate="42601", message="syntax error")


def lost() -> Statement:
    return msgspec.structs.replace(failed(), status="lost", sqlstate="")


# When the working database is made anew


def test_the_first_repetition_gets_a_new_working_database_and_the_next_does_not(
    host: Host, runs: RepetitionRunner, oracle: ScriptedOracle
) -> None:
    host.events = [statement("o_0", "CREATE TABLE o_0 (a TEXT)", 1, 2)]
    for number in (1, 2, 3):
        runs.run(host, number)
    assert host.prepared == [True, False, False]
    assert oracle.begun == 1
    assert host.left == [False, False, False]


@pytest.mark.parametrize(("severity", "damaged"), [("corruption", True), ("hang", True), ("crash", True), ("leak", False)])
def test_after_a_finding_that_the_host_calls_damaging_the_next_repetition_gets_a_new_one(
    host: Host, runs: RepetitionRunner, oracle: ScriptedOracle, severity: Severity, damaged: bool
) -> None:
    oracle.finds = severity
    runs.run(host, 1)
    runs.run(host, 2)
    assert host.prepared == [True, damaged]
    assert host.left == [damaged, damaged]
    assert oracle.begun == 1 + damaged


def test_a_state_that_could_not_be_judged_is_not_used_again(host: Host, runs: RepetitionRunner, oracle: ScriptedOracle) -> None:
    oracle.cannot = "the server crashed over its catalog"
    unjudged = runs.run(host, 1)
    runs.run(host, 2)
    assert host.prepared == [True, True]
    told = [event.text for event in unjudged.events if isinstance(event, Fault)]
    assert "the state at rest was not judged to the end: the server crashed over its catalog" in told


def test_a_session_that_lost_its_connection_makes_the_working_database_anew(host: Host, runs: RepetitionRunner) -> None:
    host.lost = True
    runs.run(host, 1)
    runs.run(host, 2)
    assert host.prepared == [True, True]


@pytest.mark.parametrize(("ends", "damaged"), [("server", True), ("service", True), ("session", False), ("statement", False)])
def test_so_does_a_perturbation_that_ended_the_server_or_a_service(
    host: Host, runs: RepetitionRunner, ends: str, damaged: bool
) -> None:
    host.events = [Disturbed(1, "x", 1, "x", ends)]  # type: ignore[arg-type]
    runs.run(host, 1)
    runs.run(host, 2)
    assert host.prepared == [True, damaged]


@pytest.mark.parametrize("reset_each", [True, False])
def test_a_failed_statement_does_so_where_nothing_is_reset_between_repetitions(
    host: Host, runs: RepetitionRunner, reset_each: bool
) -> None:
    host.program = msgspec.structs.replace(host.program, reset_each=reset_each)
    host.events = [failed()]
    runs.run(host, 1)
    runs.run(host, 2)
    assert host.prepared == [True, not reset_each]


def test_after_a_repetition_that_did_not_come_to_its_end_a_new_one_is_made_and_its_events_are_forgotten(
    host: Host, runs: RepetitionRunner
) -> None:
    host.events, host.raises = [statement("o_0", "SELECT 1", 1, 2)], TargetError("no server")
    with pytest.raises(TargetError):
        runs.run(host, 1)
    host.events, host.raises = [], None
    assert runs.run(host, 2).statements == 0
    assert host.prepared == [True, True]


# What is judged


def test_the_state_of_a_server_that_crashed_is_not_judged(host: Host, runs: RepetitionRunner, oracle: ScriptedOracle) -> None:
    host.events = [msgspec.structs.replace(lost(), sqlstate="57P02", message="another process crashed")]
    repetition = runs.run(host, 1)
    assert [finding.severity for finding in repetition.findings] == ["crash"]
    assert oracle.asked == []
    host.events = []
    runs.run(host, 2)
    assert oracle.asked == [2]
    assert host.prepared == [True, True]


def test_an_outage_while_the_state_is_judged_is_told(host: Host, runs: RepetitionRunner, oracle: ScriptedOracle) -> None:
    host.target.since = ServerStart("noon", "noon")
    host.target.last_start = ServerStart("noon", "noon")
    host.events = [statement("o_0", "CREATE TABLE o_0 (a TEXT)", 1, 2)]
    oracle.cannot = "the connection was lost"
    runs.prepare(host)
    host.target.since = ServerStart("noon", "one")
    found = runs.run(host, 1)
    (outage,) = (event for event in found.events if isinstance(event, Outage))
    assert outage.verdict == "server crashed"
    assert [finding.severity for finding in found.findings] == ["crash"]


def test_the_working_database_of_a_dead_server_is_not_used_again_even_if_a_perturbation_ended_the_session(
    host: Host, runs: RepetitionRunner
) -> None:
    host.events = [Disturbed(1, "x", 1, "x", "session", "o_0", lost().pid), lost()]
    host.target.is_alive = False
    assert runs.run(host, 1).findings == []
    host.events = []
    runs.run(host, 2)
    assert host.prepared == [True, True]


def test_the_state_is_only_judged_where_a_quick_look_shows_something_or_the_whole_plan_is_judged(
    host: Host, runs: RepetitionRunner, oracle: ScriptedOracle
) -> None:
    host.looks_first, oracle.suspicious = True, False
    runs.run(host, 1)
    runs.run(host, 2, whole_plan=True)
    oracle.suspicious = True
    runs.run(host, 3)
    assert oracle.asked == [2, 3]


def test_the_host_is_told_whether_the_state_is_sound(host: Host, runs: RepetitionRunner, oracle: ScriptedOracle) -> None:
    runs.run(host, 1)
    oracle.finds = "corruption"
    runs.run(host, 2)
    assert host.sound == [True, False]


def test_errors_that_are_known_beforehand_are_no_findings(host: Host, runs: RepetitionRunner) -> None:
    host.events = [failed()]
    assert [finding.severity for finding in runs.run(host, 1).findings] == ["unexplained error"]
    known = runs.run(host, 2, known_errors=lambda events: frozenset((e.session, e.step, e.sqlstate) for e in raced(events)))
    assert known.findings == []
    assert known.classes == {"expected": 1}


def raced(events: Iterable[Event]) -> list[Statement]:
    return [event for event in events if isinstance(event, Statement)]


# What is recorded


def test_the_classes_and_the_end_of_a_repetition_are_recorded_after_its_statements(host: Host, runs: RepetitionRunner) -> None:
    fine = statement("o_0", "CREATE TABLE o_0 (a TEXT)", 1, 2)
    host.events = [fine, failed(), fine, msgspec.structs.replace(failed(), sqlstate="XX000", start_ns=20, end_ns=25)]
    repetition = runs.run(host, 4)
    assert repetition.statements == 4
    assert repetition.schedule == (1, 2)
    assert repetition.classes == Counter({"unexplained": 1, "internal": 1})
    *_, classes, ended = read_history(host.recorder.path)
    assert classes == Judged(4, ((1, "unexplained"), (3, "internal")))
    assert isinstance(ended, RepetitionEnded)
    assert (ended.repetition, ended.unexplained, ended.internal, ended.schedule) == (4, 1, 1, (1, 2))
    assert ended.findings == tuple(finding.id for finding in repetition.findings)
    assert repetition.events == list(read_history(host.recorder.path))


def test_statements_from_before_the_first_repetition_have_classes_of_their_own(host: Host, runs: RepetitionRunner) -> None:
    once = msgspec.structs.replace(failed(), repetition=0)
    host.recorder.append(once)
    host.events = [failed()]
    runs.run(host, 1)
    classes = [event for event in read_history(host.recorder.path) if isinstance(event, Judged)]
    assert classes == [Judged(0, ((0, "unexplained"),)), Judged(1, ((0, "unexplained"),))]


def test_an_oracle_that_there_is_not_is_named() -> None:
    with pytest.raises(Exception, match="asks for the oracle 'astrology'; there are: crash, hang, contents, errors, names, own"):
        oracles(["crash", "astrology"], {"own": ScriptedOracle})


def test_findings_bear_the_server_and_the_repetition() -> None:
    history = ObservedHistory(program(), 3, [], SCRIPTED, "18.6", log_around=lines)
    found = history.finding("x", "leak", "s", "t", statements=(statement("o_0", "SELECT 1", 1, 2),))
    assert (found.repetition, found.release, found.database, found.log) == (3, "18.6", "Scripted", ("a line",))


def lines(pids: Collection[int]) -> list[str]:
    return ["a line"] if pids else []
