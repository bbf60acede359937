"""Executes CREATE of tables, views, indexes, types, secrets and connections."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Sequence

from racehound_zoo.catalog.model import (
    Column,
    ConnectionDefinition,
    IndexDefinition,
    Item,
    QueryDefinition,
    SecretDefinition,
    TableDefinition,
    TypeDefinition,
)
from racehound_zoo.catalog.privileges import require_item, require_item_owner
from racehound_zoo.datatypes import PHYSICAL_NAMES, TEXT, builtin, of_oid
from racehound_zoo.dialect.parts import ColumnDefinition, Name, Query, TypeName
from racehound_zoo.dialect.statements import (
    Create,
    CreateConnection,
    CreateIndex,
    CreateMaterializedView,
    CreateSecret,
    CreateTable,
    CreateType,
    CreateView,
    Refresh,
)
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.clusters import replica_named
from racehound_zoo.execution.dropping import refuse_dependents
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.execution.rendering import bind, reads_system, render, view_text
from racehound_zoo.execution.replacing import refuse_unlike, replaced

_WORD = re.compile(r'"?([\w$]+)"?')


def create_table(plan: CatalogPlan, statement: CreateTable) -> str:
    columns, uses = _columns(plan, statement.columns)
    schema, existing = plan.find_existing(statement.name, temporary=statement.temporary)
    if existing is not None:
        plan.refuse_existing("table", statement.name, existing, quiet=statement.if_not_exists)
        return "CREATE TABLE"
    key = plan.allocate()
    plan.add(key, "table", schema, statement.name[-1], TableDefinition(statement.columns), uses, columns)
    make_table(plan, key[0], statement.columns, columns)
    return "CREATE TABLE"


def make_table(plan: CatalogPlan, key: str, definitions: Sequence[ColumnDefinition], columns: Sequence[Column]) -> None:
    """Create a table in the storage."""
    defaults = {definition.name: definition.default for definition in definitions}
    plan.context.storage.create_table(
        key, [(column.name, column.type.physical, column.nullable, defaults.get(column.name)) for column in columns]
    )
    plan.created.append(key)


def _columns(plan: CatalogPlan, definitions: Sequence[ColumnDefinition]) -> tuple[list[Column], list[str]]:
    """The columns with their types resolved, and the ids of the user-defined types among these."""
    columns, uses = [], []
    for definition in definitions:
        column, used = shaped(plan, definition)
        columns.append(column)
        uses += used
    repeated = [column.name for number, column in enumerate(columns) if column.name in {each.name for each in columns[:number]}]
    if repeated:
        raise SqlError(f'column "{repeated[0]}" specified more than once')
    return columns, uses


def shaped(plan: CatalogPlan, definition: ColumnDefinition) -> tuple[Column, list[str]]:
    """A column with its type resolved, and the ids of the user-defined types that it uses."""
    written = definition.type
    known = builtin(written.name[-1]) if len(written.name) == 1 or written.name[0] == "pg_catalog" else None
    if known is not None:
        physical = physical_type(written)
        shown = known.name + ("[]" if written.suffix.endswith("[]") else " list" if written.suffix.endswith("list") else "")
        kind = dataclasses.replace(known, physical=physical)
        return Column(definition.name, kind, definition.nullable, shown), []
    item = plan.state.find(written.name, plan.scope, "type")
    assert isinstance(item.definition, TypeDefinition)
    kind = dataclasses.replace(TEXT, name=item.name, physical=item.definition.physical)
    return Column(definition.name, kind, definition.nullable, item.name), [item.id]


def physical_type(written: TypeName) -> str:
    """The type that the storage uses for a built-in type."""
    known = builtin(written.name[-1])
    if known is None:
        raise SqlError(f'type "{written.name[-1]}" does not exist')
    base = PHYSICAL_NAMES.get(known.name, known.physical)
    modifier, _, rest = written.suffix.partition(" ")
    return base + modifier + ("[]" if rest == "list" else "")


def create_view(plan: CatalogPlan, statement: CreateView) -> str:
    bound = _bound(plan, statement.query, "", temporary=statement.temporary)
    schema, existing = plan.find_existing(statement.name, temporary=statement.temporary)
    if existing is not None and not _replaced(plan, statement, existing, bound, or_replace=statement.or_replace, kind="view"):
        return "CREATE VIEW"
    key = plan.allocate()
    columns = _make_view(plan, key[0], statement.query, bound, statement.columns)
    definition = QueryDefinition(statement.query, bound, statement.columns)
    plan.add(key, "view", schema, statement.name[-1], definition, bound, columns)
    return "CREATE VIEW"


def create_materialized_view(plan: CatalogPlan, statement: CreateMaterializedView) -> str:
    bound = _bound(plan, statement.query, "materialize", temporary=False)
    cluster = plan.cluster_id(statement.cluster)
    replica = _only_replica(plan, statement, cluster)
    takes_place_of = replaced(plan, statement)
    schema, existing = plan.find_existing(statement.name)
    if existing is not None and not _replaced(
        plan, statement, existing, bound, or_replace=statement.or_replace, kind="materialized view"
    ):
        return "CREATE MATERIALIZED VIEW"
    key = plan.allocate()
    refreshes = _scheduled(plan, statement.refreshes)
    stored = any(refresh.strategy != "ON COMMIT" for refresh in refreshes)
    columns = _make_view(plan, key[0], statement.query, bound, statement.columns, stored=stored)
    uses = bound
    if takes_place_of is not None:
        refuse_unlike(plan, takes_place_of, bound, columns)
        uses = (*bound, takes_place_of.id)
    replaces = takes_place_of.id if takes_place_of is not None else None
    definition = QueryDefinition(statement.query, bound, statement.columns, refreshes, replica, replaces)
    plan.add(key, "materialized view", schema, statement.name[-1], definition, uses, columns, cluster)
    return "CREATE MATERIALIZED VIEW"


def _only_replica(plan: CatalogPlan, statement: CreateMaterializedView, cluster: str) -> str | None:
    """The id of the only replica that is to maintain the view; None for all replicas."""
    if statement.replica is None:
        return None
    plan.require_feature("enable_replica_targeted_materialized_views", "CREATE MATERIALIZED VIEW ... IN CLUSTER ... REPLICA")
    return replica_named(plan.state.clusters[cluster], statement.replica).id


def _replaced(plan: CatalogPlan, statement: Create, existing: Item, bound: Sequence[str], *, or_replace: bool, kind: str) -> bool:
    """Whether the existing item has been dropped because the statement has OR REPLACE."""
    if not or_replace or existing.kind != kind:
        plan.refuse_existing(kind, statement.name, existing, quiet=statement.if_not_exists)
        return False
    if existing.id in bound:
        name = ".".join(plan.state.full_name(existing))
        raise SqlError(f"cannot replace {kind} {name}: depended upon by new {name} definition")
    refuse_dependents(plan, existing, frozenset({existing.id}))
    plan.require_owner(existing)
    plan.drop(plan.state.with_dependents([existing.id]))
    return True


def _bound(plan: CatalogPlan, query: Query, purpose: str, *, temporary: bool) -> tuple[str, ...]:
    """The ids of the relations that a query reads.

    With the purpose "materialize", a query whose result changes by itself is refused.
    """
    bound = bind(plan.state, plan.scope, query)
    for key in bound:
        item = plan.state.known(key)
        if item.session is not None and not temporary:
            raise SqlError(f"non-temporary items cannot depend on temporary item '{item.name}'")
    if query.has_wildcard and any(plan.state.known(key).is_system for key in bound):
        raise SqlError(
            "cannot use wildcard expansions or NATURAL JOINs in a view that depends on system objects",
            "0A000",
            "This is a current limitation in Materialize",
            "Rewrite the view to refer to all columns by name. "
            "Expand all wildcards and convert all NATURAL JOINs to USING joins.",
        )
    if purpose == "materialize" and query.calls & {"now", "current_timestamp"}:
        raise SqlError(
            "cannot materialize call to current_timestamp",
            "0A000",
            "See: https://materialize.com/docs/sql/functions/now_and_mz_now/",
            "In temporal filters `mz_now()` may work instead.",
        )
    return bound


def _make_view(
    plan: CatalogPlan, key: str, query: Query, bound: Sequence[str], names: Sequence[str], *, stored: bool = False
) -> tuple[Column, ...]:
    """Create a view in the storage and return its columns.

    A view that reads system relations is not stored: its query is rendered wherever it is read.
    """
    if reads_system(plan.state, bound):
        fields = plan.context.storage.describe(render(plan.context.snapshot(), query, bound)).fields
        columns = [Column(field.name, of_oid(field.oid)) for field in fields]
        renamed = [dataclasses.replace(column, name=name) for column, name in zip(columns, names, strict=False)]
        return (*renamed, *columns[len(renamed) :])
    columns_made = plan.context.storage.create_view(key, view_text(plan.state, query, bound), names, stored=stored)
    plan.created.append(key)
    return columns_made


def _scheduled(plan: CatalogPlan, refreshes: Sequence[Refresh]) -> tuple[Refresh, ...]:
    """The REFRESH options with their expressions evaluated."""
    now = int(time.time() * 1000)
    found = []
    for refresh in refreshes:
        if refresh.strategy == "AT CREATION":
            found.append(Refresh("AT", str(now)))
        elif refresh.strategy == "AT":
            found.append(Refresh("AT", str(_moment(plan, refresh.text))))
        elif refresh.strategy == "EVERY":
            aligned = _moment(plan, refresh.aligned_to) if refresh.aligned_to else now
            found.append(Refresh("EVERY", refresh.text, str(aligned)))
        else:
            found.append(refresh)
    return tuple(found)


def _moment(plan: CatalogPlan, expression: str) -> int:
    """The time that an expression stands for, in milliseconds since 1970. The expression is such a number or a timestamp."""
    with plan.context.storage.reader() as backend:
        text = backend.run(f"SELECT ({expression})::text").rows[0][0]
        if text is None:
            raise SqlError("REFRESH AT does not support calling mz_now() without a cast")
        if re.fullmatch(rb"\d+(\.\d*)?", text):
            return int(float(text))
        found = backend.run("SELECT floor(extract(epoch FROM '" + text.decode() + "'::timestamptz) * 1000)::int8").rows[0][0]
    return int(found or 0)


def create_index(plan: CatalogPlan, statement: CreateIndex) -> str:
    if statement.cluster is not None:
        plan.state.cluster_named(statement.cluster)
    on = plan.state.find(statement.on, plan.scope)
    if not on.is_relation:
        raise SqlError(f"cannot create index on {'.'.join(plan.state.full_name(on))} because it is a {on.kind}")
    names = [column.name for column in on.columns]
    for part in statement.key or ():
        word = _WORD.fullmatch(part)
        if word is not None and word[1] not in names:
            raise SqlError(f'column "{word[1]}" does not exist')
    key_columns = statement.key if statement.key is not None else tuple(names)
    name = statement.name or _free_index_name(plan, on, statement.key)
    schema = plan.state.schemas.get(on.schema)
    taken = plan.state.names.get((on.schema, "item", name, None))
    existing = plan.state.item(taken) if taken is not None else None
    if existing is not None:
        plan.refuse_existing("index", (name,), existing, quiet=statement.if_not_exists)
        return "CREATE INDEX"
    require_item_owner(plan.state, plan.scope, on)
    cluster = plan.cluster_id(statement.cluster)
    _say_identical(plan, on, name, key_columns, cluster)
    plan.add(plan.allocate(), "index", schema, name, IndexDefinition(on.id, key_columns), [on.id], (), cluster)
    return "CREATE INDEX"


def _free_index_name(plan: CatalogPlan, on: Item, key: Sequence[str] | None) -> str:
    middle = "primary" if key is None else "_".join(part.strip('"') if _WORD.fullmatch(part) else "expr" for part in key)
    base = f"{on.name}_{middle}_idx"
    name, number = base, 0
    while (on.schema, "item", name, None) in plan.state.names:
        number += 1
        name = f"{base}{number}"
    return name


def _say_identical(plan: CatalogPlan, on: Item, name: str, key: tuple[str, ...], cluster: str) -> None:
    prefix = ".".join(plan.state.full_name(on)[:-1])
    for other in plan.state.dependents(on.id):
        if isinstance(other.definition, IndexDefinition) and other.definition.key == key and other.cluster == cluster:
            plan.notice(
                f"Index {prefix}.{name} is identical to {prefix}.{other.name}, which is also defined on "
                f"{on.name}({', '.join(key)})."
            )
            return


def create_secret(plan: CatalogPlan, statement: CreateSecret) -> str:
    schema, existing = plan.find_existing(statement.name)
    if existing is not None:
        plan.refuse_existing("secret", statement.name, existing, quiet=statement.if_not_exists, plainly=True)
        return "CREATE SECRET"
    definition = SecretDefinition(secret_value(plan, statement.value))
    plan.add(plan.allocate(), "secret", schema, statement.name[-1], definition, ())
    return "CREATE SECRET"


def secret_value(plan: CatalogPlan, expression: str) -> str:
    """The value of a secret, from the expression in the statement."""
    with plan.context.storage.reader() as backend:
        return (backend.run(f"SELECT ({expression})::text").rows[0][0] or b"").decode()


def create_type(plan: CatalogPlan, statement: CreateType) -> str:
    columns, uses = _columns(plan, statement.types)
    schema, existing = plan.find_existing(statement.name, "type")
    if existing is not None:
        raise plan.already_exists(existing)
    physical = f"{columns[0].type.physical}[]" if statement.shape == "LIST" else "jsonb"
    plan.add(plan.allocate(), "type", schema, statement.name[-1], TypeDefinition(statement, physical), uses)
    return "CREATE TYPE"


def create_connection(plan: CatalogPlan, statement: CreateConnection) -> str:
    if statement.type == "INVALID URL":
        raise SqlError("invalid CONNECTION: URL must have an empty path")
    definition = connection_definition(plan, statement)
    schema, existing = plan.find_existing(statement.name)
    if existing is not None:
        plan.refuse_existing("connection", statement.name, existing, quiet=statement.if_not_exists)
        return "CREATE CONNECTION"
    uses = [key for _, key in definition.bound]
    for key in uses:
        require_item(plan.state, plan.scope, plan.state.known(key), "USAGE")
    plan.add(plan.allocate(), "connection", schema, statement.name[-1], definition, uses)
    return "CREATE CONNECTION"


def connection_definition(plan: CatalogPlan, statement: CreateConnection) -> ConnectionDefinition:
    """The definition of a connection, with the ids of the secrets and connections that it names."""
    bound: list[tuple[Name, str]] = []
    for name, value in statement.options:
        if value.kind == "secret" or (value.kind == "word" and _names_connection(name)):
            bound.append((value.words, plan.state.find(value.words, plan.scope).id))
    return ConnectionDefinition(statement.type, statement.options, tuple(bound))


def _names_connection(option: str) -> bool:
    return option.endswith(("CONNECTION", "SSH TUNNEL", "AWS PRIVATELINK"))
