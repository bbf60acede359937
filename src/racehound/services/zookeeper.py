"""ZooKeeper with one node, which Kafka up to 3.9 needs. It runs from Kafka's class path."""

from __future__ import annotations

import socket
import time

from racehound.services import java
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.maven import MavenJars
from racehound.services.process import Command
from racehound.services.service import (
    CLIENT,
    LOOPBACK,
    Access,
    Container,
    Endpoint,
    NotReadyError,
    Service,
    ServiceLayout,
)

JARS = MavenJars("kafka-3.9.2", ("org.apache.kafka:kafka_2.13:3.9.2", "org.slf4j:slf4j-simple:1.7.36"))
"""Kafka 3.9.2, with ZooKeeper among its dependencies. 3.9 is the last release line that runs on ZooKeeper."""
LOGGING = {
    "org.slf4j.simpleLogger.defaultLogLevel": "warn",
    "org.slf4j.simpleLogger.showDateTime": "true",
    "org.slf4j.simpleLogger.dateTimeFormat": "yyyy-MM-dd HH:mm:ss.SSS",
}
"""Properties of slf4j-simple, with which Kafka and ZooKeeper log to standard error."""
TICK_MS = 500
"""Milliseconds of a tick. A session lasts for at least two ticks after its client was killed."""
_SETTINGS = {
    "tickTime": str(TICK_MS),
    "clientPortAddress": LOOPBACK,
    # This web server would listen on all interfaces.
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "srvr,dump",
    # Written data survive the end of the process, but not a crash of the machine, as with all services.
    "forceSync": "no",
    "preAllocSize": "1024",
}
_ANSWER_LIMIT_S = 2.0
_LOOK_S = 0.05


class ZooKeeperService(Service):
    name = "zookeeper"
    role = "zookeeper"
    version = "3.8.4"
    summary = "ZooKeeper, one node, for Kafka"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (java.JAVA, JARS)

    def prepare(self, layout: ServiceLayout) -> None:
        settings = {**_SETTINGS, "dataDir": str(layout.directory / "data"), "clientPort": str(layout.endpoints[CLIENT].port)}
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (layout.directory / "zoo.cfg").write_text("".join(lines), encoding="utf-8")

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        program = ("-cp", f"{installed_path(JARS)}/*", main, str(layout.directory / "zoo.cfg"))
        return (java.command(layout, program, heap_mib=96, properties={**LOGGING, "zookeeper.jmx.log4j.disable": "true"}),)

    def check(self, access: Access) -> None:
        # It accepts connections and answers `ruok` before it is ready. The answer to `srvr` has its mode only when it is ready.
        try:
            said = ask(access.endpoints[CLIENT], b"srvr")
        except OSError as error:
            raise NotReadyError(f"{access.endpoints[CLIENT]}: {error}") from None
        if "Mode:" not in said:
            raise NotReadyError(" ".join(said.split()) or "its answer is empty")

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return Container(
            image="confluentinc/cp-zookeeper:7.9.2",
            ports={CLIENT: 2181},
            environment={
                "ZOOKEEPER_CLIENT_PORT": "2181",
                "ZOOKEEPER_TICK_TIME": str(TICK_MS),
                "ZOOKEEPER_ADMIN_ENABLE_SERVER": "false",
                "KAFKA_OPTS": "-Dzookeeper.4lw.commands.whitelist=srvr,dump",
                "KAFKA_HEAP_OPTS": "-Xmx96m",
            },
            volumes=("/var/lib/zookeeper/data", "/var/lib/zookeeper/log", "/etc/zookeeper/secrets"),
        )


def await_release(endpoint: Endpoint, path: str, limit_s: float) -> None:
    """Wait until no session holds the ephemeral node `path`, for at most `limit_s` seconds.

    It returns at once when ZooKeeper does not answer. Then the next service that needs ZooKeeper reports the error.
    """
    deadline = time.monotonic() + limit_s
    # ZooKeeper has no command that waits.
    while _holds(endpoint, path) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _holds(endpoint: Endpoint, path: str) -> bool:
    try:
        # The answer has the sessions and the nodes that they hold, each on a separate line.
        return path in ask(endpoint, b"dump").split()
    except OSError:
        return False


def ask(endpoint: Endpoint, word: bytes) -> str:
    """Its answer to a command of four letters. OSError when it does not answer."""
    address = endpoint.host, endpoint.port
    with socket.create_connection(address, _ANSWER_LIMIT_S) as connection, connection.makefile("rb") as answer:
        connection.sendall(word)
        # It closes the connection after the answer.
        return answer.read().decode(errors="replace")
