"""The compose file of a composition, by the Compose Specification, as plain data.

It is written as JSON. Since JSON is YAML, `docker compose` reads it, and racehound needs no YAML library.
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
"""Seconds that a container has to end in order. A JVM under load takes two."""

Document: TypeAlias = dict[str, object]
_HOST_PORT = re.compile(r"\{host_port:([^{}]*)\}")


@dataclasses.dataclass(frozen=True)
class ComposeService:
    """A service of the compose file, which runs in a container, and its published ports."""

    service: Service
    password: str
    """The password of the service's administrator."""
    host_ports: Mapping[str, int]
    """The published port of this machine for each of the container's ports, by the name of the port."""


def document(project: str, compose_services: Iterable[ComposeService], labels: Mapping[str, str]) -> Document:
    """The content of the file: these services, and one network with the project's name. All of them have the labels."""
    return {
        "name": project,
        "services": {each.service.name: _entry(project, each, labels) for each in compose_services},
        "networks": {"default": {"name": project, "labels": dict(labels)}},
    }


def text(file: Document) -> str:
    """The text of the file. Each `$` is written as `$$`, since the file has no variables of compose."""
    return json.dumps(file, indent=2, ensure_ascii=False).replace("$", "$$") + "\n"


def container_name(project: str, service: str) -> str:
    """The name of the container of a service."""
    return f"{project}-{service}"


def _entry(project: str, compose_service: ComposeService, labels: Mapping[str, str]) -> Document:
    service, container = compose_service.service, compose_service.service.container(compose_service.password)
    entry: Document = {
        "image": container.image,
        "container_name": container_name(project, service.name),
        # A missing image is an error: no run downloads images.
        "pull_policy": "never",
        # A container that has ended is not restarted, since it is evidence.
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
