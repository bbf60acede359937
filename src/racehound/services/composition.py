"""Composition: the services of one run. Each is started as soon as those that it needs are ready; all are stopped together.

A composition belongs to one process. When that process ends, even by kill -9, the native processes of the services and their data
are gone within two seconds (`process.py`). `composition_daemon.py` is such a process for `racehound services up`.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Literal

import msgspec

from racehound.errors import RacehoundError, TargetError, UserError
from racehound.services import credentials, ports, scratch
from racehound.services.backends.docker import DockerInstance, check_needs
from racehound.services.backends.docker_project import DockerProject
from racehound.services.backends.external import ExternalInstance
from racehound.services.backends.instance import BackendName, Instance
from racehound.services.backends.native import NativeInstance
from racehound.services.catalogue import find, in_order
from racehound.services.process import Command, GuardedProcess
from racehound.services.service import PROXIED, Access, Endpoint, Endpoints, NotReadyError, ServiceLayout

READY_LIMIT_S = 90.0
"""Seconds that a service may take from its start to its first correct answer; the slowest take ten on two busy cores."""
EXTERNAL_LIMIT_S = 5.0
"""The same for a service of the backend `external`, which has been started already."""
_LOOK_S = 0.05

Health = Literal["healthy", "starting", "not answering", "dead", "paused"]


@dataclasses.dataclass(frozen=True)
class ServiceRequest:
    """A service to start, and the backend that runs it."""

    name: str
    backend: BackendName = "process"
    address: Endpoint | None = None
    """The address of the service, for the backend `external`."""

    def __post_init__(self) -> None:
        if (self.backend == "external") != (self.address is not None):
            raise UserError(f"{self.name}: the backend external needs an address, and no other takes one")


class Status(msgspec.Struct, frozen=True):
    """The state of a service, as `racehound services ps` shows it."""

    name: str
    version: str
    backend: BackendName
    health: Health
    remark: str
    """What is wrong, if anything is."""
    address: str
    memory_mib: float
    prepare_s: float
    """Seconds that configuration and initial data took."""
    ready_s: float
    """Seconds from the start to the first correct answer."""
    listens: tuple[str, ...]
    client_file: str = ""
    """The file with the password for its usual client."""
    connect: str = ""
    """The command by which the service's usual client connects. The password is in a file that the command names."""


class Times(msgspec.Struct):
    """Seconds that a service took to come up."""

    prepare_s: float = 0.0
    ready_s: float = 0.0


Tell = Callable[[str, str], object]
"""Called with a service's name and its new state: `preparing`, `starting`, `ready`, `stopped`."""


