"""Service: a real server that the target or a kind needs, as plain facts and a few functions; who runs it is a backend's affair.

A service says what its program comes in, how it is configured, what it takes to be ready and what others call it by. It holds no
state: a running one is an `Instance` (`backends/`), and all of a run together are a `Composition`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from racehound.errors import TargetError
from racehound.services.artifacts.artifact import Artifact
from racehound.services.process import Command

LOOPBACK = "127.0.0.1"
"""Where everything listens: nothing of racehound's is reached from another machine."""
CLIENT = "client"
"""Name of the port that clients connect to."""
PROXIED = "proxied"
"""Name of the port that advertises the fault proxy's own address, of services that tell clients where to connect (Kafka)."""


class NotReadyError(TargetError):
    """A service does not answer as a ready one does; says in one line what it did instead."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Endpoints = Mapping[str, Endpoint]
"""By the name of the port, `client` first of all."""


@dataclasses.dataclass(frozen=True)
class Site:
    """What a service is given to run native processes with."""

    directory: Path
    """The service's own, empty when `prepare` is called; all that it writes goes there. Gone after the end."""
    endpoints: Endpoints
    """Where it shall listen: one free loopback port for each name in `Service.ports`."""
    log: Path
    """Where the output of its processes goes."""
    peers: Mapping[str, Endpoints]
    """Those of the services in `Service.needs`, which are ready."""
    advertised: Mapping[str, Endpoint] = dataclasses.field(default_factory=dict)
    """Where clients are to be told to connect, by port, where that is not the port's own endpoint: a fault proxy's address."""


@dataclasses.dataclass(frozen=True)
class Container:
    """The same service as a container."""

    image: str
    ports: Mapping[str, int]
    """Port inside the container for each name in `Service.ports` that it has."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """`{host_port:NAME}` in a value stands for the loopback port of the host that leads to that port."""
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    """Paths inside the container that hold data: anonymous volumes, removed with it."""
    inside: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Where other containers connect instead, by the name of the port: Kafka tells each side an address of its own."""
    needs: tuple[str, ...] = ()
    """Roles that must be filled by containers of the same composition, besides `Service.needs`."""


class Service(abc.ABC):
    """One sort of server in one version. Instances are stateless and equal."""

    name: ClassVar[str]
    """As users write it, e.g. `schema-registry`."""
    role: ClassVar[str]
    """What it is to clients: two services of a role (Kafka on ZooKeeper, Kafka by KRaft) are not in a composition together."""
    version: ClassVar[str]
    summary: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of services that must be ready before it starts."""
    ports: ClassVar[tuple[str, ...]] = (CLIENT,)

    @abc.abstractmethod
    def artifacts(self) -> tuple[Artifact, ...]:
        """What its program comes in for native processes, on this machine."""

    def prepare(self, site: Site) -> None:  # noqa: B027 most have nothing to write
        """Write configuration and initial data into the site's empty directory. TargetError when that fails."""

    @abc.abstractmethod
    def commands(self, site: Site) -> tuple[Command, ...]:
        """Its processes, the server itself first; the same ones start it again, on its data, after a kill."""

    @abc.abstractmethod
    def check(self, endpoints: Endpoints) -> None:
        """Make a real request; NotReadyError when it is not answered as it should be. Takes a second or two at most."""

    def initialise(self, endpoints: Endpoints) -> None:  # noqa: B027 most need nothing
        """What is done once when it has become ready for the first time: buckets, users. TargetError when that fails."""

    def variables(self, endpoints: Endpoints) -> Mapping[str, str]:  # noqa: ARG002 some are not for scripts
        """Variables that scripts find it by, e.g. `testdrive.kafka-addr`."""
        return {}

    @abc.abstractmethod
    def container(self) -> Container:
        """It as a container, for `docker`."""
