"""The seam between the zoo's core and the systems outside.

The core knows names, privileges, dependencies and lives; a `Connector` knows one outside system. For a statement that names one,
the core asks, before it takes the catalog's lock:

- CREATE CONNECTION, ALTER CONNECTION, VALIDATE CONNECTION: `validate` the connection;
- CREATE SOURCE: `check_source`, that what the source names is there (a topic, a publication);
- CREATE TABLE FROM SOURCE: `offers`, to find the upstream relation that REFERENCE means, and `shape`, for the table's columns.

Each raises SqlError, in Materialize's words, when the outside says no. When a source is in the catalog and its cluster has a
replica, `start` gives an `Ingestion`, a thing with a thread of its own that lives until `stop`: at DROP, when its cluster loses
its last replica, at the server's end. Tables come and go meanwhile (`add_table`, `remove_table`). It writes through
`Target.apply`: one call is one transaction, that readers see whole or not at all. None of `start`, `add_table`, `remove_table`
and `stop` may wait for the outside or for a thread that might be inside `Target.apply`: they are called while the catalog is
locked. After `remove_table` returned, batches for that table are thrown away, so an ingestion need not be exact about it. What
the source must remember over a restart of its ingestion (an offset, an LSN) it keeps in `Target.progress`, saved with the batch
that it belongs to; what it has left outside (a replication slot) is removed by a connector that is a `CleaningConnector` one, when the
source is dropped and at the server's end.

Sinks are the other way round: see `sink`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from racehound_zoo.catalog.model import Column
from racehound_zoo.dialect.parts import Format, Name
from racehound_zoo.errors import unsupported
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.rows import Batch

if TYPE_CHECKING:
    from racehound_zoo.table_changes import Staging


@dataclasses.dataclass(frozen=True)
class ConnectionFacts:
    """A connection with its secrets read: options by their names in capitals (`HOST`, `PORT`, `BROKER`, `URL`, `PASSWORD`, …).

    `id` is the connection's own in the catalog; it stays the same when the connection is renamed.
    """

    id: str
    type: str
    """As written behind TO, in capitals: KAFKA, CONFLUENT SCHEMA REGISTRY, POSTGRES, MYSQL, SQL SERVER, …."""
    options: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Offer:
    """An upstream relation that a table may be made of: `("public", "t")`; a topic has no namespace."""

    name: Name
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Shape:
    """The columns of a table; `key`: those that never hold two rows of the same values, by which rows are found again."""

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Encoding:
    """FORMAT, KEY FORMAT, INCLUDE and ENVELOPE as written, with the schema registry that FORMAT names."""

    value: Format | None = None
    key: Format | None = None
    include: str = ""
    envelope: str | None = None
    registry: ConnectionFacts | None = None


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """A source: `options` as written in the parentheses behind its connection (TOPIC, PUBLICATION, …)."""

    id: str
    connection: ConnectionFacts | None
    options: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class TableFacts:
    """A relation to fill: a table of the source, or a subsource, or (for a source of one output) the source itself."""

    id: str
    offer: Offer
    shape: Shape
    encoding: Encoding = Encoding()


class Target(Protocol):
    """Where an ingestion writes. From any thread."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        """Changes by the ids of relations, all at one moment, together with what the source remembers of it.

        A row's values are text as PostgreSQL reads it (None: NULL), in the order of the shape's columns. Relations that are
        gone are passed over, and so is everything once the ingestion has been stopped.
        """

    def staging(self, key: str) -> AbstractContextManager[Staging]:
        """A place for a snapshot too large for memory, until `apply` shows it. SqlError when the relation is gone."""

    @property
    def progress(self) -> Mapping[str, str]:
        """What was saved last; empty for a new source. It may wait for what an ingestion before this one still writes, so it is
        for the ingestion's own thread."""

    @property
    def is_current(self) -> bool:
        """Whether what is applied is still written; once it is not, nothing of this ingestion is any more."""

    def has_defect(self, defect: str) -> bool:
        """Whether a seeded defect is on."""


class Ingestion(Protocol):
    """A running source."""

    def add_table(self, table: TableFacts) -> None:
        """Fill this too, with all that is upstream: its snapshot in one batch, then what follows."""

    def remove_table(self, key: str) -> None: ...

    def status(self, key: str) -> Status:
        """Of the source itself, or of one of its tables, by id. While it is "starting" (its snapshot is not there yet), whoever
        reads it waits; so it must become something else, "stalled" if need be, also when the outside does not answer."""

    def stop(self) -> None:
        """End soon; returns at once."""

    def join(self, timeout: float) -> None:
        """Wait (seconds) until it has ended."""


class Connector(Protocol):
    """One outside system."""

    def validate(self, connection: ConnectionFacts) -> None:
        """That it can be reached and lets us in."""

    def check_source(self, source: SourceFacts) -> None: ...

    def offers(self, source: SourceFacts) -> Sequence[Offer]: ...

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape: ...

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion: ...


@runtime_checkable
class CleaningConnector(Protocol):
    """A connector whose sources leave something outside."""

    def clean_up(self, source: SourceFacts, progress: Mapping[str, str]) -> bool:
        """Try to remove it; whether nothing is left. Called when the source's ingestions have ended; may take a second or two."""


class NoConnector:
    """Of a system that the zoo cannot speak with: connections to it can be written down, nothing more."""

    def __init__(self, system: str) -> None:
        self._what = f"reading from {system}"

    def validate(self, connection: ConnectionFacts) -> None:
        raise unsupported(f"validating a connection to {connection.type}")

    def check_source(self, source: SourceFacts) -> None:  # noqa: ARG002 the protocol's
        raise unsupported(self._what)

    def offers(self, source: SourceFacts) -> Sequence[Offer]:  # noqa: ARG002 the protocol's
        raise unsupported(self._what)

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:  # noqa: ARG002 the protocol's
        raise unsupported(self._what)

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:  # noqa: ARG002
        raise unsupported(self._what)


def matching(reference: Name, offers: Sequence[Offer]) -> Offer | None:
    """The offer whose name ends as the reference does; None when there is none, or more than one."""
    found = [offer for offer in offers if offer.name[-len(reference) :] == reference]
    return found[0] if len(found) == 1 else None
