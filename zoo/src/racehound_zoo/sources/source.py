"""The interface between the engine and external systems.

The engine knows names, privileges and dependencies; a `Connector` knows one external system. For a statement that names such a
system, the engine calls its connector before it takes the catalog's lock:

- CREATE CONNECTION, ALTER CONNECTION, VALIDATE CONNECTION: `validate` the connection;
- CREATE SOURCE: `check_source`, which checks that the topic or publication exists;
- CREATE TABLE FROM SOURCE: `offers`, to find the upstream relation that REFERENCE means, and `shape`, for the table's columns.

Each raises SqlError, with Materialize's message, if the external system refuses. When a source is in the catalog and its cluster
has a replica, `start` returns an `Ingestion`, which has a thread of its own and runs until `stop` is called: at DROP, when its
cluster loses its last replica, or when the server stops. Meanwhile tables are added and removed (`add_table`, `remove_table`).

An ingestion writes through `Target.apply`; each call is one transaction. None of `start`, `add_table`, `remove_table` and `stop`
may wait for the external system, or for a thread that may be inside `Target.apply`, because they are called under the catalog's
lock. After `remove_table` has returned, changes of that table are ignored. What the source must remember for its next ingestion,
such as an offset or an LSN, is saved in `Target.progress`, together with the batch that it belongs to. What it leaves in the
external system, such as a replication slot, is removed by a `CleaningConnector` when the source is dropped and when the server
stops.

The interface of sinks is in the module `sink`.
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
    """A connection with its secrets resolved. The names of options are in capitals (`HOST`, `PORT`, `BROKER`, `URL`, `PASSWORD`,
    …).

    `id` is the connection's id in the catalog, which a rename does not change.
    """

    id: str
    type: str
    """The type as written after TO, in capitals: KAFKA, CONFLUENT SCHEMA REGISTRY, POSTGRES, MYSQL, SQL SERVER, …."""
    options: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Offer:
    """An upstream relation that a table can be made from, such as `("public", "t")`. A topic has no namespace."""

    name: Name
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Shape:
    """The columns of a table. `key` has the columns of a unique key, by which rows are found again."""

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Encoding:
    """FORMAT, KEY FORMAT, INCLUDE and ENVELOPE as written, with the connection to the schema registry that FORMAT names."""

    value: Format | None = None
    key: Format | None = None
    include: str = ""
    envelope: str | None = None
    registry: ConnectionFacts | None = None


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """A source. `options` are those in the parentheses after its connection (TOPIC, PUBLICATION, …)."""

    id: str
    connection: ConnectionFacts | None
    options: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class TableFacts:
    """A relation to fill: a table of the source, a subsource, or (for a source with one output) the source itself."""

    id: str
    offer: Offer
    shape: Shape
    encoding: Encoding = Encoding()


class Target(Protocol):
    """What an ingestion writes to. Its methods may be called from any thread."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        """Change relations, by their ids, in one transaction, and save the progress with it.

        The values of a row are in PostgreSQL's text format (None for NULL), in the order of the shape's columns. Changes of
        relations that have been dropped are ignored; so is everything after the ingestion has been stopped.
        """

    def staging(self, key: str) -> AbstractContextManager[Staging]:
        """A staging table for a snapshot that does not fit into memory; `apply` makes its rows visible.

        SqlError if the relation was dropped.
        """

    @property
    def progress(self) -> Mapping[str, str]:
        """The progress that was saved last; empty for a new source.

        It may wait until the ingestion before this one has written, so it must be read in the ingestion's own thread.
        """

    @property
    def is_current(self) -> bool:
        """Whether `apply` still writes. It stops for ever when the source has another ingestion or none."""

    def has_defect(self, defect: str) -> bool:
        """Whether a seeded defect is switched on."""


class Ingestion(Protocol):
    """A running source."""

    def add_table(self, table: TableFacts) -> None:
        """Fill another table: its snapshot in one batch, then the changes."""

    def remove_table(self, key: str) -> None: ...

    def status(self, key: str) -> Status:
        """The status of the source, or of one of its tables, by id.

        Queries wait while a table is "starting", so it must not stay so when the external system does not answer: then it is
        "stalled".
        """

    def stop(self) -> None:
        """Stop soon. Returns at once."""

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most `timeout` seconds."""


class Connector(Protocol):
    """Reads from one external system."""

    def validate(self, connection: ConnectionFacts) -> None:
        """SqlError if the system cannot be reached or refuses the connection."""

    def check_source(self, source: SourceFacts) -> None: ...

    def offers(self, source: SourceFacts) -> Sequence[Offer]: ...

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape: ...

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion: ...


@runtime_checkable
class CleaningConnector(Protocol):
    """A connector whose sources leave something in the external system."""

    def clean_up(self, source: SourceFacts, progress: Mapping[str, str]) -> bool:
        """Try to remove what the source has left.

        Returns whether nothing is left. It is called after the source's ingestions have ended and may take two seconds.
        """


class NoConnector:
    """The connector for a system that the zoo does not support: connections to it can be created, but not used."""

    def __init__(self, system: str) -> None:
        self._what = f"reading from {system}"

    def validate(self, connection: ConnectionFacts) -> None:
        raise unsupported(f"validating a connection to {connection.type}")

    def check_source(self, source: SourceFacts) -> None:  # noqa: ARG002 required by the protocol
        raise unsupported(self._what)

    def offers(self, source: SourceFacts) -> Sequence[Offer]:  # noqa: ARG002 required by the protocol
        raise unsupported(self._what)

    def shape(self, source: SourceFacts, offer: Offer, encoding: Encoding) -> Shape:  # noqa: ARG002 required by the protocol
        raise unsupported(self._what)

    def start(self, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> Ingestion:  # noqa: ARG002
        raise unsupported(self._what)


def matching(reference: Name, offers: Sequence[Offer]) -> Offer | None:
    """The offer whose name ends with the reference; None if there is none or more than one."""
    found = [offer for offer in offers if offer.name[-len(reference) :] == reference]
    return found[0] if len(found) == 1 else None
