"""Both Kafkas as containers, with one listener that tells other containers of the broker's name, and one for this machine."""

from __future__ import annotations

from collections.abc import Mapping

from racehound.services.service import CLIENT, Container

INSIDE_PORT = 29092
"""Where other containers connect."""
_CLIENT_PORT = 9092
_CONTROLLER_PORT = 29093
_DATA = "/var/lib/kafka/data"


def on_zookeeper(name: str, settings: Mapping[str, str]) -> Container:
    """Confluent's image of Kafka 3.9, the last with ZooKeeper."""
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
    """Apache's own image; it formats its storage when it first starts."""
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
    """Both images take a broker's settings so: `log.dirs` as `KAFKA_LOG_DIRS`."""
    variables = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
    return {**variables, "KAFKA_HEAP_OPTS": "-Xms32m -Xmx256m"}
