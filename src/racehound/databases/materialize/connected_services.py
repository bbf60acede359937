"""The services that Materialize's sources and sinks connect to: their addresses for racehound, and those for the target.

These addresses differ for containers: racehound uses a published port of this machine, and the target a name in the network of
the containers.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Callable, Mapping

from racehound.data.addresses import S3Account, ServiceAddresses
from racehound.services.composition import Composition
from racehound.services.kafka_containers import INSIDE_PORT
from racehound.services.service import CLIENT, Endpoint

MYSQL_PASSWORD = "arg.mysql-root-password"  # noqa: S105 the variable's name
_POSTGRES = "racehound.postgres-url"
_POSTGRES_PASSWORD = "racehound.postgres-password"  # noqa: S105 the variable's name
_MYSQL = "racehound.mysql-url"
_KAFKA = "testdrive.kafka-addr"
_REGISTRY = "testdrive.schema-registry-url"
_AWS = "testdrive.aws-"


@dataclasses.dataclass(frozen=True)
class ConnectedServices:
    """The addresses for racehound; None for a missing service. The fields `…_inside` are for the target, if those differ."""

    kafka: str | None = None
    """`HOST:PORT[,…]`."""
    kafka_inside: str | None = None
    registry: str | None = None
    """`http://HOST:PORT`."""
    registry_inside: str | None = None
    postgres: str | None = None
    """The postgres:// URL of a superuser, with the database that sources read."""
    postgres_inside: Endpoint | None = None
    postgres_password: str = "postgres"  # noqa: S105 of a server that racehound does not start
    """The superuser's password, which the URL need not have. An external PostgreSQL has this one by default."""
    mysql: str | None = None
    """`mysql://USER@HOST:PORT`."""
    mysql_inside: Endpoint | None = None
    mysql_password: str = ""
    mysql_database: str = "public"
    """The database that sources read."""
    s3: S3Account | None = None
    s3_inside: str | None = None
    """`http://HOST:PORT`."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the services provide, by the names that kinds use."""
        present = {
            "kafka": self.kafka, "schema-registry": self.registry, "postgres": self.postgres, "mysql": self.mysql, "s3": self.s3,
        }  # fmt: skip
        return frozenset(name for name, address in present.items() if address)

    def variables(self) -> dict[str, str]:
        """The variables of fragments with the addresses. Those of testdrive are used in SQL: they hold the target's addresses."""
        # Secrets are made with the password also where there is no PostgreSQL.
        found = {_POSTGRES_PASSWORD: self.postgres_password}
        if self.kafka:
            found |= dict.fromkeys((_KAFKA, f"{_KAFKA}-resolved"), self.kafka_inside or self.kafka)
        if self.registry:
            found[_REGISTRY] = self.registry_inside or self.registry
        if self.postgres:
            found |= {_POSTGRES: self.postgres, "racehound.postgres-database": _database(self.postgres)}
            found |= _endpoint("racehound.postgres", self.postgres_inside or _address(self.postgres, 5432))
        if self.mysql:
            found |= {_MYSQL: self.mysql, MYSQL_PASSWORD: self.mysql_password, "racehound.mysql-database": self.mysql_database}
            found |= _endpoint("racehound.mysql", self.mysql_inside or _address(self.mysql, 3306))
        if self.s3:
            seen = dataclasses.replace(self.s3, endpoint=self.s3_inside or self.s3.endpoint)
            found |= {f"{_AWS}{field.replace('_', '-')}": word for field, word in dataclasses.asdict(seen).items()}
        return found

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, which must not be in a history or a report, except a PostgreSQL's that is no secret: `postgres`."""
        known = (self.postgres_password, self.mysql_password, self.s3.secret_access_key if self.s3 else "")
        return tuple(password for password in known if password not in ("", ConnectedServices.postgres_password))

    def services(self, http: str | None, internal_http: str | None) -> ServiceAddresses:
        """The addresses for testdrive actions. `http` and `internal_http` are those of the target."""
        return ServiceAddresses(
            kafka=self.kafka, schema_registry=self.registry, aws=self.s3, http=http, internal_http=internal_http
        )

    def in_database(self, name: str) -> ConnectedServices:
        """The same addresses, with another database of PostgreSQL and MySQL for the sources."""
        postgres = self.postgres and urllib.parse.urlsplit(self.postgres)._replace(path=f"/{name}").geturl()
        return dataclasses.replace(self, postgres=postgres, mysql_database=name)


@dataclasses.dataclass(frozen=True)
class ServiceFaults:
    """Injects faults into the services that racehound runs."""

    services: tuple[str, ...] = ()
    """The roles of these services."""
    inject: Callable[[str, str], object] = lambda _service, _word: None
    """Takes a role and a word that `services.fault_injection` knows. UserError or TargetError when it cannot be done."""


def from_variables(known: Mapping[str, str]) -> ConnectedServices:
    """The services whose addresses variables of a composition hold, for a target that uses the same addresses as racehound."""
    return ConnectedServices(
        kafka=known.get(_KAFKA),
        registry=(known.get(_REGISTRY) or "").rstrip("/") or None,
        postgres=known.get(_POSTGRES),
        postgres_password=known.get(_POSTGRES_PASSWORD, ConnectedServices.postgres_password),
        mysql=known.get(_MYSQL),
        mysql_password=known.get(MYSQL_PASSWORD, ""),
        s3=_account(known),
    )


def from_composition(composition: Composition, *, in_container: bool) -> ConnectedServices:
    """The services of a composition of this process. `in_container`: the target is in the network of their containers."""
    found = from_variables(composition.variables())
    if not in_container:
        return found
    inside = {each.service.role: each.target_endpoints for each in composition.instances if each.backend == "docker"}
    kafka = next((each.service.name for each in composition.instances if each.service.role == "kafka"), "kafka")
    return dataclasses.replace(
        found,
        kafka_inside=f"{kafka}:{INSIDE_PORT}" if "kafka" in inside else None,
        registry_inside=f"http://{inside['schema-registry'][CLIENT]}" if "schema-registry" in inside else None,
        postgres_inside=inside["postgres"][CLIENT] if "postgres" in inside else None,
        mysql_inside=inside["mysql"][CLIENT] if "mysql" in inside else None,
        s3_inside=f"http://{inside['s3'][CLIENT]}" if "s3" in inside else None,
    )


def _account(known: Mapping[str, str]) -> S3Account | None:
    given = {field.name: known.get(f"{_AWS}{field.name.replace('_', '-')}", "") for field in dataclasses.fields(S3Account)}
    return S3Account(**given) if given["endpoint"] else None


def _address(url: str, default_port: int) -> Endpoint:
    parts = urllib.parse.urlsplit(url)
    return Endpoint(parts.hostname or "127.0.0.1", parts.port or default_port)


def _database(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.removeprefix("/")) or "postgres"


def _endpoint(prefix: str, endpoint: Endpoint) -> dict[str, str]:
    return {f"{prefix}-host": endpoint.host, f"{prefix}-port": str(endpoint.port)}
