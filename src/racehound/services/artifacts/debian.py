"""Debian packages, fetched by apt-get and unpacked into racehound's own cache: nothing is installed, nobody need be root."""

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
    """A program and those libraries of it that a small system lacks, of the release of Debian (or Ubuntu) that this machine runs.

    Implements `Artifact`; its path is the root of what was unpacked.
    """

    packages: tuple[str, ...]
    """The one that gives the artifact its name first. `a | b`: the first of them that this release has."""
    program: str
    """Pattern of a file's path below the root that must be there."""

    client = "apt-get"

    @property
    def name(self) -> str:
        return _alternatives(self.packages[0])[0]

    def find(self) -> Path | None:
        root = cache_dir() / _AREA / self._directory
        return root if root.is_dir() else None

    def obstacle(self) -> str | None:
        if missing := [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(tool) is None]:
            return f"{self.name} comes in Debian packages, but there is no {missing[0]}: this is neither Debian nor Ubuntu"
        if unknown := [wanted for wanted, known in self._candidates().items() if known is None]:
            return f"apt-get knows no package {unknown[0]}: apt-get update"
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
        """The packages' files below one new root. UserError when the program is not among them."""
        failure, root = f"cannot install {self.name}", fresh / "root"
        # apt-get as root fetches as the user _apt, who cannot write here.
        own = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
        run_client(["apt-get", *own, "--quiet", "download", *names], failure, env=_ENGLISH, cwd=fresh)
        for package in sorted(fresh.glob("*.deb")):
            run_client(["dpkg-deb", "-x", str(package), str(root)], failure, env=_ENGLISH)
        if not any(root.glob(self.program)):
            raise UserError(f"{failure}: it has no {self.program}")
        return root

    def _candidates(self) -> dict[str, str | None]:
        """For each of the packages the name that this release has for it; None when it has none, or no lists."""
        names = [name for wanted in self.packages for name in _alternatives(wanted)]
        said = run_client(["apt-cache", "policy", *names], f"cannot look for {self.name}", env=_ENGLISH)
        there = set(_CANDIDATE.findall(said))
        return {wanted: next((name for name in _alternatives(wanted) if name in there), None) for wanted in self.packages}

    @property
    def _directory(self) -> str:
        """It changes with everything the artifact is made from: a cache outlives the racehound that filled it."""
        return f"{self.name}-{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"


def libraries(root: Path) -> str:
    """The directories of shared libraries below the root of unpacked packages, as `LD_LIBRARY_PATH` has them."""
    return ":".join(map(str, sorted(path for path in (root / "usr" / "lib").glob("*-linux-gnu*") if path.is_dir())))


def _alternatives(packages: str) -> list[str]:
    return [name.strip() for name in packages.split("|")]
