"""Maven's part: a run of `mvn` with its pages of output in one line, and the two shapes in which services come from it.

`MavenJars` is a program that Java runs from a class path, `MavenArchive` one that lies in a zip or tar as it came.
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
"""In full: for the mere word `dependency` Maven asks the network which plugin is meant, each time."""
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
    """No repository that Maven asks has the artifact."""


def obstacle(what: str) -> str | None:
    """What is in the way of fetching anything by Maven on this machine, in one line; None when nothing is."""
    if shutil.which("mvn") is None:
        return f"{what} is fetched by Maven, but there is no mvn: apt-get install maven (or your system's way)"
    return None


def copy(what: str, coordinate: str, directory: Path, limit: float = INSTALL_LIMIT_S) -> Path:
    """One file, `GROUP:ARTIFACT:VERSION[:PACKAGING[:CLASSIFIER]]`, into the directory; raises as `_run` does."""
    target = directory / "copied"
    _run(what, (coordinate,), ("copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={target}"), directory, limit)
    return next(target.iterdir())


def copy_with_dependencies(what: str, coordinates: Sequence[str], directory: Path, limit: float = INSTALL_LIMIT_S) -> Path:
    """The jars of `GROUP:ARTIFACT:VERSION…`, and of all that they need to run, into `lib` of the directory; raises as `_run`.

    A version may be a range such as `[17,17.999]`: the newest of it.
    """
    pom, target = directory / "pom.xml", directory / "lib"
    dependencies = "\n".join(_DEPENDENCY.format(*coordinate.split(":")) for coordinate in coordinates)
    pom.write_text(_POM.format(dependencies=dependencies), encoding="utf-8")
    options = ("-f", str(pom), "-DincludeScope=runtime", f"-DoutputDirectory={target}")
    _run(what, coordinates, ("copy-dependencies", *options), directory, limit)
    return target


def _run(what: str, coordinates: Sequence[str], goal: Sequence[str], directory: Path, limit: float) -> None:
    """A goal of the dependency plugin. UserError when there is no mvn, it reaches no network or fails otherwise.

    NoSuchArtifactError when one of the coordinates is in no repository, TargetError when it takes longer than `limit` seconds.
    """
    if (missing := obstacle(what)) is not None:
        raise UserError(missing)
    log = directory / "mvn.log"
    # -U: Maven remembers failures for a day, and a release may come, or a network return, sooner.
    options = ("-q", "-B", "-U", f"-Dmaven.repo.local={cache_dir() / _REPOSITORY}")
    command = process.Command(("mvn", *options, f"{_PLUGIN}:{goal[0]}", *goal[1:]), cwd=directory, log=log)
    # One at a time: Maven 3.8, Debian's, does not guard its local repository against others.
    with locked_cache(_REPOSITORY):
        returncode = process.run(command, limit)
    if returncode != 0:
        raise _explain(what, coordinates, log.read_text(errors="replace"))


def _explain(what: str, coordinates: Sequence[str], output: str) -> UserError:
    # A missing network also makes things "not found": look for it first.
    if _LOST_NETWORK.search(output):
        return UserError(f"cannot fetch {what}: Maven reaches no repository; check the network (or Maven's settings.xml)")
    if _NO_SUCH.search(output):
        for coordinate in coordinates:
            # The plugin and what it needs can be missing, too: that is another trouble.
            if ":".join(coordinate.split(":")[:2]) in output:
                return NoSuchArtifactError(f"cannot fetch {what}: there is no {coordinate} in the repositories that Maven asks")
    errors = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    return UserError(f"cannot fetch {what}: {(errors or output.splitlines() or ['mvn said nothing'])[0]}")


@dataclasses.dataclass(frozen=True)
class MavenJars:
    """Jars with all that they need at run time, in one directory, for a class path. Implements `Artifact`."""

    label: str
    """Its directory's name in the cache, e.g. `kafka-3.9.2`."""
    coordinates: tuple[str, ...]
    """`GROUP:ARTIFACT:VERSION`, the one that gives the artifact its name first."""

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
    """A zip or tar that an artifact consists of, unpacked. Implements `Artifact`."""

    label: str
    """Its directory's name in the cache, e.g. `mysql-8.0.33`."""
    coordinate: str
    """`GROUP:ARTIFACT:VERSION:PACKAGING:CLASSIFIER`."""
    inside: tuple[str, ...] = ("*",)
    """Patterns of the paths in it that are kept; `*` stands for slashes, too. Each must match something."""

    client = "mvn"

    @property
    def name(self) -> str:
        return self.coordinate

    def find(self) -> Path | None:
        """The root of what was unpacked."""
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
                self._forget_copy()
                tell(f"unpacking {archive.name}")
                unpack(archive, fresh / "tree", self.inside)
                return (fresh / "tree").rename(area / _digest(self))

    @property
    def _area(self) -> str:
        return f"archives/{self.label}"

    def _forget_copy(self) -> None:
        """Maven's own copy in its local repository is not needed again, and it may have half a gigabyte."""
        group, artifact, version = self.coordinate.split(":")[:3]
        with locked_cache(_REPOSITORY) as repository:
            shutil.rmtree(repository.joinpath(*group.split("."), artifact, version), ignore_errors=True)


def _existing(area: str, artifact: MavenJars | MavenArchive) -> Path | None:
    """Where it lies. Whatever bears the name there is whole: it was renamed into place."""
    directory = cache_dir() / area / _digest(artifact)
    return directory if directory.is_dir() else None


def _digest(artifact: MavenJars | MavenArchive) -> str:
    """A name that changes with everything the artifact is made from: a cache outlives the racehound that filled it."""
    return hashlib.sha256(repr(artifact).encode()).hexdigest()[:12]
