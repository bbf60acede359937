"""The statements, as the parser finds them: plain data, nothing looked up."""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.dialect.parts import NO_COLUMN, NO_QUERY, ColumnDefinition, Format, Name, ObjectKind, Options, Query


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """Base of all."""


# Creating


@dataclasses.dataclass(frozen=True, slots=True)
class Create(Statement):
    name: Name
    if_not_exists: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CreateTable(Create):
    columns: tuple[ColumnDefinition, ...] = ()
    temporary: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CreateTableFromSource(Create):
    source: Name = ()
    reference: Name = ()
    format: Format | None = None
    key_format: Format | None = None
    envelope: str | None = None
    include: str = ""
    options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateView(Create):
    query: Query = NO_QUERY
    columns: tuple[str, ...] = ()
    or_replace: bool = False
    temporary: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Refresh:
    """One REFRESH option of a materialized view."""

    strategy: Literal["ON COMMIT", "AT", "AT CREATION", "EVERY"]
    text: str = ""
    aligned_to: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CreateMaterializedView(Create):
    query: Query = NO_QUERY
    columns: tuple[str, ...] = ()
    or_replace: bool = False
    cluster: str | None = None
    refreshes: tuple[Refresh, ...] = ()
    replica: str | None = None
    """The one replica of the cluster that works for it."""
    replaces: Name | None = None
    """The materialized view whose place it may take later."""


