"""From a hunt to a few statements that others can run: `racehound run`, `reduce`, `replay`, and what is handed over."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from racehound.data.finding import read_finding
from racehound.data.reduction import Reduction, read_reduction
from racehound.data.scene import Scene
from racehound.data.verification import read_verification
from racehound.services.embedded import installation
from tests.end_to_end.command import racehound

SEED = "3"
"""Its first plans show errors that PostgreSQL is known to give (docs/reading-findings.md), in any release so far."""
MOST = 6
"""Statements. By hand it is 4; a busy machine may have no time for all."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finding that was reduced."""
    directory = tmp_path_factory.mktemp("reduce")
    hunt = ("--seed", SEED, "--runtime", "60", "--max-findings", "2", "--quiet", "--out", "run")
    assert racehound("run", *hunt, cwd=directory).returncode == 1
    # The limit is for all findings together, known weaknesses among them. The server starts before, and the last kit is verified
    # after it.
    ended = racehound("reduce", "run", "--runtime", "30", cwd=directory, timeout=110)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    # Roles and the like would stay on the server that all tests share.
    local = [
        path for path in sorted((directory / "run" / "findings").iterdir()) if (scene := scene_of(path)) and not shares(scene)
    ]
    assert local, ended.stdout
    return local[0]


def shares(scene: Scene) -> bool:
    return any("${racehound.run}" in line.sql for line in scene.lines)


def scene_of(finding: Path) -> Scene | None:
    reduction = read_reduction(finding)
    return reduction.scene if reduction else None


@pytest.fixture
def reduction(found: Path) -> Reduction:
    reduction = read_reduction(found)
    assert reduction is not None
    return reduction


def test_a_few_statements_of_two_sessions_are_left(reduction: Reduction) -> None:
    assert reduction.scene is not None
    assert reduction.scene.size.statements <= MOST
    assert reduction.scene.size.sessions == 2
    assert reduction.reproduction.reproduced >= 0.9 * reduction.reproduction.tried


def test_it_is_replayed_in_lock_step(found: Path, tmp_path: Path) -> None:
    replayed = racehound("replay", found, "--repetitions", "10", cwd=tmp_path)
    assert replayed.returncode == 1
    assert "of 10 repetitions in lock-step" in replayed.stdout


def test_the_script_shows_it_on_a_server_that_racehound_has_no_part_in(found: Path, fresh_database: str) -> None:
    command = [sys.executable, "-I", str(found / "reproduction" / "race.py"), fresh_database]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "shown"), ended.stdout + ended.stderr


def test_psql_python_and_the_tester_have_shown_it_twice_on_a_stock_server(found: Path) -> None:
    verification = read_verification(found / "reproduction")
    assert verification is not None
    assert verification.as_promised, verification
    assert set(verification.forms) == {"psql", "race.py", "race.spec"}


def test_the_tester_of_postgresql_shows_it(found: Path, fresh_database: str) -> None:
    tester = installation.wheel().bin.parent / "lib/pgxs/src/test/isolation/isolationtester"
    spec = (found / "reproduction" / "race.spec").read_text()
    ended = subprocess.run([tester, fresh_database], input=spec, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    # Its title is "SQLSTATE message", with N for numbers; the tester tells the message alone.
    said = re.sub(r"\d+", "N", ended.stdout)
    assert f"ERROR:  {re.sub(r'[0-9]+', 'N', read_finding(found)[0].title.partition(' ')[2])}" in said, ended.stdout


def test_a_hunt_reduces_what_it_has_found_by_itself(tmp_path: Path) -> None:
    hunt = ("--release", "18.3", "--seed", "7", "--runtime", "60", "--max-findings", "3", "--quiet", "--out", "run")
    ended = racehound("run", *hunt, cwd=tmp_path, timeout=240)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    by_scene = {path: reduction for path in (tmp_path / "run/findings").iterdir() if (reduction := read_reduction(path))}
    small = [path for path, each in by_scene.items() if each.scene and each.scene.size.statements <= MOST]
    assert small, ended.stdout
    for path in small:
        kit = path / "reproduction"
        assert f"for others to run: {kit}" in ended.stdout
        unknown = f"not yet verified, so perhaps not for others to run: {kit} (racehound report {tmp_path / 'run'} verifies it)"
        assert (unknown in ended.stdout) == (read_verification(kit) is None)
    verified = [path for path in by_scene if read_verification(path / "reproduction") is not None]
    assert len(verified) == 1, "the first one"
    reported = racehound("report", "run", cwd=tmp_path)
    assert reported.returncode == 0, reported.stderr
    assert all(read_verification(path / "reproduction") is not None for path in small)
    again = racehound("replay", small[0], "--repetitions", "20", cwd=tmp_path)
    assert "20 of 20 repetitions in lock-step" in again.stdout, again.stdout + again.stderr


def test_a_hunt_reduces_nothing_where_that_is_not_wanted(tmp_path: Path) -> None:
    hunt = ("--release", "18.3", "--seed", "7", "--runtime", "60", "--max-findings", "2", "--quiet", "--out", "run")
    ended = racehound("run", *hunt, "--reduce", "0", cwd=tmp_path, timeout=240)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert not list((tmp_path / "run").glob("findings/*/reduction.json"))


def test_what_is_no_finding_is_said(tmp_path: Path) -> None:
    ended = racehound("reduce", tmp_path / "nothing", cwd=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
