"""The things of the catalog. Ids are as in Materialize: `u` and a number for what users make, `s` and a number for the rest."""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.datatypes import DataType
from racehound_zoo.dialect.parts import ColumnDefinition, ItemKind, Name, Options, Query
from racehound_zoo.dialect.statements import CreateSink, CreateSource, CreateTableFromSource, CreateType, Refresh

PUBLIC = "p"
"""The id of the role that everyone is."""
SYSTEM_ROLE = "s1"
"""mz_system, that may do everything."""
ROOT = "u1"
"""materialize, the first user."""


@dataclasses.dataclass(frozen=True, slots=True)
class Acl:
    """What one role granted another, as letters: a(ppend) r(ead) w(rite) d(elete) U(sage) C(reate), R B N P of the system."""

    grantee: str
    privileges: frozenset[str]
    grantor: str


Acls = tuple[Acl, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Role:
    id: str
    oid: int
    name: str
    memberships: tuple[tuple[str, str], ...] = ()
    """The roles that it is a member of, each with the id of who granted it."""
    variables: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Database:
    id: str
    oid: int
    name: str
    owner: str
    acls: Acls


@dataclasses.dataclass(frozen=True, slots=True)
class Schema:
    """`database` None: of the system, the same in all databases."""

    id: str
    oid: int
    database: str | None
    name: str
    owner: str
    acls: Acls


@dataclasses.dataclass(frozen=True, slots=True)
class Replica:
    id: str
    name: str
    size: str
    owner: str


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    id: str
    name: str
    owner: str
    acls: Acls
    managed: bool
    size: str | None
    replicas: tuple[Replica, ...]
    workload: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: DataType
    nullable: bool = True
    shown: str = ""
    """How the catalog calls its type, where that is not the type's own name."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableDefinition:
    columns: tuple[ColumnDefinition, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SourceTableDefinition:
    """A table that a source fills."""

    statement: CreateTableFromSource
    source: str
    registry: str | None
    outer: Name
    """The upstream relation, as the source calls it."""
    key: tuple[str, ...] = ()
    """Columns that never hold the same values twice."""


@dataclasses.dataclass(frozen=True, slots=True)
class QueryDefinition:
    """Of a view or materialized view; `bound` has the id behind each of the query's references."""

    query: Query
    bound: tuple[str, ...]
    columns: tuple[str, ...] = ()
    refreshes: tuple[Refresh, ...] = ()
    replica: str | None = None
    """The id of the one replica that works for it."""
    replaces: str | None = None
    """The id of the materialized view whose place it may take."""


@dataclasses.dataclass(frozen=True, slots=True)
class IndexDefinition:
    on: str
    key: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SourceDefinition:
    """`type` as mz_sources has it. A progress relation or subsource names its source in `parent`."""

    type: str
    statement: CreateSource | None = None
    connection: str | None = None
    registry: str | None = None
    progress: str | None = None
    parent: str | None = None
    outer: Name = ()
    key: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SinkDefinition:
    statement: CreateSink
    relation: str
    connection: str
    registry: str | None = None
    catalog_connection: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ConnectionDefinition:
    """`bound`: the id behind each name of a secret or connection in the options."""

    type: str
    options: Options
    bound: tuple[tuple[Name, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SecretDefinition:
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class TypeDefinition:
    statement: CreateType
    physical: str


@dataclasses.dataclass(frozen=True, slots=True)
class SystemDefinition:
    """A relation of the system; its rows are rendered from the state."""


Definition = (
    TableDefinition
    | SourceTableDefinition
    | QueryDefinition
    | IndexDefinition
    | SourceDefinition
    | SinkDefinition
    | ConnectionDefinition
    | SecretDefinition
    | TypeDefinition
    | SystemDefinition
)


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A relation, index, sink, connection, secret or type.

    `uses`: the ids of what it depends on. `session`: the temporary item's own session, by number. `generation` counts the
    changes of its shape: a plan made for one does not serve the next.
    """

    id: str
    oid: int
    schema: str
    name: str
    kind: ItemKind
    owner: str
    acls: Acls
    definition: Definition
    uses: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    cluster: str | None = None
    session: int | None = None
    generation: int = 0

    @property
    def is_relation(self) -> bool:
        return self.kind in {"table", "view", "materialized view", "source"}

    @property
    def is_refreshed_on_schedule(self) -> bool:
        """Whether it is a materialized view that is refreshed at certain times, not at every change."""
        definition = self.definition
        return isinstance(definition, QueryDefinition) and any(each.strategy != "ON COMMIT" for each in definition.refreshes)

    @property
    def is_system(self) -> bool:
        return self.id.startswith("s")

    @property
    def namespace(self) -> Literal["type", "item"]:
        return "type" if self.kind == "type" else "item"


def article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
