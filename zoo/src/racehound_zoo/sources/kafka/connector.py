"""The connector for Kafka: answers questions about connections, sources and their tables before they are created."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.kafka import schemas
from racehound_zoo.sources.kafka.client import Broker
from racehound_zoo.sources.kafka.ingestion import KafkaIngestion
from racehound_zoo.sources.kafka.layout import shape_of
from racehound_zoo.sources.kafka.schemas import Schemas
from racehound_zoo.sources.source import ConnectionFacts, Encoding, Ingestion, Offer, Shape, SourceFacts, TableFacts, Target


class KafkaConnector:
    """The connector for connections to Kafka and to schema registries. See `source.Connector`."""

    def validate(self, connection: ConnectionFacts) -> None:
        if connection.type == "KAFKA":
            Broker(connection).reach()
        else:
            schemas.validate(connection)

    def check_source(self, source: SourceFacts) -> None:
        assert source.connection is not None
        topic = source.options.get("TOPIC")
        if not topic:
            raise SqlError("KAFKA CONNECTION must specify TOPIC")
        broker = Broker(source.connection)
        with broker.translating_errors():
            if broker.topic(topic) is None:
                raise SqlError("Topic does not exist")

    def offers(self, source: SourceFacts) -> Sequence[Offer]:
        """The topic of the source, as its only offer."""
        return [Offer((source.options.get("TOPIC", ""),))]

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:
        with _asking(encoding.registry) as registry:
            return shape_of(offer.name[-1] or source.options.get("TOPIC", ""), encoding, registry)

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:
        return KafkaIngestion(source, tables, target)


@contextlib.contextmanager
def _asking(registry: ConnectionFacts | None) -> Iterator[Schemas | None]:
    if registry is None:
        yield None
        return
    with schemas.registry_client(registry) as found:
        yield found