@dataclasses.dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    """Without a name it is named after its relation and key; without a key it is the default index."""

    name: str | None
    on: Name
    key: tuple[str, ...] | None
    cluster: str | None = None
    if_not_exists: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class LoadGenerator:
    generator: str
    options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Webhook:
    body_format: str
    include: str = ""
    check: Query | None = None
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class External:
    """Kafka, PostgreSQL, MySQL or SQL Server, through a connection."""

    system: Literal["KAFKA", "POSTGRES", "MYSQL", "SQL SERVER"]
    connection: Name
    options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateSource(Create):
    connector: LoadGenerator | Webhook | External = LoadGenerator("COUNTER")
    cluster: str | None = None
    is_table: bool = False
    format: Format | None = None
    key_format: Format | None = None
    envelope: str | None = None
    include: str = ""
    tables: Literal["ALL"] | tuple[tuple[Name, Name | None], ...] | None = None
    progress: Name | None = None
    options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateSink(Create):
    relation: Name = ()
    connection: Name = ()
    system: Literal["KAFKA", "ICEBERG"] = "KAFKA"
    catalog_connection: Name | None = None
    sink_options: Options = ()
    cluster: str | None = None
    key: tuple[str, ...] = ()
    format: Format | None = None
    key_format: Format | None = None
    envelope: str | None = None
    options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateConnection(Create):
    type: str = ""
    options: Options = ()
    with_options: Options = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateSecret(Create):
    value: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class CreateSchema(Create):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class CreateDatabase(Create):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class CreateRole(Create):
    attributes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateType(Create):
    """`shape`: LIST, MAP or RECORD; `types` its element, its key and value, or its fields."""

    shape: Literal["LIST", "MAP", "RECORD"] = "LIST"
    types: tuple[ColumnDefinition, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateCluster(Create):
    options: Options = ()
    replicas: tuple[tuple[str, Options], ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CreateReplica(Create):
    options: Options = ()


# Dropping


@dataclasses.dataclass(frozen=True, slots=True)
class Drop(Statement):
    kind: ObjectKind
    names: tuple[Name, ...]
    if_exists: bool = False
    behaviour: Literal["", "CASCADE", "RESTRICT"] = ""

    @property
    def cascade(self) -> bool:
        return self.behaviour == "CASCADE"


@dataclasses.dataclass(frozen=True, slots=True)
class DropOwned(Statement):
    roles: tuple[str, ...]
    cascade: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ReassignOwned(Statement):
    old: tuple[str, ...]
    new: str


# Altering


@dataclasses.dataclass(frozen=True, slots=True)
class Alter(Statement):
    kind: ObjectKind
    name: Name
    if_exists: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rename(Alter):
    to: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SetOwner(Alter):
    role: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Swap(Alter):
    """Of two schemas or two clusters."""

    other: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SetCluster(Alter):
    cluster: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class AddColumn(Alter):
    column: ColumnDefinition = NO_COLUMN
    if_not_exists: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class SetOptions(Alter):
    """Of a cluster or connection, or RETAIN HISTORY and the like of an item; `reset` has the names that go back to default."""

    options: Options = ()
    reset: tuple[str, ...] = ()
    with_options: Options = ()
    rotate_keys: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class AlterSource(Alter):
    """ADD or DROP SUBSOURCE, REFRESH REFERENCES."""

    action: Literal["ADD SUBSOURCE", "DROP SUBSOURCE", "REFRESH REFERENCES"] = "REFRESH REFERENCES"


@dataclasses.dataclass(frozen=True, slots=True)
class AlterSink(Alter):
    relation: Name = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ApplyReplacement(Alter):
    replacement: Name = ()


@dataclasses.dataclass(frozen=True, slots=True)
class AlterSecret(Alter):
    value: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class AlterRole(Statement):
    name: str
    attributes: tuple[str, ...] = ()
    variable: str | None = None
    value: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AlterSystem(Statement):
    """`variable` None: reset all of them. `value` None: reset it."""

    variable: str | None
    value: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Comment(Statement):
    kind: ObjectKind | Literal["column"]
    name: Name
    text: str | None


# Roles and privileges


@dataclasses.dataclass(frozen=True, slots=True)
class GrantRole(Statement):
    roles: tuple[str, ...]
    members: tuple[str, ...]
    revoke: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class GrantPrivileges(Statement):
    """`privileges` empty: all of them. `kind` "all in schema" and the like name the containers of what is meant."""

    privileges: tuple[str, ...]
    kind: ObjectKind | Literal["system"]
    names: tuple[Name, ...]
    roles: tuple[str, ...]
    revoke: bool = False
    all_in: Literal["", "schema", "database", "everywhere"] = ""
    kind_named: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class DefaultPrivileges(Statement):
    """`owners` empty: of whoever speaks; ("PUBLIC",): of all roles."""

    owners: tuple[str, ...]
    privileges: tuple[str, ...]
    kind: str
    roles: tuple[str, ...]
    revoke: bool = False
    schemas: tuple[Name, ...] = ()
    databases: tuple[Name, ...] = ()


# Looking


@dataclasses.dataclass(frozen=True, slots=True)
class Show(Statement):
    """SHOW TABLES and its like; `what` in capitals. `condition` is the text behind WHERE."""

    what: str
    within: Name | None = None
    on: Name | None = None
    cluster: str | None = None
    like: str | None = None
    condition: str | None = None
    role: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ShowCreate(Statement):
    kind: ObjectKind
    name: Name


@dataclasses.dataclass(frozen=True, slots=True)
class ShowVariable(Statement):
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Select(Statement):
    query: Query
    as_of: str | None = None
    at_least: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Explain(Statement):
    what: str
    inner: Select
    column: str = "Physical Plan"


@dataclasses.dataclass(frozen=True, slots=True)
class Subscribe(Statement):
    """Of a relation or a query, both as a query."""

    query: Query
    progress: bool = False
    snapshot: bool = True
    as_of: str | None = None
    up_to: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CopyOut(Statement):
    """COPY (query or SUBSCRIBE) TO STDOUT."""

    inner: Select | Subscribe


@dataclasses.dataclass(frozen=True, slots=True)
class CopyToS3(Statement):
    """COPY query TO 's3://bucket/prefix'; `uri` is an expression."""

    inner: Select
    uri: str
    connection: Name
    options: Options = ()


# Writing


@dataclasses.dataclass(frozen=True, slots=True)
class Insert(Statement):
    table: Name
    columns: tuple[str, ...]
    query: Query
    returning: str | None = None
    constant: bool = True
    """Whether the rows are given in the statement, so that nothing has to be read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mutate(Statement):
    """UPDATE or DELETE; `rest` is the text behind the table's name (SET, USING, WHERE)."""

    verb: Literal["UPDATE", "DELETE"]
    table: Name
    alias: str | None
    rest: Query


# Sessions


@dataclasses.dataclass(frozen=True, slots=True)
class SetVariable(Statement):
    name: str
    value: str | None
    local: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Begin(Statement):
    access: Literal["", "READ ONLY", "READ WRITE"] = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Commit(Statement):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Rollback(Statement):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Declare(Statement):
    cursor: str
    inner: Statement


@dataclasses.dataclass(frozen=True, slots=True)
class Fetch(Statement):
    """`count` None: all there are. `timeout` in seconds; None: as long as it takes."""

    cursor: str
    count: int | None
    timeout: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CloseCursor(Statement):
    cursor: str


@dataclasses.dataclass(frozen=True, slots=True)
class Prepare(Statement):
    name: str
    inner: Statement
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Execute(Statement):
    name: str
    arguments: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Deallocate(Statement):
    """`name` None: all of them."""

    name: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Discard(Statement):
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class ValidateConnection(Statement):
    name: Name
