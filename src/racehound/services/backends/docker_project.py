"""A docker project: the containers of one composition, their compose file, their network, and the process that removes them.

Containers do not end with the process that started them. Therefore each project has a guard process whose command removes the
project when racehound has ended (`docker_end.py`). If the guard is killed, too, `racehound clean` finds the project by labels.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import select
import sys
import threading
from pathlib import Path

import msgspec

from racehound.errors import TargetError, UserError
from racehound.services import process, scratch
from racehound.services.backends import compose_file, docker_client, docker_end
from racehound.services.backends.compose_file import ComposeService
from racehound.services.backends.docker_client import Docker
from racehound.services.owner import myself
from racehound.services.process import Command, GuardedProcess

COMPOSITION_LABEL = "racehound.composition"
OWNER_LABEL = "racehound.owner"
"""An `Owner` as JSON."""
USER_LABEL = "racehound.user"
"""The owner's user id."""
_START_LIMIT_S = 60.0
_END_LIMIT_S = 30.0
"""Seconds that the removal may take when racehound has ended."""
_READY_LIMIT_S = 10.0
"""Seconds that the guard's command may take to report that it is ready; it takes some 50 ms."""
_NAME_LENGTH = 32


class DockerProject:
    """Safe to use from several threads. Docker is not called before a service is added."""

    def __init__(self, composition: str, directory: Path) -> None:
        readable = re.sub(r"[^a-z0-9_-]+", "-", composition.lower())[:_NAME_LENGTH]
        self.name = f"racehound-{readable}-{secrets.token_hex(4)}"
        self.file = directory / compose_file.NAME
        self._directory = directory
        self._labels = {
            COMPOSITION_LABEL: composition,
            OWNER_LABEL: msgspec.json.encode(myself()).decode(),
            USER_LABEL: str(os.geteuid()),
        }
        self._services: dict[str, ComposeService] = {}
        self._lock = threading.RLock()
        self._guard: GuardedProcess | None = None

    @functools.cached_property
    def docker(self) -> Docker:
        """UserError when the command, the plugin or the engine is missing."""
        docker = docker_client.find()
        docker.check_compose()
        docker.check()
        return docker

    def add(self, compose_service: ComposeService) -> None:
        """Write a service into the file. UserError when something that it needs is not installed."""
        service = compose_service.service
        image = service.container(compose_service.password).image
        with self._lock:
            if not self.docker.has_image(image):
                raise UserError(f"the image {image} is not there: racehound services install {service.name} --backend docker")
            self._services[service.name] = compose_service
            self._write()

    def holds(self, service: str) -> bool:
        """Whether the service is in the file."""
        return service in self._services

    def create(self, service: str) -> None:
        """Start a service in a fresh container, on fresh data. TargetError when that fails."""
        self._start(service, "up", "--detach", "--no-deps", "--force-recreate", "--renew-anon-volumes")

    def restart(self, service: str) -> None:
        """Start its container, which has ended, again. TargetError when that fails."""
        self._start(service, "start")

    def remove(self, service: str) -> None:
        """Stop a service, remove its container and data, and with the last service the project. TargetError when that fails."""
        self.compose("rm", "--stop", "--force", "--volumes", service)
        with self._lock:
            if len(self._services) > 1:
                del self._services[service]
                self._write()
                return
            self.compose("down", "--volumes", "--remove-orphans")
            del self._services[service]
            self.file.unlink()
            if self._guard is not None:
                self._guard.kill()
                self._guard = None

    def compose(self, *arguments: str) -> None:
        """Run `docker compose` on this project. TargetError when it fails."""
        done = self.docker.run(*self._compose(), *arguments)
        if done.returncode != 0:
            raise TargetError(f"docker compose {' '.join(arguments)}: {docker_client.last_line(done)}")

    def _start(self, service: str, *arguments: str) -> None:
        """Start a service. Only one start runs at a time, since each creates the network. The command ends with racehound."""
        log = self._directory / "logs" / f"{service}.docker.log"
        log.parent.mkdir(mode=0o700, exist_ok=True)
        argv = (self.docker.path, *self._compose(), *arguments, service)
        with self._lock:
            self._start_guard()
            if process.run(Command(argv, cwd=Path("/"), log=log, grace=0.0), _START_LIMIT_S) != 0:
                said = log.read_text(errors="replace").split("\n")
                reason = next((line.strip() for line in reversed(said) if line.strip()), "docker compose does not say why")
                raise TargetError(f"{service} cannot be started: {reason}")

    def _start_guard(self) -> None:
        """Start the guard process before the first container, and wait until it is ready. TargetError when that fails."""
        if self._guard is not None:
            if self._guard.poll() is None:
                return
            self._guard.kill()
        ready = self._directory / "docker.ready"
        os.mkfifo(ready)
        try:
            # The FIFO is opened for reading first, since the writer does not wait for a reader.
            with open(os.open(ready, os.O_RDONLY | os.O_NONBLOCK)) as end:  # noqa: PTH123 (a descriptor)
                self._guard = GuardedProcess(self._guard_command(ready))
                self._guard.start()
                events = select.poll()
                events.register(end, select.POLLIN)
                if not events.poll(_READY_LIMIT_S * 1000):
                    self._guard.kill()
                    raise TargetError(f"the process that ends docker projects is not ready after {_READY_LIMIT_S:g} s")
        finally:
            ready.unlink()

    def _guard_command(self, ready: Path) -> Command:
        return Command(
            (sys.executable, "-I", "-S", docker_end.__file__, self.docker.path, self.name, str(ready)),
            cwd=Path("/"),
            log=self._directory / "logs" / "docker.log",
            grace=_END_LIMIT_S,
            orphan_grace=_END_LIMIT_S,
            remove_when_orphaned=(self._directory,) if scratch.is_mine(self._directory) else (),
        )

    def _compose(self) -> tuple[str, ...]:
        return ("compose", "--project-name", self.name, "--file", str(self.file))

    def _write(self) -> None:
        """Replace the file in one step, since `docker compose` may be reading it. Only the user can read it."""
        document = compose_file.document(self.name, self._services.values(), self._labels)
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(compose_file.text(document), encoding="utf-8")
        fresh.replace(self.file)
