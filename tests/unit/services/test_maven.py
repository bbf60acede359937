"""What comes from Maven: whole or not at all, only what is wanted, and one line when it cannot be had."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.services.artifacts.maven import MavenArchive, MavenJars, NoSuchArtifactError
from racehound.services.artifacts.unpack import unpack

JARS = MavenJars("tool-1.0", ("org.tool:tool:1.0", "org.log:log:2.0"))
ARCHIVE = MavenArchive("tool-1.0", "org.tool:tool:1.0:zip:linux", ("bin/tool", "lib/*"))
_TAKE_ARGUMENTS = """\
for argument in "$@"; do
  case "$argument" in
    -DoutputDirectory=*) out="${argument#*=}";;
    -Dmaven.repo.local=*) repo="${argument#*=}";;
  esac
done"""
FILES = {"bin/tool": 0o755, "bin/other": 0o755, "lib/a/b.so": 0o644, "README": 0o644}


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RACEHOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class FakeMaven:
    """A stand-in for Maven: how it fails cannot be had from the real one at will. It appends its arguments to `calls`."""

    def __init__(self, directory: Path) -> None:
        self._mvn = directory / "mvn"
        self._calls = directory / "calls"
        directory.mkdir()

    def does(self, script: str) -> None:
        self._mvn.write_text(f'#!/bin/sh\necho "$@" >> {self._calls}\n{_TAKE_ARGUMENTS}\n{script}\n')
        self._mvn.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def mvn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> FakeMaven:
    monkeypatch.setenv("PATH", str(tmp_path / "programs"), prepend=":")
    return FakeMaven(tmp_path / "programs")


def _zip(path: Path, files: dict[str, int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, f"this is {name}")
    return path


def _tar(path: Path, entries: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            content = f"this is {entry.name}".encode() if entry.isreg() else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def _entry(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.linkname = mode, kind, link
    return entry


def _tree(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def test_jars_are_fetched_once_with_what_they_need(mvn: FakeMaven, cache: Path) -> None:
    mvn.does('mkdir -p "$out"; touch "$out/tool.jar" "$out/needed.jar"; cp pom.xml "$out/pom"')
    assert JARS.find() is None
    told: list[str] = []
    directory = JARS.install(told.append)
    assert JARS.find() == directory
    assert directory.is_relative_to(cache)
    assert _tree(directory) == ["needed.jar", "pom", "tool.jar"]
    assert "<version>2.0</version>" in (directory / "pom").read_text()
    assert told == ["mvn org.tool:tool:1.0 org.log:log:2.0"]
    assert JARS.install(told.append) == directory
    assert len(mvn.calls) == 1
    assert "copy-dependencies" in mvn.calls[0]


def test_other_coordinates_under_the_same_label_are_something_else(mvn: FakeMaven) -> None:
    mvn.does('mkdir -p "$out"')
    JARS.install(lambda _: None)
    assert MavenJars(JARS.label, ("org.tool:tool:1.0", "org.log:log:2.1")).find() is None


def test_two_that_ask_at_once_fetch_once(mvn: FakeMaven) -> None:
    mvn.does('mkdir -p "$out"; touch "$out/tool.jar"')
    threads = [threading.Thread(target=JARS.install, args=(lambda _: None,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mvn.calls) == 1
    assert JARS.find() is not None


def test_an_archive_is_unpacked_and_mavens_copy_of_it_goes(mvn: FakeMaven, cache: Path, tmp_path: Path) -> None:
    archive = _zip(tmp_path / "tool.zip", FILES)
    mvn.does(f'mkdir -p "$out" "$repo/org/tool/tool/1.0"; cp {archive} "$out"; cp {archive} "$repo/org/tool/tool/1.0"')
    directory = ARCHIVE.install(lambda _: None)
    assert ARCHIVE.find() == directory
    assert _tree(directory) == ["bin/tool", "lib/a/b.so"]
    assert os.access(directory / "bin/tool", os.X_OK)
    assert not (cache / "maven/org/tool/tool/1.0").exists()
    assert f"-Dartifact={ARCHIVE.coordinate}" in mvn.calls[0]


@pytest.mark.parametrize("artifact", [JARS, ARCHIVE], ids=["jars", "archive"])
@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("Could not transfer artifact org.tool:tool:pom:1.0 from/to central (u): Unknown host", "check the network"),
        ("Cannot access central in offline mode", "check the network"),
        ("No space left on device", "No space left on device"),
        ("Could not find artifact org.plugin:plugin:jar:3 in central", "org.plugin:plugin:jar:3"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line_and_leaves_nothing(
    mvn: FakeMaven, cache: Path, artifact: MavenJars | MavenArchive, says: str, told: str
) -> None:
    mvn.does(f"echo '[ERROR] {says}'; echo '[ERROR] Help 1'; exit 1")
    with pytest.raises(UserError, match=told) as caught:
        artifact.install(lambda _: None)
    assert not isinstance(caught.value, NoSuchArtifactError)
    assert "\n" not in str(caught.value)
    assert artifact.name in str(caught.value)
    assert artifact.find() is None
    assert list(cache.rglob("partial-*")) == []


def test_what_no_repository_has_is_told_apart(mvn: FakeMaven) -> None:
    mvn.does("echo '[ERROR] Could not find artifact org.log:log:jar:2.0 in central'; exit 1")
    with pytest.raises(NoSuchArtifactError, match=r"there is no org\.log:log:2\.0"):
        JARS.install(lambda _: None)


@pytest.mark.parametrize("artifact", [JARS, ARCHIVE], ids=["jars", "archive"])
def test_a_missing_mvn_is_told_with_the_way_to_get_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, artifact: MavenJars | MavenArchive
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install maven" in (artifact.obstacle() or "")
    with pytest.raises(UserError, match="apt-get install maven"):
        artifact.install(lambda _: None)


def test_nothing_is_in_the_way_where_mvn_is(mvn: FakeMaven) -> None:
    mvn.does("")
    assert JARS.obstacle() is None


def test_a_broken_archive_is_not_installed(mvn: FakeMaven, cache: Path) -> None:
    mvn.does('mkdir -p "$out"; echo "<html>" > "$out/tool.zip"')
    with pytest.raises(UserError, match=r"cannot unpack tool\.zip"):
        ARCHIVE.install(lambda _: None)
    assert ARCHIVE.find() is None
    assert list(cache.rglob("partial-*")) == []


def test_a_tar_is_unpacked_with_modes_and_inner_links(tmp_path: Path) -> None:
    entries = [
        _entry("./bin/tool", 0o755),
        _entry("bin/alias", kind=tarfile.SYMTYPE, link="tool"),
        _entry("doc/x"),
        _entry("lib/x"),
    ]
    unpack(_tar(tmp_path / "a.tar.gz", entries), tmp_path / "out", ("bin/*", "lib/*"))
    assert _tree(tmp_path / "out") == ["bin/alias", "bin/tool", "lib/x"]
    assert os.access(tmp_path / "out/bin/alias", os.X_OK)
    assert (tmp_path / "out/lib/x").read_text() == "this is lib/x"


@pytest.mark.parametrize("name", ["../escaped", "/tmp/racehound-escaped", "bin/../../escaped"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    archive = tmp_path / f"a.{kind}"
    target = Path(name) if name.startswith("/") else tmp_path / "escaped"
    if kind == "zip":
        _zip(archive, {name: 0o644})
        with pytest.raises(UserError, match="leads out of it"):
            unpack(archive, tmp_path / "out", ("*",))
    else:
        # An absolute path is made one inside, as tar itself does; the others are refused.
        _tar(archive, [_entry(name), _entry("x")])
        if not name.startswith("/"):
            with pytest.raises(UserError, match="cannot unpack"):
                unpack(archive, tmp_path / "out", ("*",))
        else:
            unpack(archive, tmp_path / "out", ("*",))
    assert not target.exists()


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    _zip(tmp_path / "a.zip", {"link": stat.S_IFLNK | 0o777})
    _tar(tmp_path / "a.tar", [_entry("link", kind=tarfile.SYMTYPE, link="../../etc")])
    for archive in ("a.zip", "a.tar"):
        with pytest.raises(UserError, match=f"cannot unpack {archive}"):
            unpack(tmp_path / archive, tmp_path / f"{archive}.out", ("*",))


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it has no sbin/tool"):
        unpack(_zip(tmp_path / "a.zip", FILES), tmp_path / "out", ("bin/*", "sbin/tool"))
