"""What is handed over of a reduced scene: each form has all statements, in their order, and can be run again."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from racehound.data.finding import Finding, Reproduction, Severity
from racehound.data.reduction import Pass, Reduction
from racehound.data.scene import SETUP, Line, Scene
from racehound.data.verification import RUNS, SHOWN, Verification, read_verification, write_verification
from racehound.databases.postgres.handover import hand_over
from racehound.report.handover import kit_of, write_handover
from racehound.report.summary import handover_text

SCENE = Scene((
    Line(SETUP, "CREATE SCHEMA ${racehound.run}_o_0;"), Line(1, "BEGIN"), Line(1, "CREATE FUNCTION f()\nRETURNS int RETURN 1"),
    Line(2, "DROP SCHEMA ${racehound.run}_o_0"), Line(1, "COMMIT"),
))  # fmt: skip
FINDING = Finding(
    "catalog", "corruption", "sig", "pg_proc.pronamespace -> pg_namespace.oid: row missing (function rh1234abcd_o_0.f)"
)
TABLESPACE = Scene((
    Line(SETUP, "CREATE TABLESPACE ${racehound.run}_o_3 LOCATION ''"), Line(1, "BEGIN"),
    Line(1, "COMMENT ON TABLESPACE ${racehound.run}_o_3 IS 'o_3'"),
    Line(2, "DROP TABLESPACE ${racehound.run}_o_3"), Line(1, "COMMIT"),
))  # fmt: skip


def handed(
    directory: Path,
    database: str = "PostgreSQL",
    scene: Scene = SCENE,
    replays: dict[str, Reproduction] | None = None,
    finding: Finding = FINDING,
) -> dict[str, str]:
    reduction = Reduction(
        finding.id, database, "18.3", Reproduction(20, 19), 1.0, "minimal", (Pass("guesses"),), scene, replays=replays or {}
    )
    formats = hand_over if database == "PostgreSQL" else lambda *_: None
    written = write_handover(directory, finding, reduction, formats)
    assert written is not None
    return {path.name: path.read_text() for path in written.iterdir()}


def constants(script: str) -> dict[str, Any]:
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(script).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def test_each_session_has_its_script_and_says_when_it_waits(tmp_path: Path) -> None:
    files = handed(tmp_path)
    assert files["setup.sql"] == "\\set ON_ERROR_STOP on\nCREATE SCHEMA schema_1;\n"
    one, two = files["session-1.sql"], files["session-2.sql"]
    assert [line for line in one.splitlines() if line.startswith("\\prompt")] == [
        "\\prompt 'Turn 4: press Enter when all turns before have been taken, or are blocked. ' go"
    ]
    assert one.index("BEGIN;") < one.index("RETURN 1;") < one.index("\\prompt") < one.index("COMMIT;")
    assert two.index("\\prompt 'Turn 3") < two.index("DROP SCHEMA schema_1;")
    assert "pg_namespace" in files["check.sql"]
    assert "DROP SCHEMA IF EXISTS schema_1 CASCADE; EXCEPTION" in files["cleanup.sql"]
    assert "'ALTER SCHEMA schema_1 RENAME TO broken_' || txid_current(); END$$;" in files["cleanup.sql"]


def test_a_setting_that_racehounds_servers_have_is_set_where_it_is_needed(tmp_path: Path) -> None:
    files = handed(tmp_path, scene=TABLESPACE)
    assert files["setup.sql"].splitlines()[1:] == [
        "SET allow_in_place_tablespaces = on;",
        "CREATE TABLESPACE tablespace_1 LOCATION '';",
    ]
    assert "allow_in_place" not in files["session-1.sql"] + files["session-2.sql"]
    assert constants(files["race.py"])["SETTINGS"] == {SETUP: ["SET allow_in_place_tablespaces = on"]}
    assert files["race.spec"].index("SET allow_in_place") < files["race.spec"].index("CREATE TABLESPACE")
    in_session = msgspec.structs.replace(TABLESPACE, lines=(*TABLESPACE.lines, Line(2, TABLESPACE.lines[0].sql)))
    files = handed(tmp_path, scene=in_session)
    assert files["session-2.sql"].index("SET allow_in_place") < files["session-2.sql"].index("CREATE TABLESPACE")
    session = files["race.spec"][files["race.spec"].index("session s2") :]
    assert session.index("SET allow_in_place") < session.index("step s2_3")


def test_settings_of_the_scene_itself_stay_once_and_in_their_place(tmp_path: Path) -> None:
    lines = (
        Line(SETUP, "SET allow_in_place_tablespaces = on"), *TABLESPACE.lines[:1], Line(1, "SET ROLE ${racehound.run}_o_1"),
        Line(1, "BEGIN ISOLATION LEVEL SERIALIZABLE"), Line(1, "SET LOCAL search_path = o_2"), *TABLESPACE.lines[2:],
    )  # fmt: skip
    files = handed(tmp_path, scene=Scene(lines))
    assert files["setup.sql"].count("SET allow_in_place") == 1
    turns = [sql for session, sql in constants(files["race.py"])["TURNS"] if session == 1]
    assert turns[:3] == ["SET ROLE role_1", "BEGIN ISOLATION LEVEL SERIALIZABLE", "SET LOCAL search_path = schema_1"]


def test_what_working_databases_have_is_made_first(tmp_path: Path) -> None:
    lines = (
        Line(1, "CREATE SERVER o_1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '${racehound.database}')"),
        Line(2, "ALTER TABLE o_2 SET SCHEMA racehound_elsewhere"), Line(2, "ALTER TABLE o_2 OWNER TO ${racehound.run}_owner"),
    )  # fmt: skip
    files = handed(tmp_path, scene=Scene(lines))
    assert files["setup.sql"].splitlines()[1:] == [
        "CREATE EXTENSION postgres_fdw;", "CREATE SCHEMA schema_1;", "CREATE ROLE role_1 SUPERUSER;"
    ]  # fmt: skip
    assert "OPTIONS (dbname 'race')" in files["session-1.sql"]
    assert "It needs a database called race" in files["report.md"]
    assert "${" not in "".join(files.values()).replace("${racehound.database}", "")


def test_settings_of_the_server_are_named(tmp_path: Path) -> None:
    lines = (Line(1, "SELECT pg_create_logical_replication_slot('${racehound.run}_o_1', 'test_decoding')"), Line(2, "SELECT 1"))
    assert "Settings that differ from the default: wal_level = logical." in handed(tmp_path, scene=Scene(lines))["report.md"]


def test_a_transaction_that_the_scene_leaves_open_is_ended(tmp_path: Path) -> None:
    scene = msgspec.structs.replace(SCENE, lines=SCENE.lines[:-1])
    files = handed(tmp_path, scene=scene)
    assert constants(files["race.py"])["TURNS"][-1] == (1, "ROLLBACK")
    assert files["session-1.sql"].rstrip().endswith("ROLLBACK;")


def test_names_of_a_run_appear_nowhere(tmp_path: Path) -> None:
    for text in handed(tmp_path).values():
        assert "rh1234abcd" not in text
        assert "o_0" not in text


def test_the_spec_has_one_permutation_the_check_at_its_end_and_a_teardown(tmp_path: Path) -> None:
    spec = handed(tmp_path)["race.spec"]
    assert spec.splitlines()[-1] == "permutation s1_1 s1_2 s2_3 s1_4 must_return_no_row"
    assert spec.count("{") == spec.count("}")
    assert "\n    DO $$BEGIN DROP SCHEMA IF EXISTS schema_1 CASCADE;" in spec[spec.index("teardown") :]


def test_in_a_spec_what_may_stand_in_no_transaction_has_a_teardown_of_its_own(tmp_path: Path) -> None:
    spec = handed(tmp_path, scene=TABLESPACE)["race.spec"]
    blocks = [block.split("}")[0].strip(" {\n") for block in spec.split("teardown")[1:]]
    assert "DROP TABLESPACE IF EXISTS tablespace_1;" in blocks


def test_a_form_that_cannot_be_written_is_left_out_by_name(tmp_path: Path) -> None:
    files = handed(tmp_path)
    assert "race.spec" in files
    braces = msgspec.structs.replace(SCENE, lines=(*SCENE.lines, Line(2, "SELECT '{1}'")))
    files = handed(tmp_path, scene=braces)
    assert "race.spec" not in files
    assert "There is no `race.spec`: a spec cannot hold a closing brace, and turn 5 has one." in files["report.md"]


@pytest.mark.parametrize(("severity", "why"), [("crash", "isolationtester ends when"), ("hang", "isolationtester waits minutes")])
def test_a_spec_has_no_sign_for_the_end_of_a_server_or_for_none(severity: Severity, why: str, tmp_path: Path) -> None:
    files = handed(tmp_path, finding=Finding(severity, severity, "sig", "title"))
    assert "race.spec" not in files
    assert f"There is no `race.spec`: {why}" in files["report.md"]
    assert constants(files["race.py"])["ENDING"] == severity


def test_a_session_stays_as_long_as_something_depends_on_it(tmp_path: Path) -> None:
    lines = (Line(1, "SELECT pg_advisory_lock(1)"), Line(2, "SELECT 1"), Line(2, "DROP SCHEMA o_0"))
    files = handed(tmp_path, scene=Scene(lines))
    assert files["session-1.sql"].splitlines()[-1].startswith("\\prompt 'The end: ")
    assert "The end" not in files["session-2.sql"]
    assert "The end" not in handed(tmp_path)["session-2.sql"]


def test_where_sessions_may_deadlock_the_last_one_to_wait_fails_as_in_lock_step(tmp_path: Path) -> None:
    assert "deadlock_timeout" not in "".join(handed(tmp_path).values())
    lines = (
        Line(1, "BEGIN"), Line(2, "BEGIN"), Line(1, "LOCK o_1"), Line(2, "LOCK o_2"), Line(1, "LOCK o_2"), Line(2, "LOCK o_1"),
        Line(1, "COMMIT"), Line(2, "COMMIT"),
    )  # fmt: skip
    files = handed(tmp_path, scene=Scene(lines))
    for name in ("session-1.sql", "session-2.sql"):
        assert "SET deadlock_timeout = '1ms';" in files[name]
    assert files["race.spec"].count("SET deadlock_timeout = '1ms';") == 2
    assert "deadlock_timeout" not in files.get("setup.sql", "")


def test_a_sign_that_only_racehound_knows_leaves_scripts_for_psql_alone(tmp_path: Path) -> None:
    unknown = Finding("leaks", "leak", "sig", "backend 17 is still there 5 s after every session has left")
    files = handed(tmp_path, finding=unknown)
    assert {"session-1.sql", "session-2.sql"} <= files.keys()
    assert not {"race.py", "race.spec"} & files.keys()
    assert "There is no `race.py`: no query and no error tells" in files["report.md"]


def test_the_script_is_python_that_says_all_turns(tmp_path: Path) -> None:
    values = constants(handed(tmp_path)["race.py"])
    assert values["SETUP"] == ["CREATE SCHEMA schema_1"]
    assert [number for number, _ in values["TURNS"]] == [1, 1, 2, 1]
    assert "DROP ROUTINE IF EXISTS f CASCADE" in values["CLEANUP"][0]


def test_the_script_knows_the_error_that_a_finding_is_about(tmp_path: Path) -> None:
    finding = Finding("errors", "internal error", "sig", 'XX000 cache lookup failed for "o_17" 4711')
    values = constants(handed(tmp_path, finding=finding)["race.py"])
    assert values["CHECK"] == ""
    assert values["ERROR"] == ("XX000", r"cache\ lookup\ failed\ for\ \S+\ \w+")
    report = (kit_of(tmp_path) / "report.md").read_text()
    assert report.splitlines()[0] == '# A statement fails with XX000 cache lookup failed for "o_17" N'


def test_the_script_knows_the_slot_that_must_be_gone(tmp_path: Path) -> None:
    scene = Scene(
        (Line(1, "SELECT pg_create_logical_replication_slot('${racehound.run}_o_1', 'test_decoding')"), Line(2, "SELECT 1"))
    )
    finding = Finding(
        "leaks", "leak", "sig", "replication slot rh1234abcd_o_1 is still there 5 s after every session has left: x"
    )
    files = handed(tmp_path, scene=scene, finding=finding)
    name = constants(files["race.py"])["TURNS"][0][1].split("'")[1]
    assert constants(files["race.py"])["CHECK"].endswith(f"WHERE slot_name = '{name}'")
    assert f"WHERE slot_name IN ('{name}')" in files["cleanup.sql"]


def test_the_script_knows_the_rows_that_a_check_must_return(tmp_path: Path) -> None:
    scene = msgspec.structs.replace(SCENE, check="> SELECT balance FROM o_3\n80\n")
    finding = Finding("contents", "wrong result", "sig", "o_3: other rows than must hold")
    files = handed(tmp_path, scene=scene, finding=finding)
    assert constants(files["race.py"])["EXPECTED"] == [("80",)]
    assert files["check.sql"].startswith("-- Must return these rows, in any order:\n--   80\nSELECT balance FROM table_1;")


def test_without_a_server_the_script_cannot_tell(tmp_path: Path) -> None:
    """Exit code 125 makes `git bisect run` skip; 1 would say that the defect has shown."""
    handed(tmp_path)
    script = kit_of(tmp_path) / "race.py"
    ended = subprocess.run(
        [sys.executable, "-I", str(script), f"host={tmp_path} port=1"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 125, ended.stdout + ended.stderr
    assert "cannot tell" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_the_report_says_what_is_wrong_in_one_sentence_and_has_a_column_for_each_session(tmp_path: Path) -> None:
    report = handed(tmp_path, scene=TABLESPACE, finding=Finding(
        "catalog", "corruption", "sig", "pg_shdescription.objoid -> pg_tablespace.oid: row missing",
        detail=("pg_tablespace 17 refers to pg_tablespace 17: row missing",),
    ))["report.md"]  # fmt: skip
    lines = report.splitlines()
    assert lines[0] == "# A row of pg_shdescription refers by objoid to a row of pg_tablespace that does not exist"
    assert lines[2].startswith(
        "When `COMMENT ON TABLESPACE tablespace_1 IS 'tablespace_1'` and `DROP TABLESPACE tablespace_1` run at the same time"
    )
    columns = [line for line in lines if line.startswith("session 1")]
    assert len(columns) == 1
    at = columns[0].index("session 2")
    assert any(line.startswith(" " * at + "DROP TABLESPACE tablespace_1;") for line in lines)
    assert "FROM pg_shdescription AS c\n" in report
    assert "AND NOT EXISTS (SELECT FROM pg_tablespace AS o WHERE o.oid = c.objoid)" in report
    assert "- PostgreSQL 18.3: shown 19 of 20 times" in report
    for heading in ("Version", "Setup", "Turns", "Observed", "Expected", "Releases tried", "Clean-up", "How to run it"):
        assert f"\n## {heading}\n" in report
    assert "Not yet verified" in report


def test_the_report_tells_what_certainly_follows(tmp_path: Path) -> None:
    lines = ("corruption 0123456789: pg_depend.objid -> pg_proc.oid: row missing (rh1234abcd_o_0)",
             "in the same repetition, leak 1123456789: something else")  # fmt: skip
    report = handed(tmp_path, finding=msgspec.structs.replace(FINDING, consequences=lines))["report.md"]
    assert "what follows: pg_depend.objid -> pg_proc.oid: row missing (schema_1)." in report.splitlines()[2]
    assert "something else" not in report


def test_the_report_names_all_releases_that_it_was_tried_on(tmp_path: Path) -> None:
    report = handed(tmp_path, replays={"18.6": Reproduction(20, 0), "17.5": Reproduction(10, 10)})["report.md"]
    listed = [line for line in report.splitlines() if line.startswith("- PostgreSQL 1")]
    assert listed == [
        "- PostgreSQL 18.3: shown 19 of 20 times",
        "- PostgreSQL 18.6: shown 0 of 20 times",
        "- PostgreSQL 17.5: shown 10 of 10 times",
    ]


GOOD = Verification("18.3", "PostgreSQL 18.3 on x86_64", "Debian", forms={"psql": (SHOWN,) * RUNS, "race.py": (SHOWN,) * RUNS})


def test_a_verification_is_part_of_the_report_as_long_as_it_is_of_these_files(tmp_path: Path) -> None:
    handed(tmp_path)
    observed = msgspec.structs.replace(GOOD, observed=("(1 row)",), consequences=("pg_dump -s fails: schema is gone",))
    write_verification(kit_of(tmp_path), observed)
    report = handed(tmp_path, replays={"18.6": Reproduction(20, 0)})["report.md"]
    assert "PostgreSQL 18.3 on x86_64\n\nOperating system: Debian" in report
    assert "what follows: pg_dump -s fails: schema is gone." in report
    assert "(1 row)" in report
    assert "Verified on a stock server, 18.3: psql, race.py showed it 2 of 2 times." in report
    assert "Not yet verified" in handed(tmp_path, scene=TABLESPACE)["report.md"]
    assert read_verification(kit_of(tmp_path)) is None


def test_only_what_was_verified_is_for_others_to_run(tmp_path: Path) -> None:
    assert handover_text(tmp_path, tmp_path) == ""
    handed(tmp_path)
    kit = kit_of(tmp_path)
    assert handover_text(tmp_path, Path("run")).startswith(
        f"not yet verified, so perhaps not for others to run: {kit} (racehound"
    )
    write_verification(kit, GOOD)
    assert handover_text(tmp_path, Path("run")).startswith(f"for others to run: {kit} (verified on a stock server")
    write_verification(kit, msgspec.structs.replace(GOOD, hindered="the time was over"))
    said = handover_text(tmp_path, Path("run"))
    assert said.startswith(f"not verified to the end, so perhaps not for others to run: {kit}")
    assert said.endswith("2 of 2 times; the time was over; racehound report run tries again)")
    write_verification(kit, msgspec.structs.replace(GOOD, forms={**GOOD.forms, "race.spec": (SHOWN, "not shown")}))
    said = handover_text(tmp_path, Path("run"))
    assert said.startswith("not all of it is for others to run")
    assert "race.spec: shown, then not shown" in said


def test_for_a_materialize_there_is_testdrive(tmp_path: Path) -> None:
    files = handed(tmp_path, "Materialize")
    assert {*files} == {"setup.td", "session-1.td", "session-2.td", "report.md"}
    assert "# from turn 3\n> DROP SCHEMA rh_o_0\n" in files["session-2.td"]
