"""Finds the connector for an external system. Connectors with heavy packages are imported when they are first needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.generators import GENERATORS, Generator
from racehound_zoo.sources.load import LoadIngestion
from racehound_zoo.sources.s3 import AwsConnector
from racehound_zoo.sources.sink import NoSinkConnector, SinkConnector
from racehound_zoo.sources.source import (
    ConnectionFacts,
    Connector,
    Encoding,
    Ingestion,
    NoConnector,
    Offer,
    Shape,
    SourceFacts,
    TableFacts,
    Target,
)

_LOAD = "LOAD GENERATOR "


class LoadConnector:
    """The connector for a load generator."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def validate(self, connection: ConnectionFacts) -> None:
        raise SqlError(f"{connection.type} is no load generator")

    def check_source(self, source: SourceFacts) -> None:
        """Do nothing: the generator checks its options when it starts."""

    def offers(self, source: SourceFacts) -> Sequence[Offer]:  # noqa: ARG002 the same for all sources of a generator
        return self.generator.offers()

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:  # noqa: ARG002 generators need no decoding
        return self.generator.outputs[offer.name[-1]]

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:
        return LoadIngestion(self.generator, source, tables, target)


@functools.cache
def connector(system: str) -> Connector:
    """The connector for sources and connections: KAFKA, POSTGRES, MYSQL, …, or LOAD GENERATOR with the name of a generator."""
    if system.startswith(_LOAD):
        return LoadConnector(GENERATORS[system.removeprefix(_LOAD)])
    if system == "POSTGRES":
        from racehound_zoo.sources.postgres.connector import PostgresConnector

        return PostgresConnector()
    if system == "MYSQL":
        try:
            from racehound_zoo.sources.mysql.connector import MySqlConnector
        except ImportError as error:
            raise SqlError(
                f"MySQL needs the packages PyMySQL and mysql-replication: pip install racehound-zoo ({error})"
            ) from None

        return MySqlConnector()
    if system == "KAFKA":
        from racehound_zoo.sources.kafka.connector import KafkaConnector

        return KafkaConnector()
    return AwsConnector() if system == "AWS" else NoConnector(system)


@functools.cache
def sink_connector(system: str) -> SinkConnector:
    """The connector for sinks: KAFKA or ICEBERG."""
    if system == "KAFKA":
        from racehound_zoo.sources.kafka.sink import KafkaSinkConnector

        return KafkaSinkConnector()
    return NoSinkConnector(system)
