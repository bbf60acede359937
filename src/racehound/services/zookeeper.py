"""ZooKeeper, as Kafka up to 3.9 needs it: one node, from Kafka's own class path."""

from __future__ import annotations

import socket
import time

from racehound.services import java
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.maven import MavenJars
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Container, Endpoint, Endpoints, NotReadyError, Service, ServiceLayout

JARS = MavenJars("kafka-3.9.2", ("org.apache.kafka:kafka_2.13:3.9.2", "org.slf4j:slf4j-simple:1.7.36"))
"""Kafka 3.9.2, the last line that runs on ZooKeeper, with ZooKeeper among what it needs."""
LOGGING = {
    "org.slf4j.simpleLogger.defaultLogLevel": "warn",
    "org.slf4j.simpleLogger.showDateTime": "true",
    "org.slf4j.simpleLogger.dateTimeFormat": "yyyy-MM-dd HH:mm:ss.SSS",
}
"""Properties of slf4j-simple, which both Kafkas and ZooKeeper log with, to standard error."""
TICK_MS = 500
"""A session lasts two ticks at least after its client was killed."""
_SETTINGS = {
    "tickTime": str(TICK_MS),
    "clientPortAddress": LOOPBACK,
    # A web server on all interfaces.
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "srvr,dump",
    # What was written survives the end of the process, though not that of the machine, as does everything here.
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

    def check(self, endpoints: Endpoints) -> None:
        # It accepts connections, and answers `ruok`, before it serves; only then `srvr` tells its mode.
        try:
            said = ask(endpoints[CLIENT], b"srvr")
        except OSError as error:
            raise NotReadyError(f"{endpoints[CLIENT]}: {error}") from None
        if "Mode:" not in said:
            raise NotReadyError(" ".join(said.split()) or "it said nothing")

    def container(self) -> Container:
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
    """Wait until no session holds the ephemeral node `path` any more, at most so long (seconds).

    Returns at once when ZooKeeper does not answer: whoever needs it will say so.
    """
    deadline = time.monotonic() + limit_s
    # It has no word that waits.
    while _holds(endpoint, path) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _holds(endpoint: Endpoint, path: str) -> bool:
    try:
        # Sessions and the nodes that they hold, each on a line of its own.
        return path in ask(endpoint, b"dump").split()
    except OSError:
        return False


def ask(endpoint: Endpoint, word: bytes) -> str:
    """Its answer to a four-letter word. OSError when it does not answer."""
    address = endpoint.host, endpoint.port
    with socket.create_connection(address, _ANSWER_LIMIT_S) as connection, connection.makefile("rb") as answer:
        connection.sendall(word)
        # It closes the connection behind the answer.
        return answer.read().decode(errors="replace")
