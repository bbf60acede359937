"""Debian packages, which apt-get fetches, and which are unpacked into racehound's cache. The system does not change."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts.artifact import Tell, cache_dir, locked_cache, partial_directory
from racehound.services.artifacts.client import run_client

_AREA = "debian"
_ENGLISH = {"LC_ALL": "C"}
_CANDIDATE = re.compile(r"^(\S+):\n  Installed: .*\n  Candidate: (?!\(none\))", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class DebianPackages:
    """A program with the libraries that a small system lacks, for the machine's release of Debian or Ubuntu.

    Implements `Artifact`. Its path is the directory into which the packages were unpacked.
    """

    packages: tuple[str, ...]
    """Names of the packages. The first one is the name of the artifact. `a | b`: the first one that the release has."""
    program: str
    """A pattern for the path of a file that must be in the packages."""

    client = "apt-get"

    @property
    def name(self) -> str:
        return _alternatives(self.packages[0])[0]

    def find(self) -> Path | None:
        root = cache_dir() / _AREA / self._directory
        return root if root.is_dir() else None

    def obstacle(self) -> str | None:
        if missing := [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(tool) is None]:
            return f"{self.name} needs Debian packages, but there is no {missing[0]}: this system is neither Debian nor Ubuntu"
        if unknown := [wanted for wanted, known in self._candidates().items() if known is None]:
            return f"apt-get does not know the package {unknown[0]}: apt-get update"
        return None

    def install(self, tell: Tell) -> Path:
        with locked_cache(_AREA) as area:
            if (existing := self.find()) is not None:
                return existing
            if (obstacle := self.obstacle()) is not None:
                raise UserError(obstacle)
            names = [known for known in self._candidates().values() if known is not None]
            tell(f"apt-get download {' '.join(names)}")
            with partial_directory(area) as fresh:
                return self._unpacked(names, fresh).rename(area / self._directory)

    def _unpacked(self, names: Sequence[str], fresh: Path) -> Path:
        """The directory with the unpacked files of all packages. UserError when the program is not among them."""
        failure, root = f"cannot install {self.name}", fresh / "root"
        # As root, apt-get fetches as the user _apt, who cannot write to this directory.
        own = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
        run_client(["apt-get", *own, "--quiet", "download", *names], failure, env=_ENGLISH, cwd=fresh)
        for package in sorted(fresh.glob("*.deb")):
            run_client(["dpkg-deb", "-x", str(package), str(root)], failure, env=_ENGLISH)
        if not any(root.glob(self.program)):
            raise UserError(f"{failure}: it has no {self.program}")
        return root

    def _candidates(self) -> dict[str, str | None]:
        """For each package its name in this release; None when the release has no such package, or apt-get has no lists."""
        names = [name for wanted in self.packages for name in _alternatives(wanted)]
        said = run_client(["apt-cache", "policy", *names], f"cannot look for {self.name}", env=_ENGLISH)
        there = set(_CANDIDATE.findall(said))
        return {wanted: next((name for name in _alternatives(wanted) if name in there), None) for wanted in self.packages}

    @property
    def _directory(self) -> str:
        """A name with a hash of all fields, since other versions of racehound may use the same cache."""
        return f"{self.name}-{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"


def libraries(root: Path) -> str:
    """The directories of shared libraries in unpacked packages, in the format of `LD_LIBRARY_PATH`."""
    return ":".join(map(str, sorted(path for path in (root / "usr" / "lib").glob("*-linux-gnu*") if path.is_dir())))


def _alternatives(packages: str) -> list[str]:
    return [name.strip() for name in packages.split("|")]
