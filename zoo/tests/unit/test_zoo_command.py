"""The command `racehound-zoo`, without starting a server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import racehound_zoo
from racehound_zoo.defects import DEFECTS


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "racehound_zoo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **variables})


def test_help_and_version() -> None:
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(option in shown.stdout for option in ("--port", "--defect", "--release", "--list-defects", "--version"))
    shown = run("--version")
    assert (shown.returncode, shown.stdout) == (0, f"racehound-zoo {racehound_zoo.__version__}\n")


def test_defects_are_listed() -> None:
    shown = run("--list-defects")
    assert (shown.returncode, shown.stderr) == (0, "")
    header, *lines = shown.stdout.splitlines()
    assert header.split()[:2] == ["defect", "oracle"]
    assert [line.split()[0] for line in lines] == [defect.name for defect in DEFECTS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "x"), "Invalid value for '--port'"),
        (("--port", "70000"), "Invalid value for '--port'"),
        (("--nope",), "No such option '--nope'"),
        (("extra",), "unexpected extra argument (extra)"),
        (("--defect", "nope"), "'nope' is no defect of the zoo: panic-on-rename, "),
        (("--release", "v1"), "the zoo does not emulate 'v1'"),
    ],
)
def test_bad_input_gives_one_line(arguments: tuple[str, ...], message: str) -> None:
    refused = run(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("racehound-zoo: ")
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_an_option_can_be_given_as_a_variable() -> None:
    refused = run(RACEHOUND_ZOO_RELEASE="v2")
    assert refused.returncode == 2
    assert "the zoo does not emulate 'v2'" in refused.stderr


def test_start_up_imports_nothing_heavy() -> None:
    code = "import sys, racehound_zoo.command; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(shown.stdout.split())
    assert "click" in loaded
    assert loaded.isdisjoint({"boto3", "confluent_kafka", "duckdb", "fastavro", "msgspec", "psycopg", "pygwire", "pymysql"})
