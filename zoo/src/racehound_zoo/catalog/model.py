"""The objects of the catalog.

Their ids are as in Materialize: `u` and a number for objects of users, `s` and a number for system objects.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.datatypes import DataType
from racehound_zoo.dialect.parts import ColumnDefinition, ItemKind, Name, Options, Query
from racehound_zoo.dialect.statements import CreateSink, CreateSource, CreateTableFromSource, CreateType, Refresh

PUBLIC = "p"
"""The id of the pseudo-role PUBLIC, of which every role is a member."""
SYSTEM_ROLE = "s1"
"""The id of mz_system, the superuser."""
ROOT = "u1"
"""The id of materialize, the first user."""


@dataclasses.dataclass(frozen=True, slots=True)
class Acl:
    """The privileges that one role has granted to another, as letters: a(ppend), r(ead), w(rite), d(elete), U(sage), C(reate);
    for the system also R, B, N and P.
    """

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
    """The ids of the roles that it is a member of, each with the id of the role that granted the membership."""
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
    """A schema. `database` is None for a system schema, which is visible in every database."""

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
    """The name of the column's type in the catalog's relations, if it differs from the type's own name."""


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
    """The name of the upstream relation, as the source knows it."""
    key: tuple[str, ...] = ()
    """A unique key: no two rows have the same values in these columns."""


@dataclasses.dataclass(frozen=True, slots=True)
class QueryDefinition:
    """The definition of a view or materialized view. `bound` has the id of the relation behind each reference of the query."""

    query: Query
    bound: tuple[str, ...]
    columns: tuple[str, ...] = ()
    refreshes: tuple[Refresh, ...] = ()
    replica: str | None = None
    """The id of the only replica that maintains the view; None for all replicas."""
    replaces: str | None = None
    """The id of the materialized view that this one can replace."""


@dataclasses.dataclass(frozen=True, slots=True)
class IndexDefinition:
    on: str
    key: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SourceDefinition:
    """The definition of a source.

    `type` is as in mz_sources. A progress relation or subsource has the id of its source in `parent`.
    """

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
    """The definition of a connection. `bound` has the id behind each name of a secret or connection in the options."""

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
    """The definition of a system relation, whose rows are rendered from the state."""


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

    `uses` has the ids of its dependencies. `session` is the number of the session to which a temporary item belongs. `generation`
    counts the changes of its columns: a plan that was made for one generation is not valid for the next.
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
