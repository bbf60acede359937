"""Other releases, fetched by the real Maven and run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.services import scratch
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession


@pytest.fixture(scope="module")
def cache(maven: str) -> Iterator[Path]:
    """An empty cache, for this module only: fetching is what is tested."""
    path = scratch.create("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RACEHOUND_CACHE", str(path / "cache"))
        yield path / "cache"
    scratch.remove(path)


def test_two_processes_that_ask_at_once_both_get_it(cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, other = pool.map(releases.find, ["18.3", "18.3"])
    assert one == other
    assert one.version == "18.3"
    assert os.access(one.bin / "postgres", os.X_OK)
    assert sorted(path.name for path in (cache / "postgresql").iterdir()) == ["18.3", "lock"]


def test_what_is_cached_is_found_without_maven(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases.find("18.3")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert releases.find("18.3").bin == cache / "postgresql" / "18.3" / "bin"


def test_a_fetched_release_runs_and_the_wheels_clients_come_with_it(cache: Path, scratch_dir: Path) -> None:
    found = releases.find("18.3")
    server = EmbeddedServer(found, scratch_dir, scratch_dir / "18.3.log")
    server.start()
    session = LibpqSession.connect(server.address.conninfo())
    version = session.execute("SHOW server_version").rows
    session.close()
    server.kill()
    assert version is not None
    assert version.cells == [("18.3",)]
    assert (found.clients / "pg_dump").is_file()
    assert not (found.bin / "pg_dump").exists()


def test_a_release_that_does_not_exist_is_told_in_one_line(cache: Path) -> None:
    with pytest.raises(UserError, match=r"there is no PostgreSQL 17\.99") as caught:
        releases.find("17.99")
    assert "\n" not in str(caught.value)
