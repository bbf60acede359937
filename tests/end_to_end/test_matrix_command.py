"""`racehound matrix` as a user types it, mostly without a server; what it does with one stands in the integration tests."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from racehound.data.matrix import Matrix, Operation, Outcome, Trial, read_matrix
from tests.end_to_end.command import racehound

X, Y = "Schema.destroy", "Function.create"


def write(path: Path, release: str, outcome: Outcome) -> Path:
    """A matrix of one trial."""
    trial = Trial(X, Y, "y over x", "commit", outcome, f"why {outcome}", (1, 1, 2, 1), 0, (1, 2))
    texts = ("CREATE SCHEMA s",), ("BEGIN", "DROP SCHEMA s", "COMMIT"), ("CREATE FUNCTION s.f()",)
    operations = tuple(Operation(name, name.partition(".")[0]) for name in (X, Y))
    path.write_bytes(msgspec.json.encode(Matrix("postgres", release, operations, texts, (trial,), seconds=1.0)))
    return path


def test_the_grid_and_a_cell_of_a_matrix(tmp_path: Path) -> None:
    matrix = write(tmp_path / "matrix.json", "18.3", "corrupt")
    grid = racehound("matrix", "grid", matrix, cwd=tmp_path)
    assert grid.returncode == 0
    assert f"   1 {X}   C" in grid.stdout.splitlines()
    shown = racehound("matrix", "show", tmp_path, X, Y, cwd=tmp_path)
    assert shown.returncode == 0
    assert "commit, y over x: corrupt: why corrupt" in shown.stdout
    assert f"again: racehound matrix again {X} {Y} --release 18.3" in shown.stdout


def test_the_difference_of_two(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.json", "18.3", "corrupt"), write(tmp_path / "new.json", "18.6", "expected")
    told = racehound("matrix", "diff", old, new, cwd=tmp_path)
    assert told.returncode == 0
    assert "postgres 18.3 -> 18.6: 1 cells in both, 1 differ" in told.stdout
    assert "corrupt -> expected: 1 cells" in told.stdout


def test_operations_are_listed_with_their_statements(tmp_path: Path) -> None:
    told = racehound("matrix", "operations", cwd=tmp_path)
    assert told.returncode == 0
    assert [line.split(maxsplit=1) for line in told.stdout.splitlines() if line.startswith("Table.rename ")] == [
        ["Table.rename", "ALTER TABLE RENAME TO"]
    ]


def test_the_scenario_of_pairs_is_the_matrix(tmp_path: Path) -> None:
    """Both kinds that it is narrowed down to have a defect in every release so far (docs/findings-postgresql.md)."""
    told = racehound("run", "--scenario", "pairs", "--kinds", "Role,Database", "--out", "pairs", cwd=tmp_path)
    assert told.returncode == 1, told.stderr
    assert "Role.destroy Database.create, commit" in told.stdout
    matrix = read_matrix(tmp_path / "pairs")
    assert matrix.complete
    assert {trial.signature.split()[0] for trial in matrix.trials if trial.outcome == "corrupt"} == {
        "pg_auth_members.roleid", "pg_db_role_setting.setdatabase",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("show", "none.json", X, Y), "none.json"),
        (("diff", "none.json", "none.json"), "none.json"),
        (("--resume", "nowhere"), "nowhere"),
        (("--resume", "nowhere", "--every"), "leave it out"),
        (("--release", "18.3", "--url", "postgres://x"), "give one of them"),
    ],
)
def test_bad_input_gives_one_line(arguments: tuple[str, ...], word: str, tmp_path: Path) -> None:
    told = racehound("matrix", *arguments, cwd=tmp_path)
    assert told.returncode == 2
    assert word in told.stderr
    assert told.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_was_not_tried_is_refused(tmp_path: Path) -> None:
    matrix = write(tmp_path / "matrix.json", "18.3", "corrupt")
    told = racehound("matrix", "show", matrix, Y, X, cwd=tmp_path)
    assert (told.returncode, "were not tried" in told.stderr) == (2, True)
