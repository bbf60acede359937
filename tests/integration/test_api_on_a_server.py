"""The Python API on the embedded server: short runs of each function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import racehound

SCRIPTS = {
    "setup.sql": "CREATE TABLE account (amount int);\nINSERT INTO account VALUES (10);\n",
    "one.sql": "UPDATE account SET amount = 11;\n",
    "two.sql": "UPDATE account SET amount = 12;\n",
    "check.td": "> SELECT amount FROM account\n12\n",
}
"""One of the two orders ends with what the check does not want."""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def explored(scripts: Path, out: str, schedule: str | None = None, schedules: int | None = None) -> racehound.ExploreRun:
    return racehound.explore(
        scripts / "one.sql", scripts / "two.sql", setup=scripts / "setup.sql", check=scripts / "check.td", schedule=schedule,
        schedules=schedules, seed=5, servers=1, out=scripts / out,
    )  # fmt: skip


def test_a_hunt_is_over_when_its_time_is_up_and_leaves_its_evidence(tmp_path: Path) -> None:
    lines: list[str] = []
    run = racehound.hunt(kinds=["Table", "View"], runtime=1, seed=3, num_objects=2, out=tmp_path / "run", tell=lines.append)
    assert run.seed == 3
    assert run.directory == tmp_path / "run"
    assert run.summary.repetitions > 0
    assert run.summary.statements == sum(run.summary.outcomes.values())
    assert any(str(run.directory) in line for line in lines)
    assert racehound.findings(run.directory) == list(run.findings)


def test_a_hunt_says_each_new_finding_and_a_baseline_silences_it(tmp_path: Path) -> None:
    """A kind of the test has a read that fails, and nothing that other sessions do explains that."""
    (tmp_path / "broken.py").write_text(
        "import dataclasses\n"
        "from racehound.databases.postgres.kinds.table import Table\n"
        "\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Broken(Table):\n"
        '    """A table with a read that divides by zero."""\n'
        "\n"
        "    def verify(self) -> str:\n"
        "        return '> SELECT 1 / 0\\n'\n"
    )
    lines: list[str] = []
    asked: dict[str, Any] = {"kinds": ["Broken"], "kinds_from": [tmp_path / "broken.py"], "num_objects": 1, "seed": 3}
    run = racehound.hunt(**asked, runtime=30, max_findings=1, out=tmp_path / "run", tell=lines.append)
    (finding,) = [each for each in run.findings if not each.is_weakness]
    assert finding.severity == "unexplained error"
    assert "division by zero" in finding.title
    assert any(finding.id in line and finding.title in line for line in lines)
    again = racehound.replay(run.directory / "findings" / finding.id, repetitions=3)
    assert (again.tried, again.reproduced) == (3, 3)
    (tmp_path / "known.toml").write_text(f'[[known]]\nid = "{finding.id}"\n')
    quiet = racehound.hunt(**asked, runtime=1, baseline=tmp_path / "known.toml", out=tmp_path / "quiet")
    assert finding.id not in {each.id for each in quiet.findings}
    assert quiet.summary.silenced > 0


def test_an_exploration_finds_the_order_that_is_wrong_and_runs_it_again(scripts: Path) -> None:
    run = explored(scripts, "all")
    (finding,) = run.findings
    assert finding.severity == "wrong result"
    assert {group.outcome: group.count for group in run.exploration.classes} == {"wrong": 1, "fine": 1}
    again = explored(scripts, "again", schedule="2 1", schedules=3)
    assert {group.outcome: group.count for group in again.exploration.classes} == {"wrong": 3}
    assert [each.id for each in again.findings] == [finding.id]


def test_a_matrix_tries_the_named_operations_against_each_other(tmp_path: Path) -> None:
    matrix = racehound.matrix(operations=["View.create", "Schema.create"], servers=1, out=tmp_path / "matrix")
    assert {operation.name for operation in matrix.operations} == {"View.create", "Schema.create"}
    assert ("View.create", "Schema.create") in matrix.cells()
    assert matrix.complete


def test_what_a_server_cannot_have_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(racehound.UserError, match="lock-step"):
        racehound.matrix("materialize", out=tmp_path / "run")
    with pytest.raises(racehound.UserError, match="unknown kind 'Chair'"):
        racehound.hunt(kinds=["Chair"], out=tmp_path / "run")
    with pytest.raises(racehound.UserError, match=str(tmp_path)):
        racehound.replay(tmp_path)
    assert list(tmp_path.iterdir()) == []
