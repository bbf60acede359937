"""Installs the artifacts of services, and lists those that are missing."""

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
    """An artifact, and whether it is installed."""

    artifact: Artifact
    services: tuple[str, ...]
    """The services that need it."""
    state: State
    seconds: float = 0.0
    reason: str = ""
    """Why it is missing, and what to do about it."""


def needed(names: Sequence[str]) -> dict[Artifact, tuple[str, ...]]:
    """The artifacts of these services and of those that they need, with the services that need each."""
    wanted: dict[Artifact, tuple[str, ...]] = {}
    for name in in_order(names):
        for artifact in find(name).artifacts():
            wanted[artifact] = (*wanted.get(artifact, ()), name)
    return wanted


def install(names: Sequence[str], tell: Callable[[str], object]) -> list[Installed]:
    """Fetch the missing artifacts. One that cannot be fetched is reported with the reason, and the others are still fetched."""
    return [_install(artifact, services, tell) for artifact, services in needed(names).items()]


def missing(names: Sequence[str]) -> list[Installed]:
    """The missing artifacts, each with what to do about it. Nothing is fetched."""
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
