"""Scratch directories: whose they are, and that nothing else is ever removed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.errors import RacehoundError, UserError
from racehound.services import scratch
from racehound.services.owner import myself

pytestmark = pytest.mark.leftovers


@pytest.fixture
def made() -> Iterator[Path]:
    path = scratch.create("unit.1")
    yield path
    scratch.remove(path)


def _of_a_dead_run(run_id: str) -> Path:
    """Made by a process that has ended without removing it."""
    program = f"from racehound.services import scratch; print(scratch.create({run_id!r}))"
    return Path(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip())


def test_a_scratch_directory_is_recognisable_private_and_ours(made: Path) -> None:
    assert made.name.startswith("racehound-unit.1-")
    assert made.stat().st_mode & 0o066 == 0
    assert scratch.is_mine(made)
    assert not scratch.is_mine(made.parent)


def test_every_call_makes_another(made: Path) -> None:
    other = scratch.create("unit.1")
    assert other != made
    scratch.remove(other)
    assert not other.exists()
    assert made.exists()


def test_little_memory_means_the_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_ENOUGH", 1 << 60)
    path = scratch.create("unit.2")
    assert path.parent == tmp_path
    scratch.remove(path)


@pytest.mark.parametrize("run_id", ["", "a/b", "..//", "x" * 33, "a b"])
def test_a_run_id_that_cannot_be_part_of_a_name_is_refused(run_id: str) -> None:
    with pytest.raises(UserError, match="run id"):
        scratch.create(run_id)


def test_a_dead_runs_directory_is_a_leftover_and_can_be_removed(made: Path) -> None:
    dead = _of_a_dead_run("unit.dead")
    (dead / "below").mkdir()
    (dead / "below" / "file").write_text("x")
    (dead / "link").symlink_to(made)
    found = {leftover.path: leftover for leftover in scratch.leftovers()}
    assert found[dead].run_id == "unit.dead"
    assert made not in found
    scratch.remove(dead)
    assert not dead.exists()
    assert made.exists()
    scratch.remove(dead)


def test_a_live_runs_directory_is_left_alone() -> None:
    program = (
        "from racehound.services import scratch\n"
        "path = scratch.create('unit.live')\n"
        "print(path, flush=True)\n"
        "input()\n"
        "scratch.remove(path)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        path = Path(owner.stdout.readline().strip())
        assert path not in {leftover.path for leftover in scratch.leftovers()}
        with pytest.raises(RacehoundError, match=f"process {owner.pid}, which is alive"):
            scratch.remove(path)
        assert path.exists()
        owner.communicate("\n")
    assert not path.exists()


def test_a_process_id_used_again_does_not_bring_the_dead_to_life(made: Path) -> None:
    mark = made / "owner"
    original = mark.read_bytes()
    started = myself().started
    mark.write_bytes(original.replace(str(started).encode(), str(started - 1).encode()))
    assert made in {leftover.path for leftover in scratch.leftovers()}
    mark.write_bytes(original)
    assert made not in {leftover.path for leftover in scratch.leftovers()}


def test_another_containers_run_counts_as_alive_but_not_one_of_before_the_boot(made: Path) -> None:
    mark = made / "owner"
    original, me = mark.read_bytes(), myself()
    elsewhere = original.replace(me.namespace.encode(), b"pid:[1]")
    mark.write_bytes(elsewhere)
    assert made not in {leftover.path for leftover in scratch.leftovers()}
    mark.write_bytes(elsewhere.replace(me.boot.encode(), b"another-boot"))
    assert made in {leftover.path for leftover in scratch.leftovers()}
    mark.write_bytes(original)


@pytest.mark.parametrize("mark", [None, "not json", "{}"])
def test_what_has_no_owners_mark_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str | None) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stranger = tmp_path / "racehound-x-abcd1234"
    stranger.mkdir()
    if mark is not None:
        (stranger / "owner").write_text(mark)
    assert stranger not in {leftover.path for leftover in scratch.leftovers()}
    with pytest.raises(RacehoundError, match="not a scratch directory"):
        scratch.remove(stranger)
    assert stranger.exists()


def test_a_link_that_bears_the_name_is_not_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    link = tmp_path / "racehound-x-abcd1234"
    link.symlink_to(made)
    with pytest.raises(RacehoundError, match="not a scratch directory"):
        scratch.remove(link)
    assert made.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")
def test_another_users_directory_is_left_alone(made: Path) -> None:
    os.chown(made, 65534, 65534)
    assert not scratch.is_mine(made)
    with pytest.raises(RacehoundError, match="not this user's"):
        scratch.remove(made)
    os.chown(made, 0, 0)
