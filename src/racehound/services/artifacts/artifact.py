"""The protocol of an artifact, and the cache for all artifacts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from racehound.errors import UserError

Tell = Callable[[str], object]
"""Called with a line that describes the progress."""

INSTALL_LIMIT_S = 1800.0
"""Seconds that one client may take. To build MinIO took 20 minutes on two busy cores."""
_PARTIAL = "partial-"


class Artifact(Protocol):
    """A package with the program of a service: a Python package, jars, an archive, a Go program, or Debian packages."""

    @property
    def name(self) -> str:
        """The name and version for users, e.g. `org.apache.kafka:kafka_2.13:3.9.2`."""

    @property
    def client(self) -> str:
        """The registry's client that fetches it: `pip`, `mvn`, `go` or `apt-get`."""

    def find(self) -> Path | None:
        """The path of the installed artifact; None when it is not completely installed."""

    def obstacle(self) -> str | None:
        """Why it cannot be installed on this machine, and what to do about it, in one line; None when it can be installed."""

    def install(self, tell: Tell) -> Path:
        """Fetch it into the cache, check it, and return its path. UserError, in one line, when that fails."""


def installed_path(artifact: Artifact) -> Path:
    """The path of an installed artifact. UserError, with the command to run, when it is not installed."""
    path = artifact.find()
    if path is None:
        raise UserError(f"{artifact.name} is not installed: racehound services install")
    return path


def cache_dir() -> Path:
    """The directory for fetched artifacts: `RACEHOUND_CACHE`, otherwise a directory in the user's cache directory."""
    import platformdirs

    return Path(os.environ.get("RACEHOUND_CACHE") or platformdirs.user_cache_dir("racehound")).absolute()


@contextlib.contextmanager
def locked_cache(area: str) -> Iterator[Path]:
    """A directory of the cache, locked for this process. The kernel releases the lock when the process is killed."""
    directory = cache_dir() / area
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("w")
    except OSError as error:
        raise UserError(
            f"cannot write to the cache {directory}: {error.strerror}; set RACEHOUND_CACHE to another directory"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for partial in directory.glob(f"{_PARTIAL}*"):
            # A killed process has left it, since no other live process can have one while this process holds the lock.
            shutil.rmtree(partial)
        yield directory


@contextlib.contextmanager
def partial_directory(directory: Path) -> Iterator[Path]:
    """A new directory in one that `locked_cache` returned. The caller fills and renames it. If not renamed, it is removed."""
    path = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=directory))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
