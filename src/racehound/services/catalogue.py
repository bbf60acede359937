"""All services, in an explicit, ordered list. A further one takes a module and a line here."""

from __future__ import annotations

from collections.abc import Sequence

from racehound.errors import UserError
from racehound.services.service import Service


def services() -> tuple[Service, ...]:
    """All services, each after those that it needs."""
    from racehound.services.kafka import KafkaKraftService, KafkaService
    from racehound.services.mariadb import MariadbService
    from racehound.services.minio import MinioService
    from racehound.services.mysql import MysqlService
    from racehound.services.postgres import PostgresService
    from racehound.services.schema_registry import SchemaRegistryService
    from racehound.services.seaweedfs import SeaweedfsService
    from racehound.services.toxiproxy import ToxiproxyService
    from racehound.services.zookeeper import ZooKeeperService

    return (
        PostgresService(),
        MysqlService(),
        MariadbService(),
        ZooKeeperService(),
        KafkaService(),
        KafkaKraftService(),
        SchemaRegistryService(),
        SeaweedfsService(),
        MinioService(),
        ToxiproxyService(),
    )


DEFAULT = ("postgres", "mysql", "zookeeper", "kafka", "schema-registry", "seaweedfs", "toxiproxy")
"""The services that `racehound services up` starts without names: one of every role."""


def find(name: str) -> Service:
    """The service of that name; UserError when there is none."""
    known = {service.name: service for service in services()}
    if name not in known:
        raise UserError(f"unknown service {name!r}; there are: {', '.join(known)}")
    return known[name]


def in_order(names: Sequence[str]) -> list[str]:
    """These services and all that they need, each after those that it needs. UserError for an unknown one."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name not in ordered:
            for need in find(name).needs:
                add(need)
            ordered.append(name)

    for name in names:
        add(name)
    return ordered
