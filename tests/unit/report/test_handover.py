"""What is handed over of a reduced scene: each form has all statements, in their order."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import Finding, Reproduction
from racehound.data.reduction import Pass, Reduction
from racehound.data.scene import SETUP, Line, Scene
from racehound.databases.postgres.handover import hand_over
from racehound.databases.postgres.handover.check import check_of
from racehound.report.handover import write_handover

SCENE = Scene((
    Line(SETUP, "CREATE SCHEMA ${racehound.run}_o_0;"), Line(1, "BEGIN"), Line(1, "CREATE FUNCTION f()\nRETURNS int RETURN 1"),
    Line(2, "DROP SCHEMA ${racehound.run}_o_0"), Line(1, "COMMIT"),
))  # fmt: skip
FINDING = Finding("catalog", "corruption", "sig", "pg_proc.pronamespace -> pg_namespace.oid: row missing (function f)")


def handed(
    directory: Path, database: str = "PostgreSQL", scene: Scene = SCENE, replays: dict[str, Reproduction] | None = None
) -> dict[str, str]:
    reduction = Reduction(
        FINDING.id, database, "18.3", Reproduction(20, 19), 1.0, "minimal", (Pass("guesses"),), scene, replays=replays or {}
    )
    formats = hand_over if database == "PostgreSQL" else lambda *_: None
    written = write_handover(directory, FINDING, reduction, formats)
    assert written is not None
    return {path.name: path.read_text() for path in written.iterdir()}


def test_each_session_has_its_script_and_says_when_it_waits(tmp_path: Path) -> None:
    files = handed(tmp_path)
    assert files["setup.sql"] == "CREATE SCHEMA rh_o_0;\n"
    one, two = files["session-1.sql"], files["session-2.sql"]
    assert [line for line in one.splitlines() if line.startswith("\\prompt")] == [
        "\\prompt 'Turn 4: press Enter when all turns before have been taken, or are blocked. ' go"
    ]
    assert one.index("BEGIN;") < one.index("RETURN 1;") < one.index("\\prompt") < one.index("COMMIT;")
    assert two.index("\\prompt 'Turn 3") < two.index("DROP SCHEMA rh_o_0;")
    assert "pg_namespace" in files["check.sql"]


def test_the_spec_has_one_permutation_and_the_check_at_its_end(tmp_path: Path) -> None:
    spec = handed(tmp_path)["race.spec"]
    assert spec.splitlines()[-1] == "permutation s1_1 s1_2 s2_3 s1_4 no_reference_is_broken"
    assert spec.count("{") == spec.count("}") == 6
    braces = msgspec.structs.replace(SCENE, lines=(*SCENE.lines, Line(2, "SELECT '{1}'")))
    (tmp_path / "other").mkdir()
    assert "race.spec" not in handed(tmp_path / "other", scene=braces)


def test_the_script_is_python_that_says_all_turns(tmp_path: Path) -> None:
    tree = ast.parse(handed(tmp_path)["race.py"])
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert values["SETUP"] == ["CREATE SCHEMA rh_o_0"]
    assert [number for number, _ in values["TURNS"]] == [1, 1, 2, 1]


def test_the_report_has_a_column_for_each_session(tmp_path: Path) -> None:
    report = handed(tmp_path)["report.md"]
    assert "| turn | session 1 | session 2 |" in report
    assert "| 3 |  | `DROP SCHEMA rh_o_0` |" in report
    assert "- 18.3: 19 times of 20" in report


def test_the_report_names_all_releases_that_it_was_tried_on(tmp_path: Path) -> None:
    report = handed(tmp_path, replays={"18.6": Reproduction(20, 0), "17.5": Reproduction(10, 10)})["report.md"]
    listed = [line for line in report.splitlines() if line.startswith("- 1")]
    assert listed == ["- 18.3: 19 times of 20", "- 18.6: 0 times of 20", "- 17.5: 10 times of 10"]


def test_for_a_materialize_there_is_testdrive(tmp_path: Path) -> None:
    files = handed(tmp_path, "Materialize")
    assert {*files} == {"setup.td", "session-1.td", "session-2.td", "report.md"}
    assert "# from turn 3\n> DROP SCHEMA rh_o_0\n" in files["session-2.td"]


@pytest.mark.parametrize(
    ("title", "part"),
    [
        ("pg_depend.refobjid -> pg_type.oid: row missing (type x)", "c.refclassid = 'pg_type'::regclass"),
        ("pg_proc.proargtypes -> pg_type.oid: row missing", "FROM pg_proc AS c"),
        ("XX000 cache lookup failed for type 1", ""),
    ],
)
def test_a_check_is_known_for_references_that_lead_nowhere(title: str, part: str) -> None:
    assert part in check_of(title)
    assert bool(check_of(title)) == bool(part)
