"""The life cycle of a repetition, in a storm and in lock-step, on a scripted target: from its working database to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Severity
from racehound.data.history import LogLine, Outage, Recorder, Verdict
from racehound.data.schedule import Listed
from racehound.databases.target import ServerStart
from racehound.errors import ServerGoneError
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner, SessionHost
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.storm_runner import StormRunner
from racehound.session import Outcome
from tests.unit.programs import one_statement_each
from tests.unit.scripted import (
    BACKGROUND,
    CRASHED,
    DEATH,
    ENDED,
    INTERNAL,
    LOST,
    MISSING,
    SYNTAX,
    ScriptedDatabase,
    ScriptedOracle,
    ScriptedTarget,
    done,
    refused,
)

PROGRAM = one_statement_each()
Host = Callable[[], SessionHost]
"""Makes the host of the next repetition."""


@contextlib.contextmanager
def storm(target: ScriptedTarget, recorder: Recorder, directory: Path) -> Iterator[Host]:
    with contextlib.closing(StormRunner(target, PROGRAM, recorder, directory, 60.0)) as runner:
        yield lambda: runner


@contextlib.contextmanager
def lock_step(target: ScriptedTarget, recorder: Recorder, directory: Path) -> Iterator[Host]:
    with contextlib.closing(LockstepRunner(target, recorder, directory, 60.0)) as runner:
        yield lambda: runner.schedule(lockstep_program(PROGRAM), (1, 2), Listed((1, 2)))


class Repetitions:
    """Runs one repetition after the other."""

    def __init__(self, target: ScriptedTarget, host: Host, database: ScriptedDatabase) -> None:
        self.target = target
        self.oracle: ScriptedOracle = database.oracle
        self.outages: list[Outage] = []
        self._host = host
        self._runner = RepetitionRunner.of(database, self.outages.append)
        self._number = 0

    @property
    def verdicts(self) -> list[Verdict]:
        return [outage.verdict for outage in self.outages]

    def run(self) -> JudgedRepetition:
        self._number += 1
        return self._runner.run(self._host(), self._number)

    @property
    def rebuilt(self) -> int:
        """How often there was a new working database."""
        return self.target.count("rebuild")


@pytest.fixture(params=[storm, lock_step], ids=["storm", "lock-step"])
def repetitions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repetitions]:
    target = ScriptedTarget()
    with contextlib.closing(Recorder(tmp_path / "history.jsonl")) as recorder, request.param(target, recorder, tmp_path) as host:
        yield Repetitions(target, host, ScriptedDatabase())
    target.stop()


def severities(repetition: JudgedRepetition) -> list[Severity]:
    return [finding.severity for finding in repetition.findings]


# The working database


def test_sound_repetitions_share_a_working_database(repetitions: Repetitions) -> None:
    for _ in range(3):
        assert severities(repetitions.run()) == []
    assert repetitions.rebuilt == 1
    assert repetitions.oracle.begun == 1
    assert repetitions.oracle.asked == [1, 2, 3]


@pytest.mark.parametrize("severity", ["corruption", "hang", "crash"])
def test_damage_is_followed_by_a_rebuild(repetitions: Repetitions, severity: Severity) -> None:
    repetitions.oracle.finds = severity
    assert severities(repetitions.run()) == [severity]
    assert repetitions.rebuilt == 1, "nothing is rebuilt before the next repetition"
    repetitions.oracle.finds = None
    repetitions.run()
    assert repetitions.rebuilt == 2
    repetitions.run()
    assert repetitions.rebuilt == 2, "the new one is sound"
    assert repetitions.oracle.begun == 2


@pytest.mark.parametrize("severity", ["wrong result", "internal error"])
def test_what_damages_nothing_is_not(repetitions: Repetitions, severity: Severity) -> None:
    repetitions.oracle.finds = severity
    repetitions.run()
    repetitions.run()
    assert repetitions.rebuilt == 1


def test_a_repetition_that_could_not_be_judged_to_the_end_is_followed_by_a_rebuild(repetitions: Repetitions) -> None:
    repetitions.oracle.cannot = "the server crashed over its catalog"
    assert severities(repetitions.run()) == []
    repetitions.oracle.cannot = ""
    repetitions.run()
    assert repetitions.rebuilt == 2


def test_what_cannot_be_dropped_is_followed_by_a_rebuild(repetitions: Repetitions) -> None:
    repetitions.target.can_reset = False
    repetitions.run()
    assert repetitions.rebuilt == 1
    repetitions.run()
    assert repetitions.rebuilt == 2


# Lost sessions


def test_a_crash_is_a_finding_and_is_followed_by_a_rebuild(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", CRASHED, refused(MISSING))
    lost = repetitions.run()
    assert severities(lost) == ["crash"]
    assert lost.classes == {"lost": 1}
    assert repetitions.verdicts == ["server crashed"]
    assert repetitions.oracle.asked == [], "the state at rest of a server that crashed is not judged"
    assert severities(repetitions.run()) == []
    assert repetitions.rebuilt == 2


def test_a_repetition_that_lost_a_session_otherwise_is_run_again_in_a_new_working_database(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", ENDED, done("OK"))
    again = repetitions.run()
    assert severities(again) == []
    assert not again.spoiled
    assert repetitions.verdicts == ["ended from outside"]
    assert repetitions.rebuilt == 2
    assert repetitions.oracle.asked == [1], "only the one that came to its end is judged"


def test_a_session_that_is_lost_in_the_teardown_does_not_spoil_what_was_judged(repetitions: Repetitions) -> None:
    repetitions.target.answer("DROP o_0", ENDED, done("DROP"))
    assert not repetitions.run().spoiled
    repetitions.run()
    assert repetitions.rebuilt == 2


def test_a_statement_that_always_ends_its_session_is_not_tried_for_ever(repetitions: Repetitions) -> None:
    repetitions.target.reconnect_s = 60.0
    repetitions.target.answer("ALTER o_0", ENDED)
    spoiled = repetitions.run()
    assert spoiled.spoiled
    assert repetitions.target.texts("o_0" if "o_0" in dict(repetitions.target.sent) else "1").count("ALTER o_0") == 3
    assert repetitions.rebuilt == 3


def test_where_nothing_comes_to_its_end_any_more_the_run_ends(repetitions: Repetitions) -> None:
    repetitions.target.reconnect_s = 0.0
    repetitions.target.answer("ALTER o_0", ENDED)
    with pytest.raises(ServerGoneError, match="ended from outside"):
        repetitions.run()


def test_a_server_that_is_gone_for_good_ends_the_run(repetitions: Repetitions) -> None:
    target = repetitions.target
    target.owned, target.since = False, ServerStart("noon")
    target.last_start = target.since
    target.answer("ALTER o_0", lambda _sql: _dead(target))
    with pytest.raises(ServerGoneError, match="network: the server cannot be reached any more"):
        repetitions.run()
    assert repetitions.verdicts == ["network"]
    assert repetitions.oracle.asked == []


def _dead(target: ScriptedTarget) -> Outcome:
    """The server is gone with this statement."""
    target.is_alive = False
    return LOST


# The log


def test_the_death_of_a_process_in_the_log_is_a_crash_and_is_followed_by_a_rebuild(repetitions: Repetitions) -> None:
    line = f"{DEATH}process 7 was terminated by signal 11"
    repetitions.target.log = [line, "nothing of importance"]
    repetition = repetitions.run()
    assert [(f.severity, f.signature) for f in repetition.findings] == [("crash", "process N was terminated by signal N")]
    assert [event.text for event in repetition.events if isinstance(event, LogLine)] == [line, "nothing of importance"]
    repetitions.run()
    assert repetitions.rebuilt == 2


def test_an_internal_error_of_a_background_process_is_a_weakness_and_damages_nothing(repetitions: Repetitions) -> None:
    repetitions.target.log = [f"{BACKGROUND}cache lookup failed for relation 7"]
    assert severities(repetitions.run()) == ["known weakness"]
    assert severities(repetitions.run()) == []
    assert repetitions.rebuilt == 1


# Errors


def test_each_failed_statement_is_counted_and_only_those_that_nothing_explains_are_findings(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", refused(SYNTAX))
    repetitions.target.answer("VERIFY o_0", refused(MISSING))
    repetition = repetitions.run()
    assert repetition.classes == {"unexplained": 1, "expected": 1}
    assert severities(repetition) == ["unexplained error"]


def test_the_same_error_in_two_runs_is_one_finding(repetitions: Repetitions) -> None:
    """The names of what all databases of a server share bear the id of the run."""
    found = []
    for run_id in ("rhdeadbeef", "rh00facade"):
        message = f"cache lookup failed for database {run_id} of {run_id}_o_0_role"
        repetitions.target.answer("ALTER o_0", refused(INTERNAL, message))
        (finding,) = (f for f in repetitions.run().findings if f.oracle == "errors")
        assert run_id in finding.title
        assert run_id not in finding.signature
        found.append(finding.id)
    assert found[0] == found[1]
