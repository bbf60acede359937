"""What an artifact is to a service that needs it, and the cache in which all of them lie."""

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
"""Is given a line about what is going on."""

INSTALL_LIMIT_S = 1800.0
"""Seconds that one client may take; building MinIO took 20 minutes on two busy cores."""
_PARTIAL = "partial-"


class Artifact(Protocol):
    """Something that a service's program comes in: a Python package, jars, an archive, a Go program, Debian packages."""

    @property
    def name(self) -> str:
        """What and which version, for people, e.g. `org.apache.kafka:kafka_2.13:3.9.2`."""

    @property
    def client(self) -> str:
        """The registry's client that fetches it: `pip`, `mvn`, `go` or `apt-get`."""

    def find(self) -> Path | None:
        """Where it lies, whole; None when it is not installed."""

    def obstacle(self) -> str | None:
        """Why it cannot be installed here and what to do about it, in one line; None when nothing is in the way."""

    def install(self, tell: Tell) -> Path:
        """Fetch it into the cache, check it, and return where it lies. UserError, in one line, when that fails."""


def installed_path(artifact: Artifact) -> Path:
    """Where an installed artifact lies. UserError, naming the command to run, when it is not installed."""
    path = artifact.find()
    if path is None:
        raise UserError(f"{artifact.name} is not installed: racehound services install")
    return path


def cache_dir() -> Path:
    """Where racehound keeps what it fetched: `RACEHOUND_CACHE`, else the user's cache directory."""
    import platformdirs

    return Path(os.environ.get("RACEHOUND_CACHE") or platformdirs.user_cache_dir("racehound")).absolute()


@contextlib.contextmanager
def locked_cache(area: str) -> Iterator[Path]:
    """A directory of the cache, for one process at a time; the kernel frees the lock when its holder is killed."""
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
            # Left by a process that was killed: while we hold the lock no live one has any.
            shutil.rmtree(partial)
        yield directory


@contextlib.contextmanager
def partial_directory(directory: Path) -> Iterator[Path]:
    """A new directory in one that is held `alone`, to be filled and renamed into place; removed if it is still there."""
    path = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=directory))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
