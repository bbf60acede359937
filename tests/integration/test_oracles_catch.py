"""Every oracle catches a defect that is made by hand on the real server, and says nothing about the same program without it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Recorder, Statement
from racehound.data.program import Phase, Program, ProgramSession, Step
from racehound.databases.database import Choice
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened, opened
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner
from racehound.wire.session import LibpqSession

Judge = Callable[[Program], list[Finding]]

TABLE = "> CREATE TABLE o_base (a TEXT, b TEXT)\n> INSERT INTO o_base SELECT i, i FROM generate_series(1, 10) AS i\n"
DROP = Step("o_base", "destroy", "> DROP TABLE IF EXISTS o_base CASCADE")
CHEAT = "> SET allow_system_table_mods = on\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A target of this module's own: it will be damaged."""
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


@pytest.fixture
def judge(place: Opened, tmp_path: Path) -> Iterator[Judge]:
    """Run one repetition of a program, all oracles on, those of a plan's end included."""
    runners: list[StormRunner] = []

    def run(program: Program) -> list[Finding]:
        recorder = Recorder(tmp_path / f"history-{len(runners)}.jsonl")
        runner = StormRunner(place.target, program, recorder, tmp_path, statement_limit_s=1.0)
        runners.append(runner)
        return RepetitionRunner.of(place.database).run(runner, 1, whole_plan=True).findings

    yield run
    for runner in runners:
        runner.close()
        runner.recorder.close()


def program(*sessions: ProgramSession, setup: str = TABLE, verify: str = "", teardown: tuple[Step, ...] = (DROP,)) -> Program:
    return Program(
        seed=1, scenario="concurrent", title="by hand", refers_to={"o_0": "o_base"}, reset_each=True, once=(),
        setup=(Step("o_base", "create", setup),), sessions=sessions,
        verify=(Step("o_base", "verify", verify),) if verify else (), teardown=teardown,
    )  # fmt: skip


def session(fragment: str, name: str = "o_0", phase: Phase = "manipulate") -> ProgramSession:
    return ProgramSession(name, (Step(name, phase, fragment),))


def only(found: list[Finding], severity: str) -> Finding:
    assert {finding.severity for finding in found} == {severity}, found
    return found[0]


def test_nothing_is_found_where_nothing_is_wrong(judge: Judge) -> None:
    sound = session("> CREATE INDEX o_0 ON o_base (a)\n> DROP INDEX o_0")
    assert judge(program(sound, verify="> SELECT count(*) % 10 FROM o_base\n0\n")) == []


def test_a_deleted_catalog_row_is_corruption(judge: Judge) -> None:
    damage = "> CREATE SCHEMA o_0 CREATE TABLE o_0_table (a TEXT)\n" + CHEAT + "> DELETE FROM pg_namespace WHERE nspname = 'o_0'"
    found = judge(program(session(damage)))
    assert {finding.severity for finding in found} == {"corruption"}
    (schema,) = found  # one defect, one finding
    assert schema.signature == "pg_class.relnamespace -> pg_namespace.oid: row missing"
    assert [s.sql for s in schema.statements if "pg_namespace" in s.sql]
    told = "\n".join(schema.consequences)
    assert "pg_type.typnamespace -> pg_namespace.oid: row missing" in told
    assert "pg_depend.refobjid -> pg_namespace.oid: row missing" in told
    assert "pg_dump fails: " in told


def test_a_membership_without_its_role_is_one_defect_whoever_tells_it(judge: Judge, place: Opened) -> None:
    """The catalog oracle sees it, and a check of contents does: both name the role that is gone."""
    role, member = (f"{place.target.run_id}_o_0_{name}" for name in ("role", "member"))
    damage = f"> CREATE ROLE {role}\n> CREATE ROLE {member}\n> GRANT {role} TO {member}\n{CHEAT}"
    damage += f"> DELETE FROM pg_authid WHERE rolname = '{role}'"
    known = "SELECT FROM pg_authid AS a WHERE a.oid = m.roleid"
    found = judge(program(session(damage), verify=f"> SELECT m.roleid FROM pg_auth_members AS m WHERE NOT EXISTS ({known})\n"))
    (membership,) = found
    assert membership.signature == "pg_auth_members.roleid -> pg_authid.oid: row missing"
    assert [line for line in membership.consequences if line.startswith("wrong result ")]
    place.target.restart()


