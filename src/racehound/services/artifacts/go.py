"""Programs written in Go, which `go install` builds into racehound's cache. The user's GOPATH does not change."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts.artifact import Tell, cache_dir, locked_cache, partial_directory
from racehound.services.artifacts.client import run_client

_ASK_LIMIT_S = 30.0
_FETCHES_ITSELF = (1, 21)
"""The first release of Go that fetches the toolchain a module needs, unless GOTOOLCHAIN forbids it (go.dev/doc/toolchain)."""


@dataclasses.dataclass(frozen=True)
class GoProgram:
    """A command in one exact version. Implements `Artifact`. Its path is that of the program."""

    package: str
    """The import path, e.g. `github.com/minio/mc`."""
    release: str
    """The version of its module, e.g. `v2.5.0`."""
    binary: str
    """The file that `go install` makes: the last element of the import path that is not a major version."""
    needs: tuple[int, int]
    """The release of Go that its `go.mod` requires, e.g. (1, 24)."""
    flags: tuple[str, ...] = ("-trimpath", "-ldflags=-s -w")

    client = "go"

    @property
    def name(self) -> str:
        return f"{self.package}@{self.release}"

    def find(self) -> Path | None:
        path = cache_dir() / self._area / "bin" / self.binary
        return path if path.exists() else None

    def obstacle(self) -> str | None:
        if shutil.which("go") is None:
            return f"{self.name} needs Go: apt-get install golang"
        wanted, there, toolchain = self.needs, *_installed()
        if there < wanted and (there < _FETCHES_ITSELF or toolchain == "local"):
            return f"{self.name} needs Go {_dotted(wanted)} or newer, and Go {_dotted(there)} is installed: see go.dev/dl"
        return None

    def install(self, tell: Tell) -> Path:
        with locked_cache(self._area) as area:
            if (existing := self.find()) is not None:
                return existing
            if (obstacle := self.obstacle()) is not None:
                raise UserError(obstacle)
            tell(f"go install {self.name}")
            with partial_directory(area) as fresh:
                self._build(fresh)
                return (fresh / "bin").rename(area / "bin") / self.binary

    def _build(self, fresh: Path) -> None:
        """Build the program in a directory of which only `bin` is kept."""
        environment = {
            "GOBIN": str(fresh / "bin"),
            "GOPATH": str(fresh / "path"),
            "GOMODCACHE": str(fresh / "modules"),
            "GOCACHE": str(fresh / "objects"),
            # Otherwise the files of modules are read-only, and cannot be removed.
            "GOFLAGS": "-modcacherw",
            "CGO_ENABLED": "0",
        }
        failure = f"cannot build {self.name}"
        run_client(["go", "install", *self.flags, self.name], failure, env=environment, cwd=fresh)
        if not (fresh / "bin" / self.binary).exists():
            raise UserError(f"{failure}: it has no program {self.binary}")

    @property
    def _area(self) -> str:
        """A directory of the cache for this program only, so that other programs need not wait for its build."""
        return f"go/{self.package.replace('/', '_')}-{self.release}"


def _installed() -> tuple[tuple[int, int], str]:
    """The version of Go on the path, and its GOTOOLCHAIN. UserError when it does not print them."""
    said = run_client(["go", "env", "-json"], "go does not print its version", limit_s=_ASK_LIMIT_S)
    settings: dict[str, str] = json.loads(said)
    # The value is "go1.26.8", perhaps followed by a packager's note. GOVERSION exists since 1.16.
    match = re.match(r"go(\d+)\.(\d+)", settings.get("GOVERSION", ""))
    if match is None:
        raise UserError("go does not print its version: go version")
    return (int(match[1]), int(match[2])), settings.get("GOTOOLCHAIN", "local")


def _dotted(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))
