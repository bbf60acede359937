"""Service: what racehound knows of a real server that the target or a kind needs. A backend runs it.

A service says which artifacts have its program, how it is configured, when it is ready and which variables have its address. It
has no state: a running service is an `Instance` (`backends/`), and the instances of a run form a `Composition`.
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
"""All services listen on this address, so that no other machine reaches them."""
CLIENT = "client"
"""Name of the port that clients connect to."""
PROXIED = "proxied"
"""Name of the port that advertises the fault proxy's address, for services that tell clients where to connect (Kafka)."""


class NotReadyError(TargetError):
    """A service does not give the answer of a ready one. The message says in one line what it did instead."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """The address of a server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Endpoints = Mapping[str, Endpoint]
"""By the name of the port; `client` comes first."""


@dataclasses.dataclass(frozen=True)
class ServiceLayout:
    """Directories and addresses for the native processes of a service."""

    directory: Path
    """The service writes only here. It is empty when `prepare` is called, and removed when the service is stopped."""
    endpoints: Endpoints
    """The addresses on which it listens: a free loopback port for each name in `Service.ports`."""
    log: Path
    """The file for the output of its processes."""
    peers: Mapping[str, Endpoints]
    """The addresses of the services in `Service.needs`, which are ready."""
    advertised: Mapping[str, Endpoint] = dataclasses.field(default_factory=dict)
    """Addresses of a fault proxy, by the name of the port: clients are told to connect there instead of to the endpoint."""


@dataclasses.dataclass(frozen=True)
class Container:
    """The container that runs a service."""

    image: str
    ports: Mapping[str, int]
    """Port inside the container for each name in `Service.ports` that it has."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """`{host_port:NAME}` in a value stands for the loopback port of the host that leads to that port."""
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    """Paths inside the container that hold data: anonymous volumes, removed with it."""
    inside: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Ports for other containers, by the name of the port, where they differ: Kafka advertises an address for each side."""
    needs: tuple[str, ...] = ()
    """Roles of further services that must be containers of the same composition, besides `Service.needs`."""


class Service(abc.ABC):
    """One server in one version. Objects of a class have no state and are equal."""

    name: ClassVar[str]
    """As users write it, e.g. `schema-registry`."""
    role: ClassVar[str]
    """Its role for clients. A composition has at most one service of each role (Kafka on ZooKeeper, or Kafka by KRaft)."""
    version: ClassVar[str]
    summary: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of services that must be ready before it starts."""
    ports: ClassVar[tuple[str, ...]] = (CLIENT,)

    @abc.abstractmethod
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts that native processes on this machine need."""

    def prepare(self, layout: ServiceLayout) -> None:  # noqa: B027 most have nothing to write
        """Write configuration and initial data into the layout's empty directory. TargetError when that fails."""

    @abc.abstractmethod
    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        """The commands of its processes, the server itself first. They also start it again on its data after a kill."""

    @abc.abstractmethod
    def check(self, endpoints: Endpoints) -> None:
        """Make a real request. NotReadyError when the answer is not that of a ready service. Takes two seconds at most."""

    def initialise(self, endpoints: Endpoints) -> None:  # noqa: B027 most need nothing
        """Create buckets, users and the like when it is ready for the first time. TargetError when that fails."""

    def variables(self, endpoints: Endpoints) -> Mapping[str, str]:  # noqa: ARG002 scripts do not use every service
        """Variables of scripts that hold its address, e.g. `testdrive.kafka-addr`."""
        return {}

    @abc.abstractmethod
    def container(self) -> Container:
        """The container for the backend `docker`."""
