"""The location of Materialize: at addresses that the user gave, or in processes or a container that racehound starts."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict

from racehound.databases.materialize import server
from racehound.databases.materialize.log import FileLog, LogReader
from racehound.databases.materialize.server import HTTP, INTERNAL, INTERNAL_HTTP, MaterializeService
from racehound.databases.materialize.session import MaterializeSession
from racehound.errors import TargetError, UserError
from racehound.services import ports, scratch
from racehound.services.backends.docker import DockerInstance
from racehound.services.backends.docker_project import DockerProject
from racehound.services.backends.instance import Instance
from racehound.services.backends.native import NativeInstance
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.service import CLIENT, LOOPBACK, Access, Endpoint, Endpoints, NotReadyError, ServiceLayout

WAYS = (
    "Materialize can be reached in three ways: at an address (--url postgres://materialize@HOST:6875/materialize), in Docker "
    "(--release TAG, with the command docker and an engine), or as the programs environmentd and clusterd on the path"
)
_READY_LIMIT_S = 180.0
_ALIVE_LIMIT_S = 30.0
_LOOK_S = 0.1
_PORTS = {"internal": 6877, "http": 6876, "internal_http": 6878}


@dataclasses.dataclass(frozen=True)
class Addresses:
    """The addresses of the four ports. Those of the HTTP ports are `http://HOST:PORT`, or None if they are not used."""

    sql: str
    internal: str
    http: str | None
    internal_http: str | None

    @classmethod
    def given(cls, sql: str, internal: str | None = None, http: str | None = None, internal_http: str | None = None) -> Addresses:
        """The addresses that the user gave, and the default ports of the same host for the others. UserError for a bad URL."""
        try:
            parts = conninfo_to_dict(sql)
        except psycopg.Error as error:
            raise UserError(f"--url: not a connection string: {' '.join(str(error).split())}") from None
        host = str(parts.get("host") or LOOPBACK)
        return cls(
            sql,
            internal or f"postgres://mz_system@{host}:{_PORTS['internal']}/materialize",
            (http or f"http://{host}:{_PORTS['http']}").rstrip("/"),
            (internal_http or f"http://{host}:{_PORTS['internal_http']}").rstrip("/"),
        )

    @classmethod
    def of(cls, endpoints: Endpoints) -> Addresses:
        """The addresses of a server that racehound starts."""
        return cls(
            server.url(endpoints, CLIENT, "materialize"),
            server.url(endpoints, INTERNAL, "mz_system"),
            f"http://{endpoints[HTTP]}",
            f"http://{endpoints[INTERNAL_HTTP]}",
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords in the addresses."""
        found = (conninfo_to_dict(address).get("password") for address in (self.sql, self.internal))
        return tuple(dict.fromkeys(str(password) for password in found if password))


class ServerLocation(Protocol):
    """What the target needs to know of its server, and can do with it."""

    owned: bool

    @property
    def addresses(self) -> Addresses: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def renew(self) -> None:
        """Replace the server by an empty one. TargetError when racehound did not start it."""

    def alive(self) -> bool:
        """Whether it answers. Waits for the end of a restart."""

    def new_log_lines(self) -> list[str]: ...

    def log_around(self) -> list[str]: ...


class RemoteServerLocation:
    """A server at addresses that the user gave. The run changes only the objects that it creates, and settings."""

    owned = False

    def __init__(self, addresses: Addresses, log: Path | None = None) -> None:
        """`log`: the server's log file, if this machine can read it."""
        self.addresses = addresses
        self._log = LogReader(FileLog(log) if log else _no_log)

    def start(self) -> None:
        MaterializeSession.connect(self.addresses.sql, "racehound").close()

    def stop(self) -> None:
        """Do nothing: racehound did not start it."""

    def renew(self) -> None:
        raise TargetError("a server that racehound did not start is not restarted")

    def alive(self) -> bool:
        return _answers(self.addresses.sql)

    def new_log_lines(self) -> list[str]:
        return self._log.new_lines()

    def log_around(self) -> list[str]:
        return self._log.around()


def _no_log() -> str:
    """Read nothing, since there is no log file."""
    return ""


