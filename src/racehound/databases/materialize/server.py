"""Materialize as a service: `environmentd` and its `clusterd` processes as native processes, or all in one container.

The options are those that Materialize's scripts and operator use. The output of `--help` shows which of them a release knows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path

from racehound.errors import TargetError, UserError
from racehound.services.artifacts.artifact import Artifact
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Access, Container, Endpoints, NotReadyError, Service, ServiceLayout
from racehound.wire.session import LibpqSession

INTERNAL = "internal"
HTTP = "http"
INTERNAL_HTTP = "internal-http"
IMAGE = "materialize/materialized:latest"
PROGRAMS = ("environmentd", "clusterd")
_ENVIRONMENT = "local-az1-00000000-0000-4000-8000-000000000000-0"
"""Cloud, region, organisation and number, in the format of `mz_environment_id()`."""
_STORES = {
    "persist-consensus-url": "consensus", "timestamp-oracle-url": "tsoracle", "storage-stash-url": "storage",
    "adapter-stash-url": "adapter",
}  # fmt: skip
"""The schema for each option with the address of a store. A release ignores the environment variables of other ones."""
_SIZE_MEMORY = "2GiB"
_SIZES = {
    size: {"workers": workers, "scale": 1, "cpu_limit": None, "memory_limit": _SIZE_MEMORY, "disk_limit": None,
           "credits_per_hour": str(workers), "disabled": False, "is_cc": False}
    for size, workers in (("1", 1), ("2", 2))
}  # fmt: skip
"""The sizes of replicas in native processes. They need few credits, since Materialize needs a licence from 24 credits on."""
_ANSWER_LIMIT_S = 2.0
_HELP_LIMIT_S = 30.0


class MaterializeService(Service):
    """The server itself needs no other service; only objects in it do."""

    name = "materialized"
    role = "materialized"
    version = "latest"
    summary = "Materialize, the database under test"
    ports = (CLIENT, INTERNAL, HTTP, INTERNAL_HTTP)

    def __init__(self, metadata: str = "", image: str = IMAGE) -> None:
        """`metadata`: the postgres:// URL, with the password, of the database in which native processes store their metadata."""
        self._metadata = metadata
        self._image = image

    def artifacts(self) -> tuple[Artifact, ...]:
        """There are none: the user builds the programs."""
        return ()

    def prepare(self, layout: ServiceLayout) -> None:
        for name in ("blob", "secrets", "scratch"):
            (layout.directory / name).mkdir()
        listeners = layout.directory / "listeners.json"
        listeners.write_text(json.dumps(_listeners(layout), indent=2), encoding="ascii")
        session = LibpqSession.connect(self._metadata)
        try:
            for schema in _STORES.values():
                outcome = session.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                if not outcome.ok:
                    raise TargetError(f"the metadata store: {outcome.error.message if outcome.error else outcome.status}")
        finally:
            session.close()

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        program = _program("environmentd")
        known = _help(program)
        directory = layout.directory
        options = {
            "orchestrator": "process",
            "orchestrator-process-secrets-directory": str(directory / "secrets"),
            "orchestrator-process-scratch-directory": str(directory / "scratch"),
            "secrets-controller": "local-file",
            "environment-id": _ENVIRONMENT,
            "bootstrap-role": "materialize",
            "cluster-replica-sizes": json.dumps(_SIZES),
            "bootstrap-default-cluster-replica-size": "1",
            "bootstrap-builtin-system-cluster-replica-size": "1",
            "bootstrap-builtin-catalog-server-cluster-replica-size": "1",
            "bootstrap-builtin-probe-cluster-replica-size": "1",
            "bootstrap-builtin-support-cluster-replica-size": "1",
            "bootstrap-builtin-analytics-cluster-replica-size": "1",
            "persist-blob-url": f"file://{directory / 'blob'}",
            "system-parameter-default": "default_cluster_replication_factor=2",
            **_addresses(layout, known),
        }
        flags = [name for name in ("unsafe-mode", "all-features") if f"--{name}" in known]
        argv = [program, *(f"--{name}" for name in flags)]
        argv += [f"--{name}={value}" for name, value in options.items() if f"--{name}" in known]
        # Every user can see a command line, but nobody else's environment.
        stores = {f"MZ_{name.upper().replace('-', '_')}": self._store(schema) for name, schema in _STORES.items()}
        return (Command(tuple(argv), env={**os.environ, **stores}, log=layout.log, grace=10.0),)

    def check(self, access: Access) -> None:
        try:
            session = LibpqSession.connect(url(access.endpoints, CLIENT, "materialize"), timeout=_ANSWER_LIMIT_S)
        except TargetError as error:
            raise NotReadyError(str(error)) from None
        try:
            outcome = session.execute("SELECT mz_version()")
        finally:
            session.close()
        if not outcome.ok:
            raise NotReadyError(outcome.error.message if outcome.error else outcome.status)

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return Container(
            image=self._image,
            ports={CLIENT: 6875, INTERNAL: 6877, HTTP: 6876, INTERNAL_HTTP: 6878},
            environment={
                "MZ_SYSTEM_PARAMETER_DEFAULT": "default_cluster_replication_factor=2",
                "MZ_TELEMETRY_INTERVAL": "0",
            },
            command=("--unsafe-mode",),
            volumes=("/mzdata",),
        )

    def _store(self, schema: str) -> str:
        separator = "&" if "?" in self._metadata else "?"
        return f"{self._metadata}{separator}options={urllib.parse.quote(f'--search_path={schema}')}"


def url(endpoints: Endpoints, port: str, user: str) -> str:
    """The URL of one of the SQL ports."""
    return f"postgres://{user}@{endpoints[port]}/materialize?sslmode=disable"


def missing_programs() -> list[str]:
    """The programs of Materialize that are not on the path."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def metadata_store(directory: Path, log: Path) -> EmbeddedServer:
    """An embedded PostgreSQL for the metadata, which the caller starts and stops."""
    return EmbeddedServer(releases.find(None), directory, log, {"max_connections": "500"}, durable=False)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(f"{name} is not on the path")
    return found


def _help(program: str) -> str:
    """The output of a program's `--help`."""
    try:
        done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=_HELP_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{program} --help: {error}") from None
    return done.stdout + done.stderr


def _addresses(layout: ServiceLayout, known: str) -> dict[str, str]:
    """The options for the listening addresses: a file since v0.147, separate options before."""
    if "--listeners-config-path" in known:
        return {"listeners-config-path": str(layout.directory / "listeners.json")}
    names = {CLIENT: "sql", INTERNAL: "internal-sql", HTTP: "http", INTERNAL_HTTP: "internal-http"}
    return {f"{name}-listen-addr": str(layout.endpoints[port]) for port, name in names.items()}


def _listeners(layout: ServiceLayout) -> dict[str, object]:
    def sql(port: str, roles: str) -> dict[str, object]:
        return {"addr": f"{LOOPBACK}:{layout.endpoints[port].port}", "authenticator_kind": "None", "allowed_roles": roles,
                "enable_tls": False}  # fmt: skip

    def http(port: str, roles: str, *, internal: bool) -> dict[str, object]:
        routes = {"base": True, "webhook": True, "internal": internal, "metrics": internal, "profiling": internal}
        return {**sql(port, roles), "routes": routes}

    return {
        "sql": {"external": sql(CLIENT, "Normal"), "internal": sql(INTERNAL, "NormalAndInternal")},
        "http": {
            "external": http(HTTP, "Normal", internal=False),
            "internal": http(INTERNAL_HTTP, "NormalAndInternal", internal=True),
        },
    }
