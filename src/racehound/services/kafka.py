"""Kafka with one broker, on ZooKeeper (3.9, the last release line for it) or by KRaft, with a listener for the fault proxy.

A broker tells its clients to which address they must connect. Therefore a client that uses a proxy would bypass the proxy from
its second connection on. To prevent this, a second listener, `proxied`, advertises the proxy's address (`ServiceLayout`).
"""

from __future__ import annotations

import abc
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from racehound.errors import TargetError
from racehound.services import java, kafka_containers, process
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.maven import MavenJars
from racehound.services.kafka_metadata import check_broker
from racehound.services.process import Command
from racehound.services.service import CLIENT, PROXIED, Access, Container, Service, ServiceLayout
from racehound.services.zookeeper import JARS, LOGGING, ZooKeeperService, await_release

_KRAFT_JARS = MavenJars("kafka-4.4.0", ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36"))
_CONTROLLER = "controller"
_BROKER = "1"
_HEAP_MIB = 256
_FORMAT_HEAP_MIB = 64
_FORMAT_LIMIT_S = 60.0
SETTINGS = {
    # There is one broker.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # These save memory and time.
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.num.partitions": "5",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.network.threads": "2",
    # A consumer group with one member need not wait for others.
    "group.initial.rebalance.delay.ms": "0",
    # Scripts create their topics themselves.
    "auto.create.topics.enable": "false",
    # Scripts send values of several megabytes; the default is one.
    "message.max.bytes": "15728640",
    "replica.fetch.max.bytes": "15728640",
    "log.retention.ms": "-1",
    "log.message.timestamp.after.max.ms": str(2**63 - 1),
}
"""The settings of both services, also in containers. See `documentation/#brokerconfigs` of Kafka's site."""
SESSION_MS = 1500
"""Milliseconds for which a killed broker counts as alive."""
_RELEASE_LIMIT_S = 10.0


class _Broker(Service):
    """The common part of both services."""

    role = "kafka"
    ports: ClassVar[tuple[str, ...]] = (CLIENT, PROXIED)
    jars: ClassVar[MavenJars]

    def artifacts(self) -> tuple[Artifact, ...]:
        return (java.JAVA, self.jars)

    def prepare(self, layout: ServiceLayout) -> None:
        settings = {**SETTINGS, **_listeners(layout), "log.dirs": str(layout.directory / "data"), **self.settings(layout)}
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        _properties(layout).write_text("".join(lines), encoding="utf-8")

    @abc.abstractmethod
    def settings(self, layout: ServiceLayout) -> Mapping[str, str]:
        """The further settings in server.properties."""

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        program = (*self.class_path(), "kafka.Kafka", str(_properties(layout)))
        return (java.command(layout, program, heap_mib=_HEAP_MIB, properties=LOGGING),)

    def class_path(self) -> tuple[str, ...]:
        """Java's option for the class path."""
        return ("-cp", f"{installed_path(self.jars)}/*")

    def check(self, access: Access) -> None:
        check_broker(access.endpoints[CLIENT])

    def variables(self, access: Access) -> Mapping[str, str]:
        address = str(access.endpoints[CLIENT])
        return {"testdrive.kafka-addr": address, "testdrive.kafka-addr-resolved": address}


class KafkaService(_Broker):
    name = "kafka"
    version = "3.9.2"
    summary = "Kafka, one broker, on ZooKeeper"
    needs = (ZooKeeperService.name,)
    jars = JARS

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        # A broker fails at its start while its killed predecessor is still registered under its number.
        await_release(layout.peers[ZooKeeperService.name][CLIENT], f"/brokers/ids/{_BROKER}", _RELEASE_LIMIT_S)
        return super().commands(layout)

    def settings(self, layout: ServiceLayout) -> Mapping[str, str]:
        return {
            "broker.id": _BROKER,
            "zookeeper.connect": str(layout.peers[ZooKeeperService.name][CLIENT]),
            "zookeeper.session.timeout.ms": str(SESSION_MS),
        }

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return kafka_containers.on_zookeeper(self.name, {**SETTINGS, "zookeeper.session.timeout.ms": str(SESSION_MS)})


class KafkaKraftService(_Broker):
    name = "kafka-kraft"
    version = "4.4.0"
    summary = "Kafka, one broker that is its own controller (KRaft)"
    ports = (CLIENT, PROXIED, _CONTROLLER)
    jars = _KRAFT_JARS

    def prepare(self, layout: ServiceLayout) -> None:
        super().prepare(layout)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        log = layout.directory / "format.log"
        tool = ("kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(_properties(layout)))
        command = java.command(layout, (*self.class_path(), *tool), heap_mib=_FORMAT_HEAP_MIB, properties=LOGGING, log=log)
        if process.run(command, _FORMAT_LIMIT_S) != 0:
            raise TargetError(f"Kafka's storage could not be formatted: {' '.join(log.read_text(errors='replace').split())}")

    def settings(self, layout: ServiceLayout) -> Mapping[str, str]:
        controller = layout.endpoints[_CONTROLLER]
        return {
            "process.roles": "broker,controller",
            "node.id": _BROKER,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"{_BROKER}@{controller}",
            "broker.session.timeout.ms": str(SESSION_MS),
            "broker.heartbeat.interval.ms": "300",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return kafka_containers.by_kraft(self.name, {**SETTINGS, "broker.session.timeout.ms": str(SESSION_MS)})


def _listeners(layout: ServiceLayout) -> dict[str, str]:
    """A listener for each port. That of the controller is not advertised, since only the broker itself connects to it."""
    bound = [f"{port.upper()}://{endpoint}" for port, endpoint in layout.endpoints.items()]
    advertised = [f"{port.upper()}://{layout.advertised.get(port, layout.endpoints[port])}" for port in (CLIENT, PROXIED)]
    return {
        "listeners": ",".join(bound),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join(f"{port.upper()}:PLAINTEXT" for port in layout.endpoints),
        "inter.broker.listener.name": CLIENT.upper(),
    }


def _properties(layout: ServiceLayout) -> Path:
    return layout.directory / "server.properties"
