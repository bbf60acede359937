"""The life cycle of a repetition, in a storm and in lock-step, on a scripted target: from its working database to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Severity
from racehound.data.history import LogLine, Recorder
from racehound.data.schedule import Listed
from racehound.judge import oracles
from racehound.judge.judge import Judge
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner, SessionHost
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.storm_runner import StormRunner
from tests.unit.programs import one_statement_each
from tests.unit.scripted import (
    BACKGROUND,
    DEATH,
    INTERNAL,
    LOST,
    MISSING,
    SYNTAX,
    ScriptedDatabase,
    ScriptedOracle,
    ScriptedTarget,
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
        self._host = host
        self._runner = RepetitionRunner.of(database)
        self._number = 0

    def judged_by(self, *names: str) -> None:
        """From now on only these oracles judge."""
        self._runner = RepetitionRunner(Judge(oracles(names, {})))

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


def test_a_lost_session_is_a_crash_and_is_followed_by_a_rebuild(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", LOST, refused(MISSING))
    lost = repetitions.run()
    assert severities(lost) == ["crash"]
    assert lost.classes == {"lost": 1}
    assert severities(repetitions.run()) == []
    assert repetitions.rebuilt == 2


@pytest.mark.parametrize("statement", ["ALTER o_0", "VERIFY o_0", "DROP o_0"])
def test_a_lost_session_is_followed_by_a_rebuild_whatever_the_oracles_say(repetitions: Repetitions, statement: str) -> None:
    repetitions.judged_by()
    repetitions.target.answer(statement, LOST)
    assert severities(repetitions.run()) == []
    repetitions.run()
    assert repetitions.rebuilt == 2


def test_the_state_of_a_server_that_does_not_answer_any_more_is_not_judged(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", LOST)
    repetitions.target.is_alive = False
    assert severities(repetitions.run()) == ["crash"]
    assert repetitions.oracle.asked == []


def test_a_server_that_answers_is_judged_although_a_session_was_lost(repetitions: Repetitions) -> None:
    repetitions.target.answer("ALTER o_0", LOST)
    repetitions.run()
    assert repetitions.oracle.asked == [1]


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
