"""Artifacts that Maven fetches: it runs `mvn` and summarises its errors in one line.

`MavenJars` is a program that Java runs from a class path. `MavenArchive` is a program in a zip or tar archive.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from racehound.errors import UserError
from racehound.services import process
from racehound.services.artifacts.artifact import INSTALL_LIMIT_S, Tell, cache_dir, locked_cache, partial_directory
from racehound.services.artifacts.unpack import unpack

_REPOSITORY = "maven"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
"""The full name of the plugin. For the short name `dependency` Maven would look up the plugin in the network each time."""
_LOST_NETWORK = re.compile(
    r"Could not transfer|Unknown host|Connect to|Connection (?:refused|reset|timed out)|Network is unreachable|offline mode", re.I
)
_NO_SUCH = re.compile(r"Could not find artifact|was not found in|No versions available", re.I)
_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>racehound</groupId><artifactId>fetched</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


class NoSuchArtifactError(UserError):
    """No repository that Maven uses has the artifact."""


def obstacle(what: str) -> str | None:
    """Why Maven cannot fetch `what` on this machine, in one line; None when it can."""
    if shutil.which("mvn") is None:
        return f"{what} is fetched by Maven, but there is no mvn: apt-get install maven (or your system's way)"
    return None


def copy(what: str, coordinate: str, directory: Path, limit: float = INSTALL_LIMIT_S) -> Path:
    """Fetch one file, `GROUP:ARTIFACT:VERSION[:PACKAGING[:CLASSIFIER]]`, into the directory. It raises the errors of `_run`."""
    target = directory / "copied"
    _run(what, (coordinate,), ("copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={target}"), directory, limit)
    return next(target.iterdir())


def copy_with_dependencies(what: str, coordinates: Sequence[str], directory: Path, limit: float = INSTALL_LIMIT_S) -> Path:
    """Fetch jars (`GROUP:ARTIFACT:VERSION`) with their run-time dependencies into the subdirectory `lib`, which is returned.

    For a version range such as `[17,17.999]`, Maven fetches the newest version in it. It raises the errors of `_run`.
    """
    pom, target = directory / "pom.xml", directory / "lib"
    dependencies = "\n".join(_DEPENDENCY.format(*coordinate.split(":")) for coordinate in coordinates)
    pom.write_text(_POM.format(dependencies=dependencies), encoding="utf-8")
    options = ("-f", str(pom), "-DincludeScope=runtime", f"-DoutputDirectory={target}")
    _run(what, coordinates, ("copy-dependencies", *options), directory, limit)
    return target


def _run(what: str, coordinates: Sequence[str], goal: Sequence[str], directory: Path, limit: float) -> None:
    """Run a goal of the dependency plugin. UserError when there is no mvn, it reaches no repository, or it fails.

    NoSuchArtifactError when no repository has one of the coordinates, TargetError when mvn takes longer than `limit` seconds.
    """
    if (missing := obstacle(what)) is not None:
        raise UserError(missing)
    log = directory / "mvn.log"
    # With -U Maven tries again what has failed within the last day, such as a release or a network that was missing.
    options = ("-q", "-B", "-U", f"-Dmaven.repo.local={cache_dir() / _REPOSITORY}")
    command = process.Command(("mvn", *options, f"{_PLUGIN}:{goal[0]}", *goal[1:]), cwd=directory, log=log)
    # Only one process may run mvn: Maven 3.8, which Debian has, does not lock its local repository.
    with locked_cache(_REPOSITORY):
        returncode = process.run(command, limit)
    if returncode != 0:
        raise _explain(what, coordinates, log.read_text(errors="replace"))


def _explain(what: str, coordinates: Sequence[str], output: str) -> UserError:
    # Without a network artifacts are also "not found". Therefore this is checked first.
    if _LOST_NETWORK.search(output):
        return UserError(f"cannot fetch {what}: Maven reaches no repository; check the network (or Maven's settings.xml)")
    if _NO_SUCH.search(output):
        for coordinate in coordinates:
            # When the plugin or its dependencies are missing instead, the coordinate is not in the output.
            if ":".join(coordinate.split(":")[:2]) in output:
                return NoSuchArtifactError(f"cannot fetch {what}: there is no {coordinate} in the repositories that Maven asks")
    errors = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    return UserError(f"cannot fetch {what}: {(errors or output.splitlines() or ['mvn said nothing'])[0]}")


@dataclasses.dataclass(frozen=True)
class MavenJars:
    """Jars with their run-time dependencies in one directory, for a class path. Implements `Artifact`."""

    label: str
    """The name of its directory in the cache, e.g. `kafka-3.9.2`."""
    coordinates: tuple[str, ...]
    """`GROUP:ARTIFACT:VERSION` of each. The first one is the name of the artifact."""

    client = "mvn"

    @property
    def name(self) -> str:
        return self.coordinates[0]

    def find(self) -> Path | None:
        """The directory of the jars."""
        return _existing(self._area, self)

    def obstacle(self) -> str | None:
        return obstacle(self.name)

    def install(self, tell: Tell) -> Path:
        with locked_cache(self._area) as area:
            if (existing := self.find()) is not None:
                return existing
            tell(f"mvn {' '.join(self.coordinates)}")
            with partial_directory(area) as fresh:
                return copy_with_dependencies(self.name, self.coordinates, fresh).rename(area / _digest(self))

    @property
    def _area(self) -> str:
        return f"jars/{self.label}"


@dataclasses.dataclass(frozen=True)
class MavenArchive:
    """An unpacked zip or tar archive. Implements `Artifact`."""

    label: str
    """The name of its directory in the cache, e.g. `mysql-8.0.33`."""
    coordinate: str
    """`GROUP:ARTIFACT:VERSION:PACKAGING:CLASSIFIER`."""
    inside: tuple[str, ...] = ("*",)
    """Patterns for the paths that are unpacked. `*` also matches slashes. Each pattern must match a path."""

    client = "mvn"

    @property
    def name(self) -> str:
        return self.coordinate

    def find(self) -> Path | None:
        """The directory of the unpacked files."""
        return _existing(self._area, self)

    def obstacle(self) -> str | None:
        return obstacle(self.name)

    def install(self, tell: Tell) -> Path:
        with locked_cache(self._area) as area:
            if (existing := self.find()) is not None:
                return existing
            tell(f"mvn {self.coordinate}")
            with partial_directory(area) as fresh:
                archive = copy(self.name, self.coordinate, fresh)
                self._remove_copy()
                tell(f"unpacking {archive.name}")
                unpack(archive, fresh / "tree", self.inside)
                return (fresh / "tree").rename(area / _digest(self))

    @property
    def _area(self) -> str:
        return f"archives/{self.label}"

    def _remove_copy(self) -> None:
        """Remove Maven's copy from its local repository. It is not needed again, and may have half a gigabyte."""
        group, artifact, version = self.coordinate.split(":")[:3]
        with locked_cache(_REPOSITORY) as repository:
            shutil.rmtree(repository.joinpath(*group.split("."), artifact, version), ignore_errors=True)


def _existing(area: str, artifact: MavenJars | MavenArchive) -> Path | None:
    """The artifact's directory, which is complete, since it was renamed when it was complete; None when it does not exist."""
    directory = cache_dir() / area / _digest(artifact)
    return directory if directory.is_dir() else None


def _digest(artifact: MavenJars | MavenArchive) -> str:
    """A hash of all fields for a directory name, since other versions of racehound may use the same cache."""
    return hashlib.sha256(repr(artifact).encode()).hexdigest()[:12]
