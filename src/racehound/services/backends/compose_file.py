"""The compose file of a composition: its docker services in the words of the Compose Specification, as plain data.

Written as JSON, which is YAML, so that `docker compose` and people read it and racehound needs no YAML library.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from racehound.services.service import LOOPBACK, Container, Service

NAME = "compose.yaml"
STOP_GRACE_S = 5
"""Seconds that a container gets to end in order; a JVM under load takes two."""

Document: TypeAlias = dict[str, object]
_HOST_PORT = re.compile(r"\{host_port:([^{}]*)\}")


@dataclasses.dataclass(frozen=True)
class ComposeService:
    """A service that is to run in a container, and the ports of this machine that lead to it."""

    service: Service
    host_ports: Mapping[str, int]
    """By the name of the port: each of the container's."""


def document(project: str, compose_services: Iterable[ComposeService], labels: Mapping[str, str]) -> Document:
    """The whole file: these services on one network that bears the project's name, everything marked with the labels."""
    return {
        "name": project,
        "services": {each.service.name: _entry(project, each, labels) for each in compose_services},
        "networks": {"default": {"name": project, "labels": dict(labels)}},
    }


def text(file: Document) -> str:
    """The file as it is written. Nothing in it is a variable of compose's, so every `$` stands for itself: `$$`."""
    return json.dumps(file, indent=2, ensure_ascii=False).replace("$", "$$") + "\n"


def container_name(project: str, service: str) -> str:
    """What the container of a service is called."""
    return f"{project}-{service}"


def _entry(project: str, compose_service: ComposeService, labels: Mapping[str, str]) -> Document:
    service, container = compose_service.service, compose_service.service.container()
    entry: Document = {
        "image": container.image,
        "container_name": container_name(project, service.name),
        # An image that is not there is an error: nothing is downloaded while a run is going.
        "pull_policy": "never",
        # What has died stays dead: that is evidence.
        "restart": "no",
        "stop_grace_period": f"{STOP_GRACE_S}s",
        "ports": [f"{LOOPBACK}:{compose_service.host_ports[name]}:{port}" for name, port in container.ports.items()],
        "networks": {"default": {"aliases": [service.role]}},
        "labels": dict(labels),
    }
    if container.command:
        entry["command"] = list(container.command)
    if container.environment:
        entry["environment"] = _environment(container, compose_service)
    if container.volumes:
        entry["volumes"] = list(container.volumes)
    return entry


def _environment(container: Container, compose_service: ComposeService) -> dict[str, str]:
    def port(match: re.Match[str]) -> str:
        name = match[1]
        if name not in compose_service.host_ports:
            raise ValueError(f"{compose_service.service.name}: its container has no port {name!r}")
        return str(compose_service.host_ports[name])

    return {key: _HOST_PORT.sub(port, value) for key, value in container.environment.items()}
