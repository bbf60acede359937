"""Docker projects of runs that were killed together with their guard processes. `racehound clean` removes them."""

from __future__ import annotations

import dataclasses
import os

import msgspec

from racehound.errors import RacehoundError, UserError
from racehound.services.backends import docker_client, docker_end
from racehound.services.backends.docker_client import Docker
from racehound.services.backends.docker_project import COMPOSITION_LABEL, OWNER_LABEL, USER_LABEL
from racehound.services.owner import Owner, may_live

_COLUMNS = "\t".join(f'{{{{.Label "{label}"}}}}' for label in (docker_end.PROJECT_LABEL, COMPOSITION_LABEL, OWNER_LABEL))


@dataclasses.dataclass(frozen=True)
class Leftover:
    """A docker project whose run has ended."""

    project: str
    composition: str
    owner: Owner


def leftovers() -> list[Leftover]:
    """The docker projects of this user's runs that have ended, by name; none where there is no Docker engine."""
    try:
        docker = docker_client.find()
        docker.check()
    except UserError:
        return []
    found = {each.project: each for each in _projects(docker) if not may_live(each.owner)}
    return [found[project] for project in sorted(found)]


def remove(leftover: Leftover) -> None:
    """Remove the containers, volumes and networks of a run that has ended. RacehoundError when it has not, or docker refuses."""
    if may_live(leftover.owner):
        raise RacehoundError(f"{leftover.project} belongs to process {leftover.owner.pid}, which is alive: left alone")
    errors = docker_end.end(docker_client.find().path, leftover.project)
    if errors:
        raise RacehoundError(f"{leftover.project} could not be removed: {errors[0]}")


def _projects(docker: Docker) -> list[Leftover]:
    found = []
    for listing in (("ps", "--all"), ("network", "ls")):
        said = docker.run(*listing, "--no-trunc", "--filter", f"label={USER_LABEL}={os.geteuid()}", "--format", _COLUMNS)
        for line in said.stdout.splitlines():
            project, composition, owner = line.split("\t")
            found.append(Leftover(project, composition, msgspec.json.decode(owner, type=Owner)))
    return found
