"""Words that a command cannot make sense of: one line and exit code 2, before anything is started or written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from racehound.cli.main import COMMANDS, run

CASES = {
    "database": (("run", "oracle"), "unknown database 'oracle'; there are: postgres, "),
    "database of the matrix": (("matrix", "oracle"), "'oracle' is neither a database (postgres, "),
    "database behind options": (("matrix", "--servers", "1", "oracle"), "'oracle' is neither a database (postgres, "),
    "misspelt command": (("matrix", "grdi", "run"), "nor a command (grid, show, "),
    "option of another database": (("run", "postgres", "--upsert-records", "3"), "--upsert-records is an option of Materialize"),
    "option beside a variable": (("explore", "a.sql", "b.sql", "--target", "materialize"), "which racehound explore needs"),
    "matrix of a database without lock-step": (("matrix", "materialize"), "which racehound matrix needs"),
    "matrix again": (("matrix", "materialize", "again", "X.create", "Y.create"), "which racehound matrix again needs"),
    "pairs": (("run", "materialize", "--scenario", "pairs"), "which --scenario pairs needs"),
    "a matrix of another database": (("matrix", "pgwire", "--resume", "run"), "it is a matrix of postgres, not of pgwire"),
    "resume and what it determines": (("matrix", "--resume", "run", "--kinds-from", "x.py"), "determines --kinds-from"),
    "no catalogue": (("print", "pgwire"), "pgwire has no kinds"),
    "no catalogue to list": (("kinds", "pgwire"), "pgwire has no kinds"),
    "no catalogue to hunt with": (("run", "pgwire", "--url", "host=nowhere"), "pgwire has no kinds"),
    "no catalogue for a matrix": (("matrix", "pgwire", "--url", "host=nowhere"), "pgwire has no kinds"),
    "kinds from outside for a database without": (("kinds", "pgwire", "--kinds-from", "x.td"), "x.td: pgwire has no kinds"),
    "kinds from nowhere": (("print", "--kinds-from", "absent.py"), "absent.py"),
    "kinds from an empty directory": (("print", "--kinds-from", "empty"), "no .py or .td file"),
    "perturbation of another database": (("print", "materialize", "--perturb", "freeze"), "there is no 'freeze'; there are: "),
    "page and plan": (("report", "run", "--format", "junit", "--plan", "1"), "--format junit makes none"),
    "out of what is printed": (("report", "run", "--format", "github", "--out", "x"), "--format github prints"),
    "out in no directory": (("report", "run", "--out", "absent/x"), "--out absent/x: its directory does not exist"),
    "run of no database": (("report", "nameless"), "nameless/run.json: it does not name the database"),
    "run of an unknown database": (("report", "strange"), "unknown database 'h2'"),
    "the emulator": (("zoo", "--port", "0"), "racehound-zoo"),
    "help of the emulator": (("zoo", "--help"), "racehound-zoo"),
}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name, facts in (("run", {"target": "postgres"}), ("nameless", {}), ("strange", {"target": "h2"})):
        (tmp_path / name / "findings").mkdir(parents=True)
        (tmp_path / name / "run.json").write_text(json.dumps(facts))
    (tmp_path / "run" / "matrix.jsonl").write_text("")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_line_says_what_is_wrong(case: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, complaint = CASES[case]
    before = sorted(directory.rglob("*"))
    assert run(list(words)) == 2
    said = capsys.readouterr().err
    assert said.startswith("racehound: ")
    assert said.count("\n") == 1
    assert complaint in said
    assert sorted(directory.rglob("*")) == before


def test_help_lists_every_command_that_does_something(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out.split("Commands:")[1]
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "] == list(COMMANDS)
    assert "zoo" not in listed


def test_the_database_may_stand_behind_options_of_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["matrix", "postgres", "operations"]) == 0
    first = capsys.readouterr().out
    assert run(["matrix", "--servers", "1", "postgres", "operations"]) == 0
    assert capsys.readouterr().out == first
    assert "Table.create" in first