class Composition:
    """Starts and stops services. Safe to use from several threads; `up` and `down` run one at a time.

    `directory` is a scratch directory of this process (`scratch.create`); the services write only there.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.docker = DockerProject(name, directory)
        """The containers of the composition and their network. They are created when the first container is needed."""
        self._instances: dict[str, Instance] = {}
        self._times: dict[str, Times] = {}
        self._paused: set[str] = set()
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._guard: GuardedProcess | None = None

    def up(self, requests: Sequence[ServiceRequest], tell: Tell) -> None:
        """Start these services and those that they need. Services that are up stay as they are.

        Returns when all are ready. UserError or TargetError for the first service that cannot be started; the services that this
        call has started are stopped before.
        """
        with self._busy:
            self._guard_directory()
            new = [each for each in with_needs(requests) if each.name not in self._instances]
            self._check_roles(new)
            check_needs({each.service.name: each.backend for each in self.instances} | {each.name: each.backend for each in new})
            made = {each.name: self._instance(each) for each in new}
            with self._lock:
                self._instances |= made
                self._times |= {name: Times() for name in made}
            try:
                self._bring_up([each.name for each in new], tell)
            except BaseException:
                self._take_down(list(made), lambda _name, _what: None)
                raise

    def down(self, tell: Tell) -> None:
        """Stop all services, each before those that it needs, and remove their data."""
        with self._busy:
            self._take_down(list(self._instances), tell)
            if self._guard is not None:
                self._guard.kill()
                self._guard = None

    def instance(self, name: str) -> Instance:
        """A service of this composition, by name or role; UserError when there is none."""
        with self._lock:
            for known in self._instances.values():
                if name in (known.service.name, known.service.role):
                    return known
            raise UserError(f"{name} is not up; up are: {', '.join(self._instances) or 'none'}")

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All services, each after those that it needs."""
        with self._lock:
            return tuple(self._instances.values())

    def status(self) -> list[Status]:
        """The state of each service; each is sent a real request."""
        instances = self.instances
        if not instances:
            return []
        with ThreadPoolExecutor(len(instances)) as pool:
            return list(pool.map(self._status, instances))

    def deaths(self) -> list[str]:
        """One line for each service that has ended by itself: errors of the target that follow from it are no findings."""
        return [
            f"service {instance.service.name} {instance.exit_summary()}" for instance in self.instances if not instance.alive()
        ]

    def variables(self) -> dict[str, str]:
        """Variables of scripts that hold the services' addresses."""
        return {
            key: value
            for instance in self.instances
            for key, value in instance.service.variables(instance.access).items()
        }  # fmt: skip

    def aliases(self) -> dict[str, Endpoint]:
        """The address of each service by its role, which is the host name that scripts written for containers use."""
        return {each.service.role: next(iter(each.endpoints.values())) for each in self.instances}

    def accounts(self) -> dict[str, tuple[str, str]]:
        """The administrator and the password of each service that has accounts, by the service's role."""
        return {
            each.service.role: (each.service.administrator, each.access.password)
            for each in self.instances
            if each.service.administrator
        }

    def pause(self, name: str) -> None:
        """Stop the processes of a service (SIGSTOP) until `resume`."""
        instance = self.instance(name)
        instance.pause()
        self._paused.add(instance.service.name)

    def resume(self, name: str) -> None:
        """Let a paused service go on."""
        instance = self.instance(name)
        instance.resume()
        self._paused.discard(instance.service.name)

    def kill(self, name: str) -> None:
        """End a service by SIGKILL. `restart` starts it again on its data."""
        self.instance(name).kill()

    def restart(self, name: str) -> float:
        """Start a service again on its data, after SIGKILL if it runs; returns the seconds until it was ready."""
        instance = self.instance(name)
        instance.kill()
        self._paused.discard(instance.service.name)
        instance.start()
        return _await_ready(instance)

    # Up and down

    def _guard_directory(self) -> None:
        """Have a guard process remove the directory when this process is killed, even before a service runs."""
        if self._guard is None and scratch.is_mine(self.directory):
            self._guard = GuardedProcess(Command(("sleep", "infinity"), remove_when_orphaned=(self.directory,)))
            self._guard.start()

    def _bring_up(self, names: Sequence[str], tell: Tell) -> None:
        if not names:
            return
        with ThreadPoolExecutor(len(names)) as pool:
            started: dict[str, Future[None]] = {}
            for name in names:  # in order of need, so that what one waits for is always there
                needed = [started[need] for need in self._instances[name].service.needs if need in started]
                started[name] = pool.submit(self._start, name, needed, tell)
            wait(started.values())
        errors = [error for future in started.values() if (error := future.exception()) is not None]
        if errors:
            raise next((error for error in errors if not isinstance(error, _NeedFailedError)), errors[0])

    def _start(self, name: str, needed: Sequence[Future[None]], tell: Tell) -> None:
        instance, times = self._instances[name], self._times[name]
        began = time.monotonic()
        tell(name, "preparing")
        # The configuration needs only the addresses of other services, so that only the start waits for them.
        instance.prepare()
        self._write_client_file(instance)
        times.prepare_s = time.monotonic() - began
        for future in needed:
            if future.exception() is not None:
                raise _NeedFailedError(f"{name} was not started: what it needs is not there")
        tell(name, "starting")
        began = time.monotonic()
        instance.start()
        _await_ready(instance)
        instance.service.initialise(instance.access)
        times.ready_s = time.monotonic() - began
        tell(name, "ready")

    def _take_down(self, names: Sequence[str], tell: Tell) -> None:
        """Stop services, each before those that it needs, otherwise at the same time. A service that does not stop is killed."""
        left = list(names)
        while left:
            wave = [name for name in left if not any(name in self._instances[o].service.needs for o in left)]
            with ThreadPoolExecutor(len(wave)) as pool:
                list(pool.map(lambda name: self._end(name, tell), wave))
            left = [name for name in left if name not in wave]
        with self._lock:
            for name in names:
                del self._instances[name]
                del self._times[name]
        for name in names:
            shutil.rmtree(self.directory / name, ignore_errors=True)
            self._client_file(name).unlink(missing_ok=True)

    def _end(self, name: str, tell: Tell) -> None:
        instance = self._instances[name]
        try:
            instance.stop()
        except RacehoundError as error:
            tell(name, f"had to be killed: {error}")
            instance.kill()
        tell(name, "stopped")

    # Instances

    def _instance(self, request: ServiceRequest) -> Instance:
        service = find(request.name)
        if request.backend == "external":
            assert request.address is not None
            return ExternalInstance(service, {service.ports[0]: request.address})
        if request.backend == "docker":
            return DockerInstance(service, self.docker, credentials.draw(), self._client_file(service.name))
        directory = self.directory / service.name
        endpoints = {port: Endpoint("127.0.0.1", ports.free()) for port in service.ports}
        layout = ServiceLayout(
            directory=directory,
            log=self.directory / "logs" / f"{service.name}.log",
            access=Access(endpoints, credentials.draw(), self._client_file(service.name)),
            peers=_Peers(self),
            advertised={PROXIED: Endpoint("127.0.0.1", ports.free())} if PROXIED in service.ports else {},
        )
        layout.log.parent.mkdir(mode=0o700, exist_ok=True)
        return NativeInstance(service, layout, (directory, self.directory) if scratch.is_mine(self.directory) else (directory,))

    def _client_file(self, name: str) -> Path:
        return self.directory / "clients" / name

    def _write_client_file(self, instance: Instance) -> None:
        file, path = instance.service.client_file(instance.access), instance.access.client_file
        if file is not None and path is not None:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.unlink(missing_ok=True)
            credentials.write(path, file.text)

    def _check_roles(self, new: Sequence[ServiceRequest]) -> None:
        roles = {instance.service.role: instance.service.name for instance in self.instances}
        for request in new:
            service = find(request.name)
            other = roles.setdefault(service.role, service.name)
            if other != service.name:
                raise UserError(f"{other} and {service.name} are both {service.role}: a composition has one of them")

    def _status(self, instance: Instance) -> Status:
        health, remark = self._health(instance)
        times = self._times.get(instance.service.name, Times())
        return Status(
            name=instance.service.name,
            version=instance.service.version if instance.backend != "external" else "",
            backend=instance.backend,
            health=health,
            remark=remark,
            address=str(next(iter(instance.endpoints.values()))),
            memory_mib=round(instance.memory_mib(), 1),
            prepare_s=round(times.prepare_s, 2),
            ready_s=round(times.ready_s, 2),
            listens=tuple(instance.ports()),
            client_file=str(instance.access.client_file or "") if instance.service.administrator else "",
            connect=_connecting(instance),
        )

    def _health(self, instance: Instance) -> tuple[Health, str]:
        if not instance.alive():
            return "dead", instance.exit_summary()
        if instance.service.name in self._paused:
            return "paused", ""
        if not self._times[instance.service.name].ready_s:
            return "starting", ""
        try:
            instance.service.check(instance.access)
        except NotReadyError as error:
            return "not answering", str(error)
        return "healthy", ""


