"""A database from outside: a distribution with an entry point, and nothing else, is installed, and racehound hunts in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import racehound

DISTRIBUTION = Path(__file__).parents[1] / "plugin_database"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which pip has installed the distribution."""
    directory = tmp_path_factory.mktemp("installed")
    # Beside what is there: pip builds in place, and the clone is to stay as it is.
    source = tmp_path_factory.mktemp("source") / "plugin_database"
    subprocess.run(["cp", "-r", str(DISTRIBUTION), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(directory), str(source)], check=True, timeout=120)
    return directory


@pytest.fixture
def command(installed: Path, tmp_path: Path) -> Command:
    """The command where the plug-in is installed."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(installed))))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return racehound(*arguments, cwd=tmp_path, variables={"PYTHONPATH": path})

    return run


def test_it_is_one_of_the_databases(command: Command) -> None:
    listed = command("targets").stdout.splitlines()
    assert "tiny: Tiny: a server that racehound starts (2 kinds)" in listed
    assert listed[0].startswith("postgres: "), "the default one does not change"


def test_its_kinds_and_programs_are_shown(command: Command) -> None:
    kinds = command("kinds", "tiny").stdout
    assert "Shelf: A table to which rows are added two at a time." in kinds
    assert "manipulations: nothing, add, copy" in kinds
    printed = command("print", "tiny", "--seed", "1")
    assert "concurrent: Shelf o_base; " in printed.stdout
    assert printed.stdout == command("print", "tiny", "--seed", "1").stdout


def test_a_hunt_in_it_is_clean(command: Command, tmp_path: Path) -> None:
    done = command("run", "tiny", "--seed", "1", "--runtime", "5", "--quiet", "--out", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert summary["repetitions"] > 20
    assert summary["outcomes"]["ok"] > 1000


def test_a_race_in_it_is_found_and_replayed(command: Command, tmp_path: Path) -> None:
    hunt = ("--kinds", "Tally", "--seed", "3", "--runtime", "60", "--max-findings", "1", "--reduce", "0")
    found = command("run", "tiny", *hunt, "--quiet", "--out", "out")
    assert found.returncode == 1, found.stdout + found.stderr
    (finding,) = json.loads((tmp_path / "out" / "summary.json").read_bytes())["findings"]
    assert (finding["severity"], finding["database"]) == ("wrong result", "Tiny")
    again = command("replay", "out", "--repetitions", "50")
    assert again.returncode == 1, again.stdout + again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("matrix", "tiny"), "Tiny cannot be run in lock-step"),
        (("explore", "a.sql", "b.sql", "--target", "tiny"), "Tiny cannot be run in lock-step"),
        (("run", "tiny", "--url", "postgres://"), "--url: racehound starts its own server of tiny"),
        (("testdrive", "--target", "tiny", "a.td"), "Tiny runs no scripts"),
        (("run", "tiny", "--perturb", "freeze"), "freeze"),
    ],
)
def test_what_it_cannot_do_is_told_in_one_line(command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    for name in ("a.sql", "b.sql", "a.td"):
        (tmp_path / name).write_text("> SELECT 1\n1\n" if name.endswith("td") else "SELECT 1;\n")
    ended = command(*arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
