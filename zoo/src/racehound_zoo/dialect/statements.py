"""The statements that the parser returns. Names in them are not resolved."""

from __future__ import annotations

import dataclasses
from typing import Literal

from racehound_zoo.dialect.parts import NO_COLUMN, NO_QUERY, ColumnDefinition, Format, Name, ObjectKind, Options, Query


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """The base class of all statements."""


# CREATE


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
    """The only replica of the cluster that maintains the view."""
    replaces: Name | None = None
    """The materialized view that this one can replace later."""


@dataclasses.dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    """CREATE INDEX. Without a name, the index is named after its relation and key. Without a key, it is the default index."""

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
    """An external system (Kafka, PostgreSQL, MySQL or SQL Server) that is reached through a connection."""

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
    """CREATE TYPE. `shape` is LIST, MAP or RECORD; `types` has the element type, the key and value types, or the field types."""

    shape: Literal["LIST", "MAP", "RECORD"] = "LIST"
    types: tuple[ColumnDefinition, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CreateCluster(Create):
    options: Options = ()
    replicas: tuple[tuple[str, Options], ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CreateReplica(Create):
    options: Options = ()


# DROP


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


# ALTER


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
    """ALTER … SWAP WITH …, for two schemas or two clusters."""

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
    """ALTER … SET or RESET of options, for a cluster, a connection, or the RETAIN HISTORY of an item.

    `reset` has the names of the options that are reset.
    """

    options: Options = ()
    reset: tuple[str, ...] = ()
    with_options: Options = ()
    rotate_keys: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class AlterSource(Alter):
    """ALTER SOURCE with ADD SUBSOURCE, DROP SUBSOURCE or REFRESH REFERENCES."""

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
    """ALTER SYSTEM. `variable` None resets all variables; `value` None resets the one named."""

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
    """GRANT or REVOKE of privileges.

    `privileges` is empty for ALL. With a `kind` such as "all in schema", the names are those of the containers.
    """

    privileges: tuple[str, ...]
    kind: ObjectKind | Literal["system"]
    names: tuple[Name, ...]
    roles: tuple[str, ...]
    revoke: bool = False
    all_in: Literal["", "schema", "database", "everywhere"] = ""
    kind_named: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class DefaultPrivileges(Statement):
    """ALTER DEFAULT PRIVILEGES. `owners` is empty for the session's role and ("PUBLIC",) for all roles."""

    owners: tuple[str, ...]
    privileges: tuple[str, ...]
    kind: str
    roles: tuple[str, ...]
    revoke: bool = False
    schemas: tuple[Name, ...] = ()
    databases: tuple[Name, ...] = ()


# Queries


@dataclasses.dataclass(frozen=True, slots=True)
class Show(Statement):
    """SHOW TABLES and similar statements. `what` is in capitals; `condition` is the text after WHERE."""

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
    """SUBSCRIBE to a relation or a query. A relation is represented by the query that reads it."""

    query: Query
    progress: bool = False
    snapshot: bool = True
    as_of: str | None = None
    up_to: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CopyOut(Statement):
    """COPY of a query or a SUBSCRIBE to STDOUT."""

    inner: Select | Subscribe


@dataclasses.dataclass(frozen=True, slots=True)
class CopyToS3(Statement):
    """COPY of a query to `uri`, which is an expression such as 's3://bucket/prefix'."""

    inner: Select
    uri: str
    connection: Name
    options: Options = ()


# Changes of rows


@dataclasses.dataclass(frozen=True, slots=True)
class Insert(Statement):
    table: Name
    columns: tuple[str, ...]
    query: Query
    returning: str | None = None
    constant: bool = True
    """Whether the statement itself contains the rows, so that no relation has to be read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mutate(Statement):
    """UPDATE or DELETE. `rest` is the text after the table's name (SET, USING, WHERE)."""

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
    """FETCH. `count` None fetches all rows. `timeout` is in seconds; None waits without a limit."""

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
    """DEALLOCATE. `name` None deallocates all prepared statements."""

    name: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Discard(Statement):
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class ValidateConnection(Statement):
    name: Name
