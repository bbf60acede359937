"""How a run comes by a Materialize and by the services around it: the three ways, and who brings up what.

Called by the registry (`targets/registry.py`), as `_postgres` is there.
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
"""The service for each capability that kinds ask of services."""


def _nowhere(_: str) -> None:
    """Where news goes when nobody listens."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user says of the target."""

    url: str | None = None
    internal_url: str | None = None
    http_url: str | None = None
    internal_http_url: str | None = None
    log: Path | None = None
    """Where a server at an address logs, if that can be read here."""
    release: str | None = None
    """A tag of the image: then it runs in Docker."""
    composition: str = daemon_client.DEFAULT
    """The services that are up under this name are used, where racehound does not bring up its own."""
    services: ConnectedServices | None = None
    """Services at addresses that the user gave; then none is brought up."""
    kinds: tuple[str, ...] = ()
    """Names of the kinds that are asked for: only what they need is brought up; empty: all."""
    upsert_records: int = DEFAULT_RECORDS
    tell: Callable[[str], object] = _nowhere
    """Hears what is going on while services are brought up."""


def deployment(options: Options) -> Deployment:
    """Which of the three ways. UserError, with all three, where none is open."""
    if options.url:
        return "addresses"
    if options.release:
        return "docker"
    if not server.missing_programs():
        return "processes"
    if shutil.which("docker"):
        return "docker"
    raise UserError(f"no Materialize: no --url was given, docker and {' and '.join(server.PROGRAMS)} are not on the path. {WAYS}")


def require_docker(image: str) -> None:
    """UserError, with the three ways, when docker cannot run the image: before anything is started for it."""
    try:
        docker = docker_client.find()
        docker.check_compose()
        docker.check()
    except UserError as error:
        raise UserError(f"{error}. {WAYS}") from None
    if not docker.has_image(image):
        raise UserError(f"the image {image} is not there: docker pull {image}. {WAYS}")


def require_materialize(url: str) -> None:
    """TargetError when nobody answers there, UserError when it is something else."""
    with contextlib.closing(MaterializeSession.connect(url, "racehound")) as session:
        release_of(session)


def needed_services(names: Collection[str], kinds: Sequence[type[Kind]] = KINDS) -> list[str]:
    """The services that objects of these kinds need (of all that are drawn unless asked for, without names)."""
    wanted = {name.lower() for name in names}
    chosen = [kind for kind in kinds if (kind.__name__.lower() in wanted if wanted else kind.enabled)]
    required = {need for kind in chosen if issubclass(kind, MaterializeKind) for need in kind.requires}
    return [service for capability, service in _SERVICES.items() if capability in required]


@contextlib.contextmanager
def opened(options: Options, run_id: str, directory: Path, log_path: Path) -> Iterator[MaterializeTarget]:
    """Start the target and what it needs; on leaving, remove what the run made, and end what racehound started.

    `directory`: the run's scratch directory, where all that is started keeps its data.
    """
    chosen = deployment(options)
    image = f"{_IMAGE}:{options.release}" if options.release else server.IMAGE
    if chosen == "docker":
        require_docker(image)
    if chosen == "addresses":
        # Before anything is started for it.
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
    """Those that the user gave, those that are up under the name, or a composition of the run's own."""
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
        # The target's container belongs to the network of theirs.
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
    """Of services as processes those that are installed; the kinds that need the others are left out of the draw."""
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
