"""Release numbers and what a user is told when a release cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.services.embedded import releases
from racehound.services.embedded.installation import wheel


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RACEHOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fake_mvn(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in for Maven: what it says when things go wrong cannot be had from the real one at will."""
    directory.mkdir()
    mvn = directory / "mvn"
    mvn.write_text(f"#!/bin/sh\n{script}\n")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=":")


@pytest.mark.parametrize(("text", "parsed"), [("17.4", (17, 4)), ("18", (18, None)), (" 14.11 ", (14, 11)), ("18.0", (18, 0))])
def test_release_numbers(text: str, parsed: tuple[int, int | None]) -> None:
    assert releases.parse(text) == parsed


@pytest.mark.parametrize("text", ["", "latest", "17.4.0", "17.", "v17", "17.4beta1", "17.4\n18"])
def test_what_is_no_release_number_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="is not a PostgreSQL release number") as caught:
        releases.find(text)
    assert "\n" not in str(caught.value)


def test_releases_that_are_too_old_are_refused() -> None:
    with pytest.raises(UserError, match="from 14 on"):
        releases.find("13.20")


def test_the_default_and_its_numbers_are_the_wheel_and_fetch_nothing(cache: Path) -> None:
    default = releases.find()
    assert default == wheel()
    assert releases.find(default.version) == default
    assert releases.find(str(default.major)) == default
    assert (default.bin / "postgres").is_file()
    assert (default.clients / "pg_amcheck").is_file()
    assert not cache.exists()


def test_a_missing_mvn_is_told_with_the_way_to_get_it(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install maven"):
        releases.find("17.4")


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("Could not transfer artifact org.x:y:pom:1 from/to central (u): Network is unreachable", "check the network"),
        ("Unknown host repo", "check the network"),
        ("Cannot access central in offline mode", "check the network"),
        ("No space left on device", "No space left on device"),
    ],
)
def test_mavens_complaints_come_in_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, told: str
) -> None:
    _fake_mvn(tmp_path / "bin", monkeypatch, f"echo '[ERROR] {says}'; echo '[ERROR] Help 1'; exit 1")
    with pytest.raises(UserError, match=told) as caught:
        releases.find("17.4")
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("postgresql/partial-*"))


def test_what_a_killed_fetch_left_is_removed_by_the_next(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    half = cache / "postgresql" / "partial-dead" / "tree" / "bin"
    half.mkdir(parents=True)
    _fake_mvn(tmp_path / "bin", monkeypatch, "exit 1")
    with pytest.raises(UserError, match=r"cannot fetch PostgreSQL 17\.4"):
        releases.find("17.4")
    assert not half.exists()


def test_a_cache_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("RACEHOUND_CACHE", str(file))
    _fake_mvn(tmp_path / "bin", monkeypatch, "exit 1")
    with pytest.raises(UserError, match="RACEHOUND_CACHE"):
        releases.find("17.4")
