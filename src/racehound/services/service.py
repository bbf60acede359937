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
class Access:
    """What a client needs to use a running service."""

    endpoints: Endpoints
    password: str = ""
    """The password of the administrator. Services without accounts have none."""
    client_file: Path | None = None
    """The file with the password (`Service.client_file`), which only the user can read; None for an external service."""


@dataclasses.dataclass(frozen=True)
class ClientFile:
    """A file that gives the address or the password to a service's usual client, so that its command line has none."""

    text: str
    command: str
    """The command of the client; `{file}` stands for the file's path."""


@dataclasses.dataclass(frozen=True)
class ServiceLayout:
    """Directories and addresses for the native processes of a service."""

    directory: Path
    """The service writes only here. It is empty when `prepare` is called, and removed when the service is stopped."""
    log: Path
    """The file for the output of its processes."""
    access: Access
    peers: Mapping[str, Endpoints]
    """The addresses of the services in `Service.needs`, which are ready."""
    advertised: Mapping[str, Endpoint] = dataclasses.field(default_factory=dict)
    """Addresses of a fault proxy, by the name of the port: clients are told to connect there instead of to the endpoint."""

    @property
    def endpoints(self) -> Endpoints:
        """The addresses on which it listens: a free loopback port for each name in `Service.ports`."""
        return self.access.endpoints


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
    administrator: ClassVar[str] = ""
    """The name of the administrator; empty for services without accounts."""
    external_password: ClassVar[str] = ""
    """The password that the administrator must have in a service of the backend `external`."""

    @abc.abstractmethod
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts that native processes on this machine need."""

    def prepare(self, layout: ServiceLayout) -> None:  # noqa: B027 most have nothing to write
        """Write configuration and initial data into the layout's empty directory. TargetError when that fails."""

    @abc.abstractmethod
    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        """The commands of its processes, the server itself first. They also start it again on its data after a kill."""

    @abc.abstractmethod
    def check(self, access: Access) -> None:
        """Make a real request. NotReadyError when the answer is not that of a ready service. Takes two seconds at most."""

    def initialise(self, access: Access) -> None:  # noqa: B027 most need nothing
        """Create buckets, users and the like when it is ready for the first time. TargetError when that fails."""

    def variables(self, access: Access) -> Mapping[str, str]:  # noqa: ARG002 scripts do not use every service
        """Variables of scripts that hold its address and its password, e.g. `testdrive.kafka-addr`."""
        return {}

    def client_file(self, access: Access) -> ClientFile | None:  # noqa: ARG002 not every service has accounts
        """The file for its usual client; None for a service without accounts."""
        return None

    @abc.abstractmethod
    def container(self, password: str) -> Container:
        """The container for the backend `docker`. `password` is that of the administrator."""
