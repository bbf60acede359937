"""Starts or connects to Materialize and its services for a run.

Materialize can be at an address, in Docker, or run as processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from racehound.databases.materialize import server
from racehound.databases.materialize.connected_services import ConnectedServices, ServiceFaults, from_composition, from_variables
from racehound.databases.materialize.kinds import KINDS, MaterializeKind
from racehound.databases.materialize.server_location import (
    WAYS,
    Addresses,
    DockerServerLocation,
    ProcessServerLocation,
    RemoteServerLocation,
    ServerLocation,
)
from racehound.databases.materialize.session import MaterializeSession
from racehound.databases.materialize.settings import release_of
from racehound.databases.materialize.target import DEFAULT_RECORDS, MaterializeTarget
from racehound.errors import UserError
from racehound.kinds.kind import Kind
from racehound.services import composition_daemon, daemon_client, installation
from racehound.services.backends import docker_client
from racehound.services.backends.docker_project import DockerProject
from racehound.services.backends.instance import BackendName
from racehound.services.composition import Composition, ServiceRequest
from racehound.services.fault_injection import FaultInjector

Deployment = Literal["addresses", "docker", "processes"]
_IMAGE = server.IMAGE.partition(":")[0]
_SERVICES = {"kafka": "kafka", "schema-registry": "schema-registry", "postgres": "postgres", "mysql": "mysql", "s3": "seaweedfs"}
"""The service that provides each capability that kinds require of services."""


def _ignore(_: str) -> None:
    """The default for `Options.tell`."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The user's options for the target."""

    url: str | None = None
    internal_url: str | None = None
    http_url: str | None = None
    internal_http_url: str | None = None
    log: Path | None = None
    """The log file of a server at an address, if this machine can read it."""
    release: str | None = None
    """A tag of the image, for Docker."""
    composition: str = daemon_client.DEFAULT
    """The name of a running composition, whose services are used if there is one. Otherwise racehound starts services itself."""
    services: ConnectedServices | None = None
    """Services at addresses that the user gave. Then racehound starts none."""
    kinds: tuple[str, ...] = ()
    """Names of the kinds that may be drawn, whose services are started; empty: all."""
    upsert_records: int = DEFAULT_RECORDS
    tell: Callable[[str], object] = _ignore
    """Called with a line of text while services are started."""


def deployment(options: Options) -> Deployment:
    """How the run gets its Materialize. UserError, with the three possibilities, if none is available."""
    if options.url:
        return "addresses"
    if options.release:
        return "docker"
    if not server.missing_programs():
        return "processes"
    if shutil.which("docker"):
        return "docker"
    raise UserError(
        f"no Materialize: there is no --url, and docker and {' and '.join(server.PROGRAMS)} are not on the path. {WAYS}"
    )


def require_docker(image: str) -> None:
    """UserError, with the three possibilities, when docker cannot run the image."""
    try:
        docker = docker_client.find()
        docker.check_compose()
        docker.check()
    except UserError as error:
        raise UserError(f"{error}. {WAYS}") from None
    if not docker.has_image(image):
        raise UserError(f"the image {image} is missing: docker pull {image}. {WAYS}")


def require_materialize(url: str) -> None:
    """TargetError when no server answers at the URL, UserError when the server is not Materialize."""
    with contextlib.closing(MaterializeSession.connect(url, "racehound")) as session:
        release_of(session)


def needed_services(names: Collection[str], kinds: Sequence[type[Kind]] = KINDS) -> list[str]:
    """The services that objects of the named kinds need; without names, those of all kinds that are enabled."""
    wanted = {name.lower() for name in names}
    chosen = [kind for kind in kinds if (kind.__name__.lower() in wanted if wanted else kind.enabled)]
    required = {need for kind in chosen if issubclass(kind, MaterializeKind) for need in kind.requires}
    return [service for capability, service in _SERVICES.items() if capability in required]


@contextlib.contextmanager
def opened(options: Options, run_id: str, directory: Path, log_path: Path) -> Iterator[MaterializeTarget]:
    """Start the target and its services. On exit, remove the run's objects, and stop everything that racehound started.

    `directory`: the run's scratch directory, for the data of everything that is started.
    """
    chosen = deployment(options)
    image = f"{_IMAGE}:{options.release}" if options.release else server.IMAGE
    if chosen == "docker":
        require_docker(image)
    if chosen == "addresses":
        # The address is checked before any service is started.
        require_materialize(_addresses(options).sql)
    with contextlib.ExitStack() as stack:
        connected, project, service_faults = stack.enter_context(_services(options, chosen, directory))
        location = _location(options, chosen, project, image, directory, log_path)
        target = MaterializeTarget(location, connected, run_id, records=options.upsert_records, service_faults=service_faults)
        stack.callback(target.stop)
        target.start()
        yield target


@contextlib.contextmanager
def _services(
    options: Options, chosen: Deployment, directory: Path
) -> Iterator[tuple[ConnectedServices, DockerProject, ServiceFaults]]:
    """The services at the user's addresses, those of a running composition, or those of a new composition for this run."""
    project = DockerProject(directory.name, directory)
    if options.services is not None:
        yield options.services, project, ServiceFaults()
        return
    running = daemon_client.running(options.composition) if chosen != "docker" else None
    if running is not None:
        yield from_variables(running.variables), project, _faults_of_running(running)
        return
    composition = Composition(directory.name, directory / "services")
    composition.directory.mkdir(exist_ok=True)
    backend: BackendName = "docker" if chosen == "docker" else "process"
    wanted = _installed(needed_services(options.kinds), backend, options.tell)
    try:
        composition.up([ServiceRequest(name, backend) for name in wanted], lambda name, what: options.tell(f"{name}: {what}"))
        # A target in a container joins the network of the services' containers.
        connected = from_composition(composition, in_container=chosen == "docker")
        yield connected, composition.docker, _faults_of_own(composition)
    finally:
        composition.down(lambda _name, _what: None)


def _faults_of_running(running: daemon_client.RunningComposition) -> ServiceFaults:
    def inject(service: str, word: str) -> object:
        return daemon_client.ask(running.name, composition_daemon.InjectFault(service, word))

    return ServiceFaults(tuple(running.hosts), inject)


def _faults_of_own(composition: Composition) -> ServiceFaults:
    injector = FaultInjector(composition)
    return ServiceFaults(tuple(composition.aliases()), lambda service, word: injector.inject(service, word, ""))


def _installed(names: list[str], backend: BackendName, tell: Callable[[str], object]) -> list[str]:
    """The installed services among those that are to run as processes. Kinds that need the others are not drawn."""
    if backend == "docker":
        return names
    lacking = {service for each in installation.missing(names) for service in each.services}
    for name in names:
        if name in lacking:
            tell(f"{name} is not installed: kinds that need it are left out (racehound services install {name})")
    return [name for name in names if name not in lacking]


def _addresses(options: Options) -> Addresses:
    assert options.url is not None
    return Addresses.given(options.url, options.internal_url, options.http_url, options.internal_http_url)


def _location(
    options: Options, chosen: Deployment, project: DockerProject, image: str, directory: Path, log_path: Path
) -> ServerLocation:
    if chosen == "addresses":
        return RemoteServerLocation(_addresses(options), options.log)
    if chosen == "docker":
        return DockerServerLocation(project, image)
    return ProcessServerLocation(directory, log_path)