class OwnServerLocation:
    """A server that racehound starts, as an instance of a backend. Its data are removed when it stops."""

    owned = True

    def __init__(self, instance: Instance, log: LogReader) -> None:
        self._instance = instance
        self._log = log
        self._prepared = False

    @property
    def addresses(self) -> Addresses:
        return Addresses.of(self._instance.endpoints)

    def start(self) -> None:
        """TargetError when it ends instead of answering, or does not answer in time."""
        if not self._prepared:
            self._instance.prepare()
            self._prepared = True
        self._instance.start()
        deadline = time.monotonic() + _READY_LIMIT_S
        while True:
            try:
                self._instance.service.check(self._instance.access)
            except NotReadyError as error:
                if not self._instance.alive():
                    last = next(iter(reversed(self._instance.log(5))), "its log is empty")
                    raise TargetError(f"Materialize {self._instance.exit_summary()}: {last}") from None
                if time.monotonic() > deadline:
                    raise TargetError(f"Materialize is not ready after {_READY_LIMIT_S:g} s: {error}") from None
                # There is no event for the moment in which it is ready.
                time.sleep(_LOOK_S)
            else:
                return

    def stop(self) -> None:
        self._instance.stop()

    def renew(self) -> None:
        self.clear()
        self.start()

    def clear(self) -> None:
        """Stop it and remove its data."""
        self._instance.stop()
        self._prepared = False

    def alive(self) -> bool:
        return self._instance.alive() and _answers(self.addresses.sql)

    def new_log_lines(self) -> list[str]:
        lines = self._log.new_lines()
        return lines if self._instance.alive() else [*lines, f"process Materialize exited: {self._instance.exit_summary()}"]

    def log_around(self) -> list[str]:
        return self._log.around()


class ProcessServerLocation(OwnServerLocation):
    """`environmentd`, which starts its `clusterd` processes, with an embedded PostgreSQL for its metadata."""

    def __init__(self, directory: Path, log: Path) -> None:
        """UserError, with the three possibilities, when a program is not on the path."""
        lacking = server.missing_programs()
        if lacking:
            raise UserError(f"{' and '.join(lacking)} not found. {WAYS}")
        self._directory = directory
        self._store: EmbeddedServer = server.metadata_store(directory, log.with_name(f"{log.stem}-metadata.log"))
        self._layout = ServiceLayout(
            directory=directory / MaterializeService.name,
            log=log,
            access=Access({port: Endpoint(LOOPBACK, ports.free()) for port in MaterializeService.ports}),
            peers={},
        )
        super().__init__(self._make_instance(), LogReader(FileLog(log)))

    def start(self) -> None:
        self._store.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._store.stop()

    def clear(self) -> None:
        super().clear()
        shutil.rmtree(self._layout.directory, ignore_errors=True)
        self._store.recreate()

    def _make_instance(self) -> Instance:
        removable = (self._directory,) if scratch.is_mine(self._directory) else (self._layout.directory,)
        return NativeInstance(MaterializeService(self._store.url_with_password()), self._layout, removable)


class DockerServerLocation(OwnServerLocation):
    """A container in the network of the services' containers."""

    def __init__(self, project: DockerProject, image: str = server.IMAGE) -> None:
        instance = DockerInstance(MaterializeService(image=image), project)
        super().__init__(instance, LogReader(_DockerLog(instance)))


class _DockerLog:
    """Returns what a container has logged since the last call. It finds the new lines among the last ones that docker returns."""

    def __init__(self, instance: DockerInstance, lines: int = 2000) -> None:
        self._instance = instance
        self._lines = lines
        self._last: list[str] = []

    def __call__(self) -> str:
        now = self._instance.log(self._lines)
        fresh = now[_overlap(self._last, now) :]
        self._last = now
        return "".join(f"{line}\n" for line in fresh)


def _overlap(before: list[str], now: list[str]) -> int:
    """The number of lines at the beginning of `now` that are the end of `before`."""
    for shift in range(len(before)):
        if before[shift:] == now[: len(before) - shift]:
            return len(before) - shift
    return 0


def _answers(url: str) -> bool:
    """Whether the server answers a query within the time that a restart may take."""
    deadline = time.monotonic() + _ALIVE_LIMIT_S
    while time.monotonic() < deadline:
        try:
            session = MaterializeSession.connect(url, "racehound", limit_s=5.0)
        except TargetError:
            # The server may be restarting, and there is no event for the end of that.
            time.sleep(_LOOK_S)
            continue
        try:
            session.ask("SELECT 1")
        except TargetError:
            continue
        else:
            return True
        finally:
            session.close()
    return False