def test_racehounds_own_check_of_an_index_that_is_being_dropped_is_no_weakness(place: Opened, tmp_path: Path) -> None:
    """amcheck looks the index up, waits for its table, and then does not find it any more."""
    drop = "> BEGIN\n> DROP INDEX o_0\n> SELECT count(*) FROM pg_sleep(0.2)\n1\n> COMMIT"
    check = "> SELECT count(*) FROM pg_sleep(0.1)\n1\n> SELECT racehound.bt_index_check('o_0'::regclass, true)\n\"\"\n"
    raced = program(
        ProgramSession("o_1", (Step("o_0", "destroy", drop, beat=0),)),
        ProgramSession("o_0", (Step("o_0", "verify", check, beat=0),)),
        setup=f"{TABLE}> CREATE INDEX o_0 ON o_base (a)\n",
    )
    with (
        contextlib.closing(Recorder(tmp_path / "history.jsonl")) as recorder,
        contextlib.closing(StormRunner(place.target, raced, recorder, tmp_path, statement_limit_s=10.0)) as runner,
    ):
        repetition = RepetitionRunner.of(place.database).run(runner, 1)
    failed = [event for event in repetition.events if isinstance(event, Statement) and event.status == "error"]
    assert [(each.sqlstate, each.phase) for each in failed] == [("XX000", "verify")]
    assert repetition.findings == []
    assert repetition.classes == {"expected": 1}


def test_a_default_whose_text_search_configuration_is_gone_is_corruption(judge: Judge) -> None:
    """As CREATE TABLE leaves it beside DROP TEXT SEARCH CONFIGURATION … CASCADE: nothing in pg_depend tells of it."""
    table = "CREATE TABLE o_0_table (v tsvector DEFAULT to_tsvector('o_0'::regconfig, 'x'), CHECK (v @@ to_tsquery('o_0', 'x')))"
    gone = "(SELECT oid FROM pg_ts_config WHERE cfgname = 'o_0')"
    damage = "\n> ".join(
        (
            "> CREATE TEXT SEARCH CONFIGURATION o_0 (COPY = simple)",
            table,
            "SET allow_system_table_mods = on",
            f"DELETE FROM pg_depend WHERE {gone} IN (objid, refobjid)",
            f"DELETE FROM pg_ts_config_map WHERE mapcfg = {gone}",
            "DELETE FROM pg_ts_config WHERE cfgname = 'o_0'",
        )
    )
    drop = Step("o_0", "destroy", "> DROP TABLE o_0_table")
    found = judge(program(session(damage), teardown=(drop, DROP)))
    broken = "a constant names an object that does not exist"
    (told,) = (f for f in found if f.signature == f"stored expression: {broken}")
    assert (told.severity, told.title.partition(" (")[0]) == ("corruption", f"pg_attrdef.adbin -> pg_ts_config.oid: {broken}")
    assert [line.partition(" ")[0] for line in told.detail if broken in line] == ["pg_attrdef", "pg_constraint"], "one defect"


def test_a_constant_that_a_statement_writes_as_a_number_needs_no_object(judge: Judge) -> None:
    assert judge(program(session("> CREATE TABLE o_0 (a regclass DEFAULT '4123456789'::regclass)\n> SELECT 1\n1"))) == []


def test_broken_rows_of_shared_catalogs_are_told_once(judge: Judge, place: Opened) -> None:
    role = f"{place.target.run_id}_o_0"
    damage = f"> CREATE ROLE {role}\n> GRANT pg_monitor TO {role}\n{CHEAT}> DELETE FROM pg_authid WHERE rolname = '{role}'"
    found = judge(program(session(damage)))
    assert "pg_auth_members.member -> pg_authid.oid: row missing" in [finding.signature for finding in found]
    assert judge(program(session("> SELECT 1\n1"))) == []
    place.target.restart()


def test_an_index_that_misses_rows_is_a_wrong_result(judge: Judge) -> None:
    """Rows written while the index is marked as not ready are not in it; amcheck misses them."""
    damage = (
        f"> CREATE INDEX o_0 ON o_base (a)\n{CHEAT}> UPDATE pg_index SET indisready = false WHERE indexrelid = 'o_0'::regclass\n"
        "> INSERT INTO o_base VALUES ('x', 'y')\n> UPDATE pg_index SET indisready = true WHERE indexrelid = 'o_0'::regclass\n"
    )
    check = Step("o_0", "verify", "> SELECT racehound.bt_index_check('o_0'::regclass, true)\n\"\"\n")
    found = judge(program(ProgramSession("o_0", (Step("o_0", "manipulate", damage), check))))
    # amcheck raises what it finds as an error of class XX002 (index corrupted).
    assert [f for f in found if f.severity == "corruption" and "lacks matching index tuple" in f.title], found


def test_an_index_that_misses_rows_is_corruption_where_the_check_runs_after_all_sessions(judge: Judge) -> None:
    """amcheck says XX001 of it. While others write that proves nothing, but here they have finished."""
    damage = (
        f"> CREATE INDEX o_0 ON o_base (a)\n{CHEAT}> UPDATE pg_index SET indisready = false WHERE indexrelid = 'o_0'::regclass\n"
        "> INSERT INTO o_base VALUES ('x', 'y')\n> UPDATE pg_index SET indisready = true WHERE indexrelid = 'o_0'::regclass\n"
    )
    found = judge(program(session(damage), verify="> SELECT racehound.bt_index_check('o_0'::regclass, true)\n\"\"\n"))
    assert [f.severity for f in found if "lacks matching index tuple" in f.title] == ["corruption"], found


