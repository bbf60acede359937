"""Installing what native processes need: every artifact of the services wanted, once, and a report of what is missing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from racehound.errors import UserError
from racehound.services.artifacts.artifact import Artifact
from racehound.services.catalogue import find, in_order

State = Literal["there", "installed", "missing"]


@dataclasses.dataclass(frozen=True)
class Installed:
    """What became of one artifact."""

    artifact: Artifact
    services: tuple[str, ...]
    """Those of the wanted services that need it."""
    state: State
    seconds: float = 0.0
    reason: str = ""
    """Why it is missing and what to do about it."""


def needed(names: Sequence[str]) -> dict[Artifact, tuple[str, ...]]:
    """The artifacts of these services and of those they need, each once, with the services that need it."""
    wanted: dict[Artifact, tuple[str, ...]] = {}
    for name in in_order(names):
        for artifact in find(name).artifacts():
            wanted[artifact] = (*wanted.get(artifact, ()), name)
    return wanted


def install(names: Sequence[str], tell: Callable[[str], object]) -> list[Installed]:
    """Fetch what is not there yet. What cannot be had is told with its reason and does not keep the rest from being fetched."""
    return [_install(artifact, services, tell) for artifact, services in needed(names).items()]


def missing(names: Sequence[str]) -> list[Installed]:
    """The artifacts that are not there, each with what to do about it. Fetches nothing."""
    return [
        Installed(artifact, services, "missing", reason=artifact.obstacle() or f"racehound services install {services[0]}")
        for artifact, services in needed(names).items()
        if artifact.find() is None
    ]


def size_mb(path: Path) -> float:
    """Size of an installed artifact on disk, in megabytes (of a file: the file)."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(each.stat().st_size for each in files) / 1e6


def _install(artifact: Artifact, services: tuple[str, ...], tell: Callable[[str], object]) -> Installed:
    if artifact.find() is not None:
        return Installed(artifact, services, "there")
    began = time.monotonic()
    try:
        if (obstacle := artifact.obstacle()) is not None:
            raise UserError(obstacle)
        artifact.install(tell)
    except UserError as error:
        return Installed(artifact, services, "missing", reason=str(error))
    return Installed(artifact, services, "installed", time.monotonic() - began)
