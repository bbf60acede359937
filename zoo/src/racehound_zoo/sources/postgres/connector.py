"""The connector for PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.postgres import slots
from racehound_zoo.sources.postgres.describing import check_publication, check_settings, shape_of, tables_of
from racehound_zoo.sources.postgres.ingestion import PostgresIngestion
from racehound_zoo.sources.postgres.replication import ReplicationConnection, conninfo
from racehound_zoo.sources.source import ConnectionFacts, Encoding, Ingestion, Offer, Shape, SourceFacts, TableFacts, Target
from racehound_zoo.sources.stored_progress import StoredProgress
from racehound_zoo.sources.upstream import UpstreamError, UpstreamTable
from racehound_zoo.sources.wakeup import Wakeup


class PostgresConnector:
    """The connector for PostgreSQL. It opens a connection for each question."""

    def validate(self, connection: ConnectionFacts) -> None:
        try:
            with _linked(connection) as link:
                check_settings(link)
        except UpstreamError as error:
            raise SqlError(str(error)) from error

    def check_source(self, source: SourceFacts) -> None:
        if "PUBLICATION" not in source.options:
            raise SqlError("POSTGRES CONNECTION must specify PUBLICATION")
        with _connection_for(source) as link:
            check_settings(link)
            check_publication(link, source.options["PUBLICATION"])

    def offers(self, source: SourceFacts) -> Sequence[Offer]:
        return [table.offer for table in self._tables(source)]

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:  # noqa: ARG002 rows need no decoding
        table = next((each for each in self._tables(source) if each.offer.name == offer.name), None)
        if table is None:
            raise SqlError(f"reference to {'.'.join(offer.name)} not found in source")
        return shape_of(table, _connection(source).options.get("DATABASE", ""))

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:
        return PostgresIngestion(source, tables, target)

    def clean_up(self, source: SourceFacts, progress: Mapping[str, str]) -> bool:
        """Drop the replication slot of the source."""
        slot = StoredProgress(progress).slot
        if not slot:
            return True
        try:
            with _linked(_connection(source)) as link:
                return slots.drop(link, slot)
        except UpstreamError:
            return False

    @staticmethod
    def _tables(source: SourceFacts) -> list[UpstreamTable]:
        publication = source.options["PUBLICATION"]
        with _connection_for(source) as link:
            check_publication(link, publication)
            return tables_of(link, publication)


def _connection(source: SourceFacts) -> ConnectionFacts:
    assert source.connection is not None, "a source of PostgreSQL has a connection"
    return source.connection


@contextlib.contextmanager
def _linked(connection: ConnectionFacts) -> Iterator[ReplicationConnection]:
    with contextlib.closing(Wakeup()) as wakeup, contextlib.closing(ReplicationConnection(conninfo(connection), wakeup)) as link:
        yield link


@contextlib.contextmanager
def _connection_for(source: SourceFacts) -> Iterator[ReplicationConnection]:
    """A connection whose errors are reported as those of a statement on the source."""
    try:
        with _linked(_connection(source)) as link:
            yield link
    except UpstreamError as error:
        raise SqlError("failed to connect to PostgreSQL database", detail=str(error)) from error
