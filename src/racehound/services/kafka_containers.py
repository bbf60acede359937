"""Both Kafka services as containers. One listener is for this machine, and one advertises the container's name to others."""

from __future__ import annotations

from collections.abc import Mapping

from racehound.services.service import CLIENT, Container

INSIDE_PORT = 29092
"""The port to which other containers connect."""
_CLIENT_PORT = 9092
_CONTROLLER_PORT = 29093
_DATA = "/var/lib/kafka/data"


def on_zookeeper(name: str, settings: Mapping[str, str]) -> Container:
    """Confluent's image of Kafka 3.9, the last release line with ZooKeeper."""
    return Container(
        image="confluentinc/cp-kafka:7.9.2",
        ports={CLIENT: _CLIENT_PORT},
        inside={CLIENT: INSIDE_PORT},
        environment=_environment({
            **settings,
            **_listeners(name),
            "broker.id": "1",
            "zookeeper.connect": "zookeeper:2181",
        }),
        volumes=(_DATA, "/etc/kafka/secrets"),
    )  # fmt: skip


def by_kraft(name: str, settings: Mapping[str, str]) -> Container:
    """Apache's image, which formats its storage at its first start."""
    return Container(
        image="apache/kafka:4.1.0",
        ports={CLIENT: _CLIENT_PORT},
        inside={CLIENT: INSIDE_PORT},
        environment=_environment({
            **settings,
            **_listeners(name, {"CONTROLLER": _CONTROLLER_PORT}),
            "log.dirs": _DATA,
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@localhost:{_CONTROLLER_PORT}",
            "broker.heartbeat.interval.ms": "300",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }),
        volumes=(_DATA, "/etc/kafka/secrets", "/mnt/shared/config"),
    )  # fmt: skip


def _listeners(name: str, further: Mapping[str, int] | None = None) -> dict[str, str]:
    ports = {"CLIENT": _CLIENT_PORT, "INSIDE": INSIDE_PORT, **(further or {})}
    return {
        "listeners": ",".join(f"{listener}://0.0.0.0:{port}" for listener, port in ports.items()),
        "advertised.listeners": f"CLIENT://127.0.0.1:{{host_port:{CLIENT}}},INSIDE://{name}:{INSIDE_PORT}",
        "listener.security.protocol.map": ",".join(f"{listener}:PLAINTEXT" for listener in ports),
        "inter.broker.listener.name": "INSIDE",
    }


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as environment variables, which both images read: `log.dirs` as `KAFKA_LOG_DIRS`."""
    variables = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
    return {**variables, "KAFKA_HEAP_OPTS": "-Xms32m -Xmx256m"}
