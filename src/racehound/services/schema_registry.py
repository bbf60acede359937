"""A schema registry with Confluent's API: Apicurio's, with a reverse proxy (`registry_proxy.py`) that moves the API to the root.

It stores its data in a file with H2, which writes each change before it answers. Therefore a kill loses nothing.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping

from racehound.services import java, registry_proxy
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.maven import MavenArchive
from racehound.services.kafka_containers import INSIDE_PORT
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Access, Container, Endpoints, NotReadyError, Service, ServiceLayout

_ARCHIVE = MavenArchive("apicurio-registry-3.3.3", "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all")
_SERVER = "server"
_MANAGEMENT = "management"
_HEAP_MIB = 256
_ANSWER_LIMIT_S = 2.0
_SETTINGS = {
    "QUARKUS_HTTP_HOST": LOOPBACK,
    # The default is port 9000 of all interfaces.
    "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
    "QUARKUS_LOG_LEVEL": "WARN",
    "APICURIO_LOG_LEVEL": "WARN",
    "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
    # This is Confluent's default. Apicurio's is NONE.
    "APICURIO_RULES_GLOBAL_COMPATIBILITY": "BACKWARD",
}


class SchemaRegistryService(Service):
    """As a native process it is Apicurio's. In a container it is Confluent's, which stores its schemas in Kafka."""

    name = "schema-registry"
    role = "schema-registry"
    version = "3.3.3"
    summary = "schema registry with Confluent's API (Apicurio)"
    ports = (CLIENT, _SERVER, _MANAGEMENT)

    def artifacts(self) -> tuple[Artifact, ...]:
        return (java.JAVA, _ARCHIVE)

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        settings = {
            **_SETTINGS,
            "QUARKUS_HTTP_PORT": str(layout.endpoints[_SERVER].port),
            "QUARKUS_MANAGEMENT_PORT": str(layout.endpoints[_MANAGEMENT].port),
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{layout.directory / 'schemas'};WRITE_DELAY=0",
        }
        program = ("-jar", str(installed_path(_ARCHIVE) / "quarkus-run.jar"))
        address = (layout.endpoints[CLIENT].host, str(layout.endpoints[CLIENT].port), str(layout.endpoints[_SERVER].port))
        return (
            java.command(layout, program, heap_mib=_HEAP_MIB, environment=settings),
            Command((sys.executable, "-I", registry_proxy.__file__, *address)),
        )

    def check(self, access: Access) -> None:
        status, body = _get(access.endpoints, "/subjects")
        try:
            subjects = json.loads(body)
        except ValueError:
            subjects = None
        if status != http.client.OK or not isinstance(subjects, list):
            raise NotReadyError(f"GET /subjects: status {status}, {body[:200].decode(errors='replace')}")

    def variables(self, access: Access) -> Mapping[str, str]:
        return {"testdrive.schema-registry-url": f"http://{access.endpoints[CLIENT]}"}

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return Container(
            image="confluentinc/cp-schema-registry:7.9.2",
            ports={CLIENT: 8081},
            environment={
                "SCHEMA_REGISTRY_HOST_NAME": self.name,
                "SCHEMA_REGISTRY_LISTENERS": "http://0.0.0.0:8081",
                "SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS": f"PLAINTEXT://kafka:{INSIDE_PORT}",
                "SCHEMA_REGISTRY_HEAP_OPTS": f"-Xmx{_HEAP_MIB}m",
            },
            volumes=("/etc/schema-registry/secrets",),
            needs=("kafka",),
        )


def _get(endpoints: Endpoints, path: str) -> tuple[int, bytes]:
    """The status and body of an answer. NotReadyError when there is none."""
    connection = http.client.HTTPConnection(endpoints[CLIENT].host, endpoints[CLIENT].port, timeout=_ANSWER_LIMIT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"{endpoints[CLIENT]}: {error!r}") from None
    finally:
        connection.close()
