"""Retry at rest, in a storm and in lock-step, on a scripted target: what is run again, how, and what becomes of the finding."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event, Fault, Recorder, Retried, RetryCounts, read_history, retries_of
from racehound.data.plan import WindowEnd
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.schedule import Listed
from racehound.judge.errors import judge_errors
from racehound.judge.oracle import ObservedHistory, TargetAtRest
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner, SessionHost
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.storm_runner import StormRunner
from racehound.session import Outcome
from tests.unit.scripted import CRASHED, INTERNAL, MISSING, SCRIPTED, SYNTAX, ScriptedDatabase, ScriptedTarget, done, refused

BROKEN = refused(INTERNAL, "cache lookup failed for box 4711")
BROKEN_AGAIN = refused(INTERNAL, "cache lookup failed for box 4712")
"""The same error: only the number differs."""

Host = Callable[[Program], SessionHost]


class Runs:
    """Runs a program of two sessions once: number 1 runs `PAINT o_1`, number 2 the statements of a test."""

    def __init__(self, target: ScriptedTarget, host: Host, path: Path) -> None:
        self.target = target
        self.database = ScriptedDatabase()
        self._host = host
        self._path = path

    def run(self, *statements: str, window: WindowEnd = "none", apart: bool = False) -> JudgedRepetition:
        """apart: each statement is a step of its own."""
        texts = [f"> {sql}\n" for sql in statements]
        steps = tuple(Step("o_0", "manipulate", text, window=window) for text in (texts if apart else ["".join(texts)]))
        program = Program(
            1, "concurrent", "", {"o_0": "o_base", "o_1": "o_base"}, True, (),
            setup=(Step("o_base", "create", "> CREATE o_base\n"),),
            sessions=(ProgramSession("1", (Step("o_1", "manipulate", "> PAINT o_1\n"),)), ProgramSession("2", steps)),
            verify=(), teardown=(Step("o_base", "destroy", "> DROP o_base\n"),),
        )  # fmt: skip
        return RepetitionRunner.of(self.database).run(self._host(program), 1)

    @property
    def recorded(self) -> list[Event]:
        """The history file."""
        return list(read_history(self._path))

    def retried(self) -> Retried:
        """The last that is recorded of the only statement that was to be run again."""
        (retried,) = {event.statements: event for event in self.recorded if isinstance(event, Retried)}.values()
        return retried

    def again(self, sql: str) -> list[str]:
        """What session 2 was sent after it had run the statement, without the end of its failed transaction."""
        texts = self.target.texts("2")
        behind = texts[texts.index(sql) + 1 :]
        return list(itertools.dropwhile(lambda text: text in ("COMMIT", "ROLLBACK"), behind))


@contextlib.contextmanager
def storm(target: ScriptedTarget, recorder: Recorder, directory: Path) -> Iterator[Host]:
    with contextlib.ExitStack() as stack:
        yield lambda program: stack.enter_context(contextlib.closing(StormRunner(target, program, recorder, directory, 60.0)))


@contextlib.contextmanager
def lock_step(target: ScriptedTarget, recorder: Recorder, directory: Path) -> Iterator[Host]:
    with contextlib.closing(LockstepRunner(target, recorder, directory, 60.0)) as runner:
        yield lambda program: runner.schedule(lockstep_program(program), (), Listed((1, *[2] * 6)))


@pytest.fixture(params=[storm, lock_step], ids=["storm", "lock-step"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    target = ScriptedTarget()
    with contextlib.closing(Recorder(tmp_path / "history.jsonl")) as recorder, request.param(target, recorder, tmp_path) as host:
        yield Runs(target, host, recorder.path)
    target.stop()


def only(repetition: JudgedRepetition) -> Finding:
    (finding,) = repetition.findings
    return finding


# Verdicts


def test_an_error_that_lasts_and_that_no_serial_order_shows_is_a_corruption(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, BROKEN_AGAIN, BROKEN, done("READ"))
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("corruption", "lasting")
    assert finding.title == "XX000 cache lookup failed for box 4711, and it still fails so when everybody rests"
    retried = runs.retried()
    assert (retried.verdict, retried.way, retried.serial) == ("lasting", "in a transaction", "succeeds")
    assert retried.message == "cache lookup failed for box 4712"


def test_one_that_does_not_come_again_is_passing(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, done("READ"))
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "passing")
    assert "run again at rest in a transaction: it succeeds" in finding.detail
    assert runs.target.count("rebuild") == 1


@pytest.mark.parametrize("error", [refused(INTERNAL, "could not find tuple 1"), refused(MISSING, "no box")])
def test_so_is_one_that_is_another_error_at_rest(runs: Runs, error: Outcome) -> None:
    runs.target.answer("READ o_0", BROKEN, error)
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "passing")
    retried = runs.retried()
    assert error.error is not None
    assert (retried.sqlstate, retried.message) == (error.error.sqlstate, error.error.message)


def test_one_that_a_serial_order_shows_needs_no_race_and_is_no_corruption(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN)
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "lasting")
    assert any("no race needed" in line for line in finding.detail)


def test_one_that_neither_succeeds_nor_fails_so_in_serial_orders_is_no_corruption(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, BROKEN, BROKEN, refused(MISSING))
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "lasting")
    assert finding.signature.endswith("at rest")


def test_one_that_only_its_own_session_gets_is_no_corruption(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, BROKEN_AGAIN, done("READ"))
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "lasting")
    assert "only in its own session, not in a new one" in finding.detail
    assert runs.retried().serial == "succeeds"


def test_an_unexplained_error_is_run_again_too_and_stays_what_it_is(runs: Runs) -> None:
    runs.target.answer("READ o_0", refused(SYNTAX))
    finding = only(runs.run("READ o_0"))
    assert (finding.severity, finding.at_rest) == ("unexplained error", "lasting")
    assert runs.target.count("rebuild") == 1, "only internal errors are asked for in serial orders"


def test_after_a_corruption_that_an_oracle_has_found_a_lasting_error_is_its_consequence(runs: Runs) -> None:
    runs.database.oracle.finds = "corruption"
    runs.target.answer("READ o_0", BROKEN)
    finding = only(runs.run("READ o_0"))
    assert finding.oracle == "at rest"
    assert "XX000 cache lookup failed" in finding.consequences[0]
    assert runs.retried().verdict == "lasting"
    assert runs.target.count("rebuild") == 1, "no serial order is run"


# What is run before it, and how


def test_a_statement_of_a_transaction_is_run_after_what_that_had_done_and_rolled_back(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, done("READ"))
    runs.run("SET role = o_0", "PAINT o_0", "READ o_0", window="commit")
    assert runs.again("READ o_0") == ["BEGIN", "SET role = o_0", "PAINT o_0", "READ o_0", "ROLLBACK"]


def test_settings_of_the_session_are_made_again(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, done("READ"))
    runs.run("SET role = o_0", "PREPARE p AS READ", "PAINT o_0", "READ o_0")
    assert runs.again("READ o_0") == ["SET role = o_0", "PREPARE p AS READ", "BEGIN", "READ o_0", "ROLLBACK"]


def test_what_its_transaction_had_done_is_left_out_where_it_fails_now(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, BROKEN_AGAIN, BROKEN, done("READ"))
    runs.target.answer("PAINT o_0", done("PAINT"), refused(MISSING), done("PAINT"))
    assert only(runs.run("PAINT o_0", "READ o_0", window="commit")).at_rest == "lasting"


def test_what_cannot_stand_in_a_transaction_is_run_on_a_clone_without_sessions_in_the_original(runs: Runs) -> None:
    runs.target.answer("VACUUM o_0", BROKEN, BROKEN_AGAIN, done("VACUUM"))
    finding = only(runs.run("VACUUM o_0"))
    assert (finding.severity, finding.at_rest) == ("corruption", "lasting")
    retried = runs.retried()
    assert retried.way == "on a clone"
    assert [asked for asked in runs.target.asked if "clone" in asked] == ["clone", "drop clone"]
    assert ("clone of 2", "VACUUM o_0") in runs.target.sent
    assert ("main", "DROP o_base") in runs.target.sent, "the teardown follows"


def test_a_failed_commit_is_run_on_a_clone_with_its_whole_transaction(runs: Runs) -> None:
    runs.target.answer("COMMIT", BROKEN, done("COMMIT"))
    finding = only(runs.run("PAINT o_0", window="commit"))
    assert finding.at_rest == "passing"
    on_clone = [sql for name, sql in runs.target.sent if name.startswith("clone of")]
    assert on_clone == ["BEGIN", "PAINT o_0", "COMMIT"]


def test_what_cannot_be_cloned_is_not_retried_and_says_why(runs: Runs) -> None:
    runs.target.cannot_clone = "a database of Scripted cannot be cloned"
    runs.target.answer("VACUUM o_0", BROKEN)
    finding = only(runs.run("VACUUM o_0"))
    assert (finding.severity, finding.at_rest) == ("internal error", "not retried")
    assert "not run again at rest: a database of Scripted cannot be cloned" in finding.detail


def test_what_databases_share_is_run_last_and_then_nothing_of_the_working_database_is_used(runs: Runs) -> None:
    runs.target.answer("CLUSTER o_0 VACUUM", BROKEN, done("CLUSTER"))
    repetition = runs.run("CLUSTER o_0 VACUUM")
    assert only(repetition).at_rest == "passing"
    assert runs.retried().way == "last"
    told = [event.text for event in repetition.events if isinstance(event, Fault)]
    assert told == ["the teardown was left out: a statement that was run again at rest had changed the working database"]
    assert runs.target.count("clone") == 0


def test_one_that_succeeded_later_in_its_session_is_passing_without_that(runs: Runs) -> None:
    runs.target.answer("CLUSTER o_0", BROKEN, done("CLUSTER"))
    runs.run("CLUSTER o_0", "CLUSTER o_0", apart=True)
    retried = runs.retried()
    assert (retried.verdict, retried.reason) == ("passing", "the same session ran it again later, and it succeeded")
    assert runs.target.texts("2").count("CLUSTER o_0") == 2


def test_what_must_not_be_run_again_is_not(runs: Runs) -> None:
    runs.target.answer("APOCALYPSE o_0", BROKEN)
    finding = only(runs.run("APOCALYPSE o_0"))
    assert finding.at_rest == "not retried"
    assert "not run again at rest: it ends the world" in finding.detail
    assert sum(sql == "APOCALYPSE o_0" for _, sql in runs.target.sent) == 1


def test_nothing_is_run_again_where_the_state_at_rest_could_not_be_judged(runs: Runs) -> None:
    runs.database.oracle.cannot = "the server does not answer"
    runs.target.answer("READ o_0", BROKEN)
    runs.run("READ o_0")
    retried = runs.retried()
    assert (retried.verdict, retried.reason) == ("not retried", "the server does not answer")


def test_a_server_that_crashes_over_it_is_a_crash(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, CRASHED)
    repetition = runs.run("READ o_0")
    assert "crash" in {finding.severity for finding in repetition.findings}
    assert runs.retried().verdict == "not retried"


def test_a_retry_comes_after_the_oracles_at_rest_and_before_the_teardown(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_at: list[int] = []
    judge = runs.database.oracle.judge

    def judge_and_note(rest: TargetAtRest) -> list[Finding]:
        judged_at.append(len(runs.target.sent))
        return judge(rest)

    monkeypatch.setattr(runs.database.oracle, "judge", judge_and_note)
    runs.target.answer("READ o_0", BROKEN, done("READ"))
    runs.run("READ o_0")
    first, again = [number for number, (_, sql) in enumerate(runs.target.sent) if sql == "READ o_0"]
    assert first < judged_at[0] <= again < runs.target.sent.index(("main", "DROP o_base"))


# What is recorded, and counted


def test_a_history_that_was_recorded_gives_the_same_verdicts(runs: Runs) -> None:
    runs.target.answer("READ o_0", BROKEN, BROKEN, BROKEN, done("READ"))
    repetition = runs.run("READ o_0")
    program = Program(1, "concurrent", "", {"o_0": "o_base"}, True, (), (), (), (), ())
    again = judge_errors(ObservedHistory(program, 1, runs.recorded, SCRIPTED, "1.0"))
    assert again == repetition.findings
    assert [retried.serial for retried in retries_of(1, runs.recorded).values()] == ["succeeds"]


def test_statements_are_counted_by_what_became_of_them() -> None:
    counts = RetryCounts()
    counts.add(
        [Retried(1, (0,), "lasting"), Retried(1, (1,), "passing"), *[Retried(1, (2,), "not retried", reason="no clone")] * 2]
    )
    assert (counts.retried, counts.lasting, counts.passing, counts.not_retried) == (2, 1, 1, 2)
    assert str(counts) == "failed statements run again at rest: 2, 1 lasting, 1 passing; 2 not run again (2 × no clone)"
    assert str(RetryCounts()) == ""
