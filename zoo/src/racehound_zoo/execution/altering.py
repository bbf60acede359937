"""Executes ALTER of items, and COMMENT."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import (
    Column,
    ConnectionDefinition,
    Item,
    SecretDefinition,
    SinkDefinition,
    SourceTableDefinition,
    TableDefinition,
)
from racehound_zoo.catalog.privileges import require, require_create, require_member, require_owner
from racehound_zoo.catalog.state import CommentSubject
from racehound_zoo.dialect.parts import option, spell
from racehound_zoo.dialect.statements import (
    AddColumn,
    Alter,
    AlterSecret,
    AlterSink,
    AlterSource,
    ApplyReplacement,
    Comment,
    Rename,
    SetCluster,
    SetOptions,
    SetOwner,
)
from racehound_zoo.errors import Notice, SqlError
from racehound_zoo.execution.connecting import refuse_view, sink_input, with_input
from racehound_zoo.execution.creating import secret_value, shaped
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.execution.replacing import replace


def target(plan: CatalogPlan, statement: Alter, verb: str = "ALTER") -> Item | None:
    """The item to alter; None if it does not exist and the statement has IF EXISTS."""
    try:
        return plan.item_of_kind(statement.kind, statement.name, verb)
    except SqlError as error:
        if not error.message.startswith("unknown "):
            raise
        plan.skip(statement.kind, statement.name, quiet=statement.if_exists, error=error)
        return None


def rename(plan: CatalogPlan, statement: Rename) -> str:
    item = target(plan, statement, "RENAME")
    if item is not None:
        plan.require_owner(item)
        plan.rename(item, statement.to)
    return f"ALTER {statement.kind.upper()}"


def set_owner(plan: CatalogPlan, statement: SetOwner) -> str:
    role = plan.state.role_named(statement.role)
    item = target(plan, statement)
    if item is None:
        return f"ALTER {statement.kind.upper()}"
    plan.require_owner(item)
    require_member(plan.state, plan.scope, role.id)
    if item.kind == "index":
        plan.notices.append(_index_owner(plan, item))
        return "ALTER INDEX"
    schema = plan.state.schemas.get(item.schema)
    if schema is not None and role.id != item.owner:
        require_create(plan.state, dataclasses.replace(plan.scope, role=role.id), schema)
    change_owner(plan, item, role.id)
    return f"ALTER {statement.kind.upper()}"


def _index_owner(plan: CatalogPlan, item: Item) -> Notice:
    name = ".".join(plan.state.full_name(item))
    return Notice(f'cannot change owner of "{name}"', "01000", "WARNING")


def change_owner(plan: CatalogPlan, item: Item, role: str) -> None:
    """Give an item a new owner, who gets the privileges of the old one. The indexes of a relation get the new owner, too."""
    acls = tuple(
        dataclasses.replace(
            acl,
            grantee=role if acl.grantee == item.owner else acl.grantee,
            grantor=role if acl.grantor == item.owner else acl.grantor,
        )
        for acl in item.acls
    )
    plan.state = plan.state.with_item(dataclasses.replace(item, owner=role, acls=acls))
    for index in plan.state.dependents(item.id):
        if index.kind == "index":
            plan.state = plan.state.with_item(dataclasses.replace(index, owner=role))
    plan.record("alter", item.kind, item.name, item.id)


def set_cluster(plan: CatalogPlan, statement: SetCluster) -> str:
    item = target(plan, statement)
    cluster = plan.state.cluster_named(statement.cluster)
    if item is not None:
        plan.require_owner(item)
        require(plan.state, plan.scope, "cluster", cluster.name, cluster.acls, "CREATE")
        if item.cluster is None:
            raise SqlError(f"ALTER {item.kind.upper()} SET CLUSTER is not supported", "0A000")
        plan.state = plan.state.with_item(dataclasses.replace(item, cluster=cluster.id))
    return f"ALTER {statement.kind.upper()}"


def add_column(plan: CatalogPlan, statement: AddColumn) -> str:
    item = target(plan, statement)
    if item is None:
        return "ALTER TABLE"
    plan.require_owner(item)
    column, uses = shaped(plan, statement.column)
    if any(each.name == column.name for each in item.columns):
        message = f'column "{column.name}" of relation "{item.name}" already exists'
        if not statement.if_not_exists:
            raise SqlError(message, "42701")
        plan.notice(f"{message}, skipping", "42701")
        return "ALTER TABLE"
    if isinstance(item.definition, SourceTableDefinition) or not isinstance(item.definition, TableDefinition):
        raise SqlError(f"cannot add a column to table {item.name}", "0A000")
    if not plan.context.storage.add_column(item.id, column.name, column.type.physical):
        plan.retry = True
        return "ALTER TABLE"
    _widen(plan, item, column, statement, uses)
    return "ALTER TABLE"


def _widen(plan: CatalogPlan, item: Item, column: Column, statement: AddColumn, uses: list[str]) -> None:
    assert isinstance(item.definition, TableDefinition)
    definition = TableDefinition((*item.definition.columns, statement.column))
    plan.state = plan.state.with_item(
        dataclasses.replace(
            item, definition=definition, columns=(*item.columns, column), generation=item.generation + 1, uses=(*item.uses, *uses)
        )
    )
    plan.record("alter", item.kind, item.name, item.id)


def alter_sink(plan: CatalogPlan, statement: AlterSink) -> str:
    item = target(plan, statement)
    if item is None:
        return "ALTER SINK"
    assert isinstance(item.definition, SinkDefinition)
    relation = sink_input(plan, statement.relation)
    refuse_view(plan, relation)
    plan.require_owner(item)
    old = item.definition.relation
    uses = tuple(relation.id if used == old else used for used in item.uses)
    plan.state = plan.state.with_item(dataclasses.replace(item, definition=with_input(item.definition, relation.id), uses=uses))
    plan.record("alter", item.kind, item.name, item.id)
    return "ALTER SINK"


def apply_replacement(plan: CatalogPlan, statement: ApplyReplacement) -> str:
    item = target(plan, statement)
    if item is not None:
        replace(plan, item, statement.replacement)
    return "ALTER MATERIALIZED VIEW"


def alter_secret(plan: CatalogPlan, statement: AlterSecret) -> str:
    item = target(plan, statement)
    if item is not None:
        plan.require_owner(item)
        definition = SecretDefinition(secret_value(plan, statement.value))
        plan.state = plan.state.with_item(dataclasses.replace(item, definition=definition))
    return "ALTER SECRET"


def alter_source(plan: CatalogPlan, statement: AlterSource) -> str:
    item = target(plan, statement)
    if item is None or statement.action == "REFRESH REFERENCES":
        return "ALTER SOURCE"
    raise SqlError(f"source {spell(statement.name)} does not support ALTER SOURCE.")


def set_options(plan: CatalogPlan, statement: SetOptions) -> str:
    """ALTER … SET or RESET of options.

    Only options of a connection have an effect; RETAIN HISTORY and TIMESTAMP INTERVAL are accepted and ignored.
    """
    item = target(plan, statement)
    if item is None:
        return f"ALTER {statement.kind.upper()}"
    plan.require_owner(item)
    definition = item.definition
    if isinstance(definition, ConnectionDefinition):
        if statement.rotate_keys:
            raise SqlError(f"{'.'.join(plan.state.full_name(item))} is not an SSH connection")
        given = dict(statement.options)
        kept = [(name, given.pop(name, value)) for name, value in definition.options if name not in statement.reset]
        changed = dataclasses.replace(definition, options=(*kept, *given.items()))
        plan.state = plan.state.with_item(dataclasses.replace(item, definition=changed))
    return f"ALTER {statement.kind.upper()}"


def wants_validation(statement: SetOptions) -> bool:
    """Whether the connection must be validated before it is changed."""
    validate = option(statement.with_options, "VALIDATE")
    return validate is not None and validate.truth


def comment(plan: CatalogPlan, statement: Comment) -> str:
    key = _commented(plan, statement)
    rest = {place: text for place, text in plan.state.comments.items() if place != key}
    comments = rest if statement.text is None else {**rest, key: statement.text}
    plan.state = dataclasses.replace(plan.state, comments=comments)
    plan.record("comment", statement.kind, statement.name[-1], key.id)
    return "COMMENT"


def _commented(plan: CatalogPlan, statement: Comment) -> CommentSubject:
    if statement.kind == "column":
        item = plan.state.find(statement.name[:-1], plan.scope)
        plan.require_owner(item)
        names = [column.name for column in item.columns]
        if statement.name[-1] not in names:
            raise SqlError(f'column "{spell(statement.name)}" does not exist')
        return CommentSubject("item", item.id, names.index(statement.name[-1]) + 1)
    if statement.kind in {"cluster", "cluster replica", "schema", "database", "role"}:
        return CommentSubject(statement.kind, _commented_container(plan, statement))
    item = plan.item_of_kind(statement.kind, statement.name, "ALTER")
    plan.require_owner(item)
    return CommentSubject("item", item.id)


def _commented_container(plan: CatalogPlan, statement: Comment) -> str:
    state, scope, kind, name = plan.state, plan.scope, statement.kind, statement.name
    if kind == "cluster replica":
        return _replica(plan, statement)
    if kind == "role":
        return state.role_named(name[-1]).id
    if kind == "schema":
        schema = state.schema_named(name, scope)
        require_owner(state, scope, kind, state.schema_full_name(schema), schema.owner)
        return schema.id
    thing = state.cluster_named(name[-1]) if kind == "cluster" else state.database_named(name[-1])
    require_owner(state, scope, kind, thing.name, thing.owner)
    return thing.id


def _replica(plan: CatalogPlan, statement: Comment) -> str:
    cluster = plan.state.cluster_named(statement.name[0])
    for replica in cluster.replicas:
        if replica.name == statement.name[-1]:
            return replica.id
    raise SqlError(f'CLUSTER {cluster.name} has no CLUSTER REPLICA named "{statement.name[-1]}"')
