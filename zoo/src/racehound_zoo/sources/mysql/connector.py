"""The connector for MySQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.mysql.describing import check_metadata, check_settings, described, offers_of, shape_of
from racehound_zoo.sources.mysql.ingestion import MySqlIngestion
from racehound_zoo.sources.mysql.session import Connection, connected
from racehound_zoo.sources.source import ConnectionFacts, Encoding, Ingestion, Offer, Shape, SourceFacts, TableFacts, Target
from racehound_zoo.sources.upstream import UpstreamError


class MySqlConnector:
    """The connector for MySQL. It opens a connection for each question."""

    def validate(self, connection: ConnectionFacts) -> None:
        try:
            with connected(connection) as session:
                check_settings(session)
        except UpstreamError as error:
            raise SqlError(str(error)) from error

    def check_source(self, source: SourceFacts) -> None:
        with _connection_for(source) as session:
            check_settings(session)

    def offers(self, source: SourceFacts) -> Sequence[Offer]:
        with _connection_for(source) as session:
            return offers_of(session)

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:  # noqa: ARG002 rows need no decoding
        with _connection_for(source) as session:
            check_metadata(session)
            table = described(session, offer.name[0], offer.name[1])
        if table is None:
            raise SqlError(f"reference to {'.'.join(offer.name)} not found in source")
        return shape_of(table)

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:
        return MySqlIngestion(source, tables, target)


@contextlib.contextmanager
def _connection_for(source: SourceFacts) -> Iterator[Connection]:
    """A connection whose errors are reported as those of a statement on the source."""
    assert source.connection is not None, "a source of MySQL has a connection"
    try:
        with connected(source.connection) as session:
            yield session
    except UpstreamError as error:
        raise SqlError("failed to connect to MySQL database", detail=str(error)) from error
