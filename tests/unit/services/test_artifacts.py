"""Artifacts of Go and Debian by clients that reach no network: whole or not at all, and clear words when something is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.services.artifacts.client import run_client
from racehound.services.artifacts.debian import DebianPackages, libraries
from racehound.services.artifacts.go import GoProgram

PROGRAM = GoProgram("example.org/some/v2/cmd/tool", "v2.5.0", "tool", needs=(1, 20))
PACKAGES = DebianPackages(("some-server | other-server", "some-library"), "usr/bin/some-server")
Client = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RACEHOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Puts a program in the place of a registry's client; at first there is none."""
    directory = tmp_path / "clients"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))

    def put(name: str, script: str) -> None:
        path = directory / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)

    return put


def go(version: str, build: str, toolchain: str = "local") -> str:
    said = json.dumps({"GOVERSION": version, "GOTOOLCHAIN": toolchain})
    return f"if [ $1 = env ]; then echo '{said}'; exit; fi\n{build}"


def leftovers(cache: Path) -> list[Path]:
    """Files, and directories that were being filled."""
    return [path for path in cache.rglob("*") if path.name != "lock" and (path.is_file() or path.name.startswith("partial"))]


def test_without_go_it_is_said_how_to_get_it(client: Client) -> None:
    assert PROGRAM.find() is None
    assert PROGRAM.obstacle() == "example.org/some/v2/cmd/tool@v2.5.0 needs Go: apt-get install golang"
    with pytest.raises(UserError, match="apt-get install golang"):
        PROGRAM.install(print)


@pytest.mark.parametrize(
    ("version", "toolchain", "fine"),
    [("go1.19.8", "auto", False), ("go1.20", "local", True), ("go1.26.8 X:some", "local", True), ("go1.9", "local", False)],
)
def test_a_go_that_is_too_old_is_told_with_the_one_needed(client: Client, version: str, toolchain: str, fine: bool) -> None:
    client("go", go(version, "exit 1", toolchain))
    obstacle = PROGRAM.obstacle()
    assert (obstacle is None) == fine
    assert fine or "needs Go 1.20 or newer, and Go 1." in str(obstacle)


def test_a_go_that_fetches_newer_ones_itself_is_new_enough(client: Client) -> None:
    newer = GoProgram("example.org/tool", "v1.0.0", "tool", needs=(1, 30))
    client("go", go("go1.21.0", "exit 1", "auto"))
    assert newer.obstacle() is None
    client("go", go("go1.21.0", "exit 1", "local"))
    assert newer.obstacle() is not None


def test_a_go_program_is_built_once_and_nothing_else_is_kept(client: Client, cache: Path) -> None:
    build = 'mkdir -p $GOBIN $GOPATH $GOCACHE $GOMODCACHE; echo "$@" > $GOBIN/tool; echo x > $GOCACHE/x'
    client("go", go("go1.26.8", build))
    told: list[str] = []
    path = PROGRAM.install(told.append)
    assert path == PROGRAM.find()
    assert path.read_text().split()[-1] == PROGRAM.name
    assert PROGRAM.install(told.append) == path
    assert told == [f"go install {PROGRAM.name}"]
    assert leftovers(cache) == [path]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("echo downloading >&2; echo 'no such module' >&2; exit 1", "cannot build .*: no such module"),
        ("mkdir $GOBIN; echo > $GOBIN/another", "cannot build .*: it has no program tool"),
    ],
)
def test_a_failed_build_leaves_nothing(client: Client, cache: Path, build: str, said: str) -> None:
    client("go", go("go1.26.8", build))
    with pytest.raises(UserError, match=said):
        PROGRAM.install(print)
    assert PROGRAM.find() is None
    assert leftovers(cache) == []


def test_a_client_that_does_not_end_is_told() -> None:
    with pytest.raises(UserError, match=r"cannot wait: sleep did not end within 0\.1 s"):
        run_client(["sleep", "100"], "cannot wait", limit_s=0.1)


# Debian


@pytest.fixture
def debian(client: Client, tmp_path: Path) -> Client:
    """A Debian whose apt-get copies one package from a directory."""
    dpkg_deb = shutil.which("dpkg-deb", path="/usr/bin:/bin")
    if dpkg_deb is None:
        pytest.skip("there is no dpkg-deb here")
    tree = tmp_path / "tree"
    for path in ("DEBIAN/control", "usr/bin/some-server", "usr/lib/x86_64-linux-gnu/libsome.so.1"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("Package: some\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n")
    tree.joinpath("DEBIAN").chmod(0o755)
    build = [dpkg_deb, "-b", str(tree), str(tmp_path / "some.deb")]
    subprocess.run(build, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    client("dpkg-deb", f'exec {dpkg_deb} "$@"')
    client("apt-get", f"echo $@ > {tmp_path}/asked; cp {tmp_path}/some.deb .")
    return client


def policy(*known: str) -> str:
    return "\n".join(
        f"echo '{name}:'; echo '  Installed: (none)'; echo '  Candidate: {'1.2' if name in known else '(none)'}'"
        for name in ("some-server", "other-server", "some-library")
    )


def test_without_apt_it_is_said_that_this_is_no_debian(client: Client) -> None:
    assert PACKAGES.obstacle() == (
        "some-server needs Debian packages, but there is no apt-get: this system is neither Debian nor Ubuntu"
    )


def test_without_lists_of_packages_it_is_said_how_to_get_them(debian: Client) -> None:
    debian("apt-cache", policy())
    assert PACKAGES.obstacle() == "apt-get does not know the package some-server | other-server: apt-get update"


def test_packages_are_unpacked_once(debian: Client, tmp_path: Path) -> None:
    debian("apt-cache", policy("other-server", "some-library"))
    root = PACKAGES.install(print)
    assert root == PACKAGES.find() == PACKAGES.install(print)
    assert (tmp_path / "asked").read_text().split()[-3:] == ["download", "other-server", "some-library"]
    assert (root / "usr/bin/some-server").exists()
    assert libraries(root) == str(root / "usr/lib/x86_64-linux-gnu")
    assert sorted(entry.name for entry in root.parent.iterdir()) == ["lock", root.name]


def test_packages_without_the_program_leave_nothing(debian: Client, cache: Path) -> None:
    debian("apt-cache", policy("some-server", "some-library"))
    other = DebianPackages(PACKAGES.packages, "usr/bin/nosuch")
    with pytest.raises(UserError, match="cannot install some-server: it has no usr/bin/nosuch"):
        other.install(print)
    assert leftovers(cache) == []