def _connecting(instance: Instance) -> str:
    file, path = instance.service.client_file(instance.access), instance.access.client_file
    return file.command.format(file=path) if file is not None and path is not None else ""


class _NeedFailedError(TargetError):
    """A service was not started because another one was not."""


class _Peers(Mapping[str, Endpoints]):
    """Endpoints of the other services of a composition, looked up at each access."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition

    def __getitem__(self, name: str) -> Endpoints:
        return self._composition.instance(name).endpoints

    def __iter__(self) -> Iterator[str]:
        return iter(instance.service.name for instance in self._composition.instances)

    def __len__(self) -> int:
        return len(self._composition.instances)


def with_needs(requests: Sequence[ServiceRequest]) -> list[ServiceRequest]:
    """These services and those that they need, in order: each after those that it needs.

    A service that only another one needs is run by the backend of that one. An external service needs no other service.
    """
    given = {each.name: each for each in requests}
    known: dict[str, ServiceRequest] = {}
    for name in reversed(in_order([each.name for each in requests if each.backend != "external"])):
        users = [each for each in known.values() if each.backend != "external" and name in find(each.name).needs]
        if name in given or users:
            known[name] = given.get(name) or ServiceRequest(name, users[0].backend)
    return [*reversed(known.values()), *(each for each in requests if each.name not in known)]


def _await_ready(instance: Instance) -> float:
    """Wait until a service answers correctly; returns the seconds. TargetError when it ends, or does not answer in time."""
    began = time.monotonic()
    limit_s = EXTERNAL_LIMIT_S if instance.backend == "external" else READY_LIMIT_S
    while True:
        try:
            instance.service.check(instance.access)
        except NotReadyError as error:
            if not instance.alive():
                last = next((line.strip() for line in reversed(instance.log(20)) if line.strip()), "it said nothing")
                raise TargetError(f"{instance.service.name} {instance.exit_summary()}: {last}") from None
            if time.monotonic() - began > limit_s:
                raise TargetError(f"{instance.service.name} is not ready after {limit_s:g} s: {error}") from None
            # There is no event for the moment in which another program's server is ready.
            time.sleep(_LOOK_S)
        else:
            return time.monotonic() - began
