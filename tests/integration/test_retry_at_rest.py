"""Retry at rest on the real server: breakages that last are told as corruptions, and nothing else is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.history import Recorder, Retried
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.database import CORE_ORACLES, Choice
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened, opened
from racehound.judge import oracles
from racehound.judge.judge import Judge
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
from racehound.run.storm_runner import StormRunner

Run = Callable[[Program], JudgedRepetition]

SETUP = """\
> CREATE TEXT SEARCH CONFIGURATION o_base (COPY = pg_catalog.simple)
> CREATE TABLE o_0 (a integer, v tsvector DEFAULT to_tsvector('o_base'::regconfig, 'x'))
"""
SLEEPING = (
    "SELECT FROM pg_stat_activity WHERE application_name LIKE 'racehound % o_0' AND query LIKE '%pg_sleep%' AND state = 'active'"
)
"""Only while the sessions run at the same time does this find a row."""
SLEEP = "> DO $$BEGIN PERFORM pg_sleep(0.5); END$$\n"
WAIT = f"""\
> DO $$BEGIN FOR i IN 1..100 LOOP
    EXIT WHEN EXISTS ({SLEEPING}); PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot();
  END LOOP; END$$
"""
DANGLE = f"""\
> SET allow_system_table_mods = on
> DELETE FROM pg_ts_config WHERE cfgname = 'o_base' AND EXISTS ({SLEEPING})
> RESET allow_system_table_mods
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A target of this module's own: it will be damaged."""
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


@pytest.fixture
def run(place: Opened, tmp_path: Path) -> Iterator[Run]:
    """Runs one repetition of a program. Only the oracles that read no catalog judge: these would find the cause, too."""
    runners: list[StormRunner] = []

    def once(program: Program) -> JudgedRepetition:
        recorder = Recorder(tmp_path / f"history-{len(runners)}.jsonl")
        runner = StormRunner(place.target, program, recorder, tmp_path, statement_limit_s=10.0)
        runners.append(runner)
        return RepetitionRunner(Judge(oracles(CORE_ORACLES, {}))).run(runner, 1)

    yield once
    for runner in runners:
        runner.close()
        runner.recorder.close()


def racing(first: str, second: str, setup: str = SETUP) -> Program:
    """o_0's session runs the first fragment and destroys the table o_0; o_1's session runs the second one meanwhile."""
    return Program(
        seed=1, scenario="concurrent", title="by hand", refers_to={"o_0": "o_base", "o_1": "o_base"}, reset_each=True, once=(),
        setup=(Step("o_base", "create", setup),),
        sessions=(
            ProgramSession("o_0", (Step("o_0", "manipulate", first), Step("o_0", "destroy", "> DROP TABLE o_0\n"))),
            ProgramSession("o_1", (Step("o_1", "manipulate", second),)),
        ),
        verify=(), teardown=(),
    )  # fmt: skip


def retried(repetition: JudgedRepetition) -> Retried:
    return [event for event in repetition.events if isinstance(event, Retried)][-1]


def test_a_default_that_a_race_has_broken_is_a_corruption_though_its_session_drops_the_table(run: Run) -> None:
    repetition = run(racing(SLEEP + "> INSERT INTO o_0 (a) VALUES (1)\n", WAIT + DANGLE))
    (finding,) = repetition.findings
    assert (finding.severity, finding.at_rest) == ("corruption", "lasting")
    assert finding.signature == "XX000 cache lookup failed for text search configuration N [lookup_ts_config_cache] at rest"
    assert retried(repetition).serial == "succeeds"


def test_what_the_same_statements_break_one_after_the_other_needs_no_race(run: Run) -> None:
    always = DANGLE.replace(f" AND EXISTS ({SLEEPING})", "")
    repetition = run(racing(SLEEP + "> INSERT INTO o_0 (a) VALUES (1)\n", WAIT + always))
    (finding,) = repetition.findings
    assert (finding.severity, finding.at_rest) == ("known weakness", "lasting")
    assert retried(repetition).serial == "fails the same way"


