"""The backend `docker`: it runs a service as a container of the composition's compose project, by `docker compose`."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from racehound.errors import TargetError, UserError
from racehound.services import ports
from racehound.services.artifacts.artifact import INSTALL_LIMIT_S, Tell
from racehound.services.backends import docker_client
from racehound.services.backends.compose_file import ComposeService, container_name
from racehound.services.backends.docker_client import Inspected, State
from racehound.services.backends.docker_project import DockerProject
from racehound.services.backends.instance import BackendName
from racehound.services.catalogue import find, in_order
from racehound.services.service import LOOPBACK, Access, Endpoint, Endpoints, Service

_BY_SIGNAL = 128
"""The exit code of a container that a signal has ended is this plus the signal's number."""


class DockerInstance:
    """See `Instance`. This machine connects to published loopback ports, and other containers to its name in their network."""

    backend: Literal["docker"] = "docker"

    def __init__(self, service: Service, project: DockerProject, password: str = "", client_file: Path | None = None) -> None:
        self.service = service
        self._project = project
        self._container = container_name(project.name, service.name)
        self._created = False
        container = service.container(password)
        self._compose_service = ComposeService(service, password, {name: ports.free() for name in container.ports})
        endpoints = {name: Endpoint(LOOPBACK, port) for name, port in self._compose_service.host_ports.items()}
        self.access = Access(endpoints, password, client_file)
        inside = {**container.ports, **container.inside}
        self._target_endpoints = {name: Endpoint(service.name, port) for name, port in inside.items()}

    @property
    def endpoints(self) -> Endpoints:
        return self.access.endpoints

    @property
    def target_endpoints(self) -> Endpoints:
        return self._target_endpoints

    def prepare(self) -> None:
        self._project.add(self._compose_service)

    def start(self) -> None:
        if not self._created:
            self._created = True
            self._project.create(self.service.name)
        elif not self.alive():
            self._project.restart(self.service.name)

    def alive(self) -> bool:
        seen = self._inspect()
        return isinstance(seen, Inspected) and seen.state.status in {"running", "paused"}

    def exit_summary(self) -> str:
        seen = self._inspect()
        return f"cannot be inspected: {seen}" if isinstance(seen, str) else _exit_summary(seen.state)

    def stop(self) -> None:
        if self._project.holds(self.service.name):
            self._project.remove(self.service.name)

    def kill(self) -> None:
        if self.alive():
            self._project.compose("kill", self.service.name)

    def pause(self) -> None:
        self._require_alive()
        self._project.compose("pause", self.service.name)

    def resume(self) -> None:
        self._require_alive()
        self._project.compose("unpause", self.service.name)

    def memory_mib(self) -> float:
        return self._project.docker.memory_mib(self._container) if self.alive() else 0.0

    def log(self, lines: int) -> list[str]:
        return self._project.docker.log(self._container, lines) if self._created else []

    def ports(self) -> list[str]:
        seen = self._inspect()
        if isinstance(seen, str):
            return []
        bindings = [each for published in seen.network_settings.ports.values() for each in published or ()]
        return sorted(f"{each.host_ip}:{each.host_port}" for each in bindings)

    def _inspect(self) -> Inspected | str:
        return self._project.docker.inspect(self._container) if self._created else "it was not started"

    def _require_alive(self) -> None:
        if not self.alive():
            raise TargetError(f"{self.service.name} does not run")


def check_needs(backends: Mapping[str, BackendName]) -> None:
    """UserError when a service in a container needs a service outside of containers, to which it cannot connect.

    `backends`: the backend of each service of a composition, by name.
    """
    contained = [find(name) for name, backend in backends.items() if backend == "docker"]
    by_role = {find(name).role: (name, backend) for name, backend in backends.items()}
    for service in contained:
        for role in (*(find(need).role for need in service.needs), *service.container("").needs):
            need, backend = by_role.get(role, (role, None))
            if backend is None:
                raise UserError(f"{service.name} by docker needs {role}: name it, too")
            if backend != "docker":
                raise UserError(
                    f"{service.name} by docker cannot reach {need} by {backend}, for containers have a loopback of their own: "
                    f"use docker for {need}, or process for {service.name}"
                )


def pull(names: Sequence[str], tell: Tell) -> None:
    """Fetch the images of these services and of those that they need. UserError without docker, its engine or an image."""
    docker = docker_client.find()
    docker.check()
    for name in in_order(names):
        image = find(name).container("").image
        if docker.has_image(image):
            tell(f"{image} is installed")
            continue
        tell(f"docker pull {image}")
        done = docker.run("pull", "--quiet", image, limit_s=INSTALL_LIMIT_S)
        if done.returncode != 0:
            raise UserError(f"cannot pull {image}: {docker_client.last_line(done)}")


def _exit_summary(state: State) -> str:
    if state.status == "created":
        return f"was not started: {state.error or 'docker does not say why'}"
    number = state.exit_code - _BY_SIGNAL
    by = f" ({signal.Signals(number).name})" if number in set(signal.Signals) else ""
    return f"ended with exit code {state.exit_code}{by}" + (", out of memory" if state.oom_killed else "")