def test_a_backend_that_dies_by_a_signal_is_a_crash_and_the_next_repetition_goes_on(judge: Judge) -> None:
    found = judge(program(session("> COPY (SELECT 1) TO PROGRAM 'kill -SEGV $PPID'")))
    crash = only(found, "crash")
    assert "terminated by signal N" in crash.signature
    assert judge(program(session("> SELECT 1\n1"))) == []


def test_a_connection_that_somebody_ended_is_no_crash(judge: Judge) -> None:
    assert judge(program(session("> SELECT pg_terminate_backend(pg_backend_pid())\nt"))) == []


def test_a_backend_that_somebody_killed_is_no_crash(judge: Judge) -> None:
    assert judge(program(session("> COPY (SELECT 1) TO PROGRAM 'kill -KILL $PPID'"))) == []
    assert judge(program(session("> SELECT 1\n1"))) == []


def test_a_lock_that_a_stranger_holds_for_ever_is_a_hang_that_names_him(
    judge: Judge, place: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = place.target
    assert isinstance(target, PostgresTarget)

    def lock() -> None:
        stranger = LibpqSession.connect(target.location.conninfo(target.database), "stranger")
        assert stranger.execute("BEGIN").ok
        assert stranger.execute("LOCK TABLE o_base").ok
        strangers.append(stranger)

    strangers: list[object] = []
    hold = Step("o_1", "manipulate", "> SELECT 1\n1", beat=0)
    wait = Step("o_0", "manipulate", "> ALTER TABLE o_base ADD COLUMN c TEXT", beat=0)

    found = _judge_while(
        judge, program(ProgramSession("o_0", (wait,)), ProgramSession("o_1", (hold,)), teardown=()), lock, target, monkeypatch
    )
    hang = only(found, "hang")
    assert hang.signature == "held: ALTER TABLE ADD COLUMN TEXT"
    assert [line for line in hang.detail if line.startswith("stranger") and "LOCK TABLE o_base" in line]


def _judge_while(
    judge: Judge, case: Program, disturb: Callable[[], None], target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> list[Finding]:
    """Let the disturbance happen when the first session opens its session: after setup, before the race."""
    original = target.open

    def opening(name: str) -> LibpqSession:
        if name == "o_0":
            disturb()
        return original(name)

    monkeypatch.setattr(target, "open", opening)
    return judge(case)


def test_a_row_changed_behind_a_verify_is_a_wrong_result(judge: Judge) -> None:
    found = judge(program(session("> INSERT INTO o_base VALUES ('x', 'y')"), verify="> SELECT count(*) % 10 FROM o_base\n0\n"))
    wrong = only(found, "wrong result")
    assert wrong.detail
    assert "INSERT INTO o_base" in " ".join(s.sql for s in wrong.statements)


def test_a_slot_that_stays_is_a_leak(judge: Judge, place: Opened) -> None:
    found = judge(program(session("> SELECT count(*) FROM pg_create_logical_replication_slot('stays', 'test_decoding')\n1")))
    assert "replication slot stays" in only(found, "leak").title


def test_a_lock_that_outlives_its_session_state_is_a_leak(judge: Judge) -> None:
    found = judge(program(session("> BEGIN\n> CREATE TABLE o_0 (a TEXT)\n> PREPARE TRANSACTION 'stays'"), teardown=()))
    assert "prepared transaction" in only(found, "leak").title


@pytest.mark.parametrize("name", ["'made'", "'ma' || 'de'"])
def test_a_slot_that_the_setup_makes_is_no_leak(judge: Judge, name: str) -> None:
    made = f"> SELECT count(*) FROM pg_create_logical_replication_slot({name}, 'test_decoding')\n1\n"
    assert judge(program(session("> INSERT INTO o_base SELECT * FROM o_base"), setup=TABLE + made)) == []


def test_a_slot_that_a_session_adds_to_that_of_the_setup_is_a_leak(judge: Judge) -> None:
    made = "> SELECT count(*) FROM pg_create_logical_replication_slot('made', 'test_decoding')\n1\n"
    added = "> SELECT count(*) FROM pg_create_logical_replication_slot('added', 'test_decoding')\n1\n"
    found = judge(program(session(added), setup=TABLE + made))
    assert [finding.title.split(" is still")[0] for finding in found] == ["replication slot added"]


def test_a_transaction_that_the_setup_prepares_is_no_leak(judge: Judge) -> None:
    prepared = "> BEGIN\n> INSERT INTO o_base VALUES ('x', 'y')\n> PREPARE TRANSACTION 'in doubt'\n"
    finished = Step("o_base", "destroy", "> ROLLBACK PREPARED 'in doubt'\n> DROP TABLE o_base")
    assert judge(program(session("> SELECT 1\n1"), setup=TABLE + prepared, teardown=(finished,))) == []