def test_an_error_that_only_comes_while_the_other_session_is_at_work_is_passing(run: Run) -> None:
    busy = SLEEPING.replace("% o_0'", "% o_1'")
    wait = WAIT.replace("% o_0'", "% o_1'")
    raising = f"> DO $$BEGIN IF EXISTS ({busy}) THEN RAISE 'cache lookup failed for o_0' USING ERRCODE = 'XX000'; END IF; END$$\n"
    repetition = run(racing(wait + raising, SLEEP))
    (finding,) = repetition.findings
    assert (finding.severity, finding.at_rest) == ("known weakness", "passing")
    assert retried(repetition).way == "in a transaction"


def test_a_procedure_is_called_on_a_clone_which_is_dropped(run: Run, place: Opened) -> None:
    procedure = """\
> CREATE PROCEDURE o_base() LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO o_0 VALUES (2); COMMIT; RAISE 'cache lookup failed for o_base' USING ERRCODE = 'XX000'; END$$
"""
    repetition = run(racing("> CALL o_base()\n", "> SELECT 1\n1\n", "> CREATE TABLE o_0 (a integer)\n" + procedure))
    again = retried(repetition)
    assert (again.verdict, again.way, again.serial) == ("lasting", "on a clone", "fails the same way")
    assert isinstance(place.target, PostgresTarget)
    databases = place.target.observer.execute("SELECT datname FROM pg_database WHERE datname LIKE '%clone%'")
    assert databases.rows is not None
    assert databases.rows.cells == []


def test_a_transaction_is_done_again_before_its_statement_and_nothing_of_it_remains(run: Run, place: Opened) -> None:
    setup = "> CREATE TABLE o_base (a integer)\n> INSERT INTO o_base VALUES (1)\n> CREATE TABLE o_0 (a integer)\n"
    count = "IF (SELECT count(*) FROM o_base) = 2 THEN RAISE 'cache lookup failed for o_base' USING ERRCODE = 'XX000'; END IF"
    step = Step("o_0", "manipulate", f"> INSERT INTO o_base VALUES (2)\n> DO $$BEGIN {count}; END$$\n", window="commit")
    program = racing("> SELECT 1\n1\n", "> SELECT 1\n1\n", setup)
    sessions = (ProgramSession("o_0", (step,)), program.sessions[1])
    program = Program(
        1, "concurrent", "by hand", program.refers_to, True, (), program.setup, sessions,
        verify=(), teardown=(Step("o_base", "verify", "> SELECT count(*) FROM o_base\n1\n"),),
    )  # fmt: skip
    repetition = run(program)
    again = retried(repetition)
    assert (again.verdict, again.way) == ("lasting", "in a transaction")
    assert [finding.severity for finding in repetition.findings] == ["internal error"], "the rows are as they were"


def test_a_tablespace_is_dropped_last_and_the_next_repetition_gets_a_new_database(
    run: Run, place: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has no way to make a DROP TABLESPACE fail once: a refusal of it is told as an internal error here."""
    internal = dataclasses.replace(POSTGRES, is_internal=lambda s: POSTGRES.is_internal(s) or s.sqlstate == "55000")
    monkeypatch.setattr(place.target, "dialect", internal)
    name = "${racehound.run}_o_base"
    setup = f"> SET allow_in_place_tablespaces = on\n> CREATE TABLESPACE {name} LOCATION ''\n"
    setup += f"> CREATE TABLE o_1 () TABLESPACE {name}\n"
    repetition = run(racing(f"> DROP TABLESPACE {name}\n", SLEEP + "> DROP TABLE o_1\n", setup + "> CREATE TABLE o_0 ()\n"))
    again = retried(repetition)
    assert (again.verdict, again.way, again.sqlstate) == ("passing", "last", "")
    assert isinstance(place.target, PostgresTarget)
    left = place.target.observer.execute("SELECT spcname FROM pg_tablespace WHERE spcname LIKE '%o_base'")
    assert left.rows is not None
    assert left.rows.cells == []
