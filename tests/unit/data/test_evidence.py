from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from racehound.data.history import Recorder, compress
from racehound.data.run_directory import RunDirectory, read_run, redact
from racehound.errors import UserError


@pytest.mark.parametrize(
    "address",
    [
        "postgres://me:sekret@localhost:5432/db",
        "postgresql://me:sekret@[::1]/db?sslmode=disable",
        "host=localhost password=sekret user=me",
        "host=localhost password = 'sekret' user=me",
    ],
)
def test_a_password_is_not_shown_and_the_rest_is(address: str) -> None:
    assert "sekret" not in redact(address)
    assert "me" in redact(address)


def test_a_run_directory_is_made_once(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "a" / "run")
    directory.write_run(seed=7, target="h2")
    assert read_run(directory.path)["seed"] == 7
    with pytest.raises(UserError, match="already"):
        RunDirectory(tmp_path / "a" / "run")


def test_a_directory_that_was_not_used_is_removed_and_a_used_one_is_kept(tmp_path: Path) -> None:
    unused, used = RunDirectory(tmp_path / "unused"), RunDirectory(tmp_path / "used")
    used.write_run(seed=7)
    unused.discard_unused()
    used.discard_unused()
    assert not unused.path.exists()
    assert json.loads((used.path / "run.json").read_bytes())["seed"] == 7


def test_what_is_no_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run directory"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("nonsense")
    with pytest.raises(UserError, match=r"run\.json"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match="does not name the database"):
        read_run(tmp_path)


def test_only_the_user_reads_a_run_directory_also_one_that_was_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        for path in (there, tmp_path / "new"):
            directory = RunDirectory(path)
            directory.write_run(seed=7)
            directory.write_summary({})
            Recorder(directory.history(1, 7)).close()
            compress(directory.history(1, 7))
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")}
    assert len(modes) == 12
    assert {name for name, mode in modes.items() if mode} == {"there"}, "the user's own directory keeps its mode"
