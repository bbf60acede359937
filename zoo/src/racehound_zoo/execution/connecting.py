"""Executes CREATE SOURCE, CREATE TABLE FROM SOURCE and CREATE SINK."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from racehound_zoo.catalog.model import ConnectionDefinition, Item, SinkDefinition, SourceDefinition, SourceTableDefinition
from racehound_zoo.catalog.privileges import require_item
from racehound_zoo.dialect.parts import Name, spell
from racehound_zoo.dialect.statements import CreateSink, CreateSource, CreateTableFromSource, External, LoadGenerator, Webhook
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.sources import progress, webhook
from racehound_zoo.sources.generators import GENERATORS
from racehound_zoo.sources.source import Shape
from racehound_zoo.storage import Storage

_TYPES = {"KAFKA": "kafka", "POSTGRES": "postgres", "MYSQL": "mysql", "SQL SERVER": "sql-server"}


def create_source(plan: CatalogPlan, statement: CreateSource) -> str:
    tag = "CREATE TABLE" if statement.is_table else "CREATE SOURCE"
    connection = source_connection(plan, statement)
    registry = registry_of(plan, statement.format)
    _refuse_tables_of_single(statement)
    cluster = plan.cluster_id(statement.cluster)
    schema, existing = plan.find_existing(statement.name)
    if existing is not None:
        plan.refuse_existing("table" if statement.is_table else "source", statement.name, existing, quiet=statement.if_not_exists)
        return tag
    if isinstance(statement.connector, Webhook):
        _webhook(plan, statement, statement.connector, cluster)
        return tag
    progress_relation = _progress(plan, statement)
    shape = _own_shape(plan, statement)
    key = plan.allocate()
    uses = [*(each.id for each in (connection, registry) if each is not None), progress_relation.id]
    definition = SourceDefinition(
        _type(statement), statement, connection.id if connection else None, registry.id if registry else None,
        progress_relation.id, None, ("",), shape.key if shape else (),
    )  # fmt: skip
    columns = shape.columns if shape else ()
    plan.add(key, "source", schema, statement.name[-1], definition, uses, columns, cluster)
    # A source with several outputs is a relation without columns.
    _make(plan, key[0], shape or Shape(()))
    _subsources(plan, statement, key[0], cluster)
    return tag


def source_connection(plan: CatalogPlan, statement: CreateSource) -> Item | None:
    """The connection that a source names. SqlError if the session's role may not use it."""
    if not isinstance(statement.connector, External):
        return None
    item = plan.state.find(statement.connector.connection, plan.scope)
    if not isinstance(item.definition, ConnectionDefinition):
        raise SqlError(f"{spell(statement.connector.connection)} is not a {statement.connector.system} CONNECTION")
    require_item(plan.state, plan.scope, item, "USAGE")
    return item


def registry_of(plan: CatalogPlan, form: object) -> Item | None:
    """The connection to the schema registry that a format names; None if it names none."""
    name = getattr(form, "registry", None)
    return plan.state.find(name, plan.scope) if name is not None else None


def _refuse_tables_of_single(statement: CreateSource) -> None:
    connector = statement.connector
    if statement.tables is not None and isinstance(connector, LoadGenerator) and GENERATORS[connector.generator].is_single:
        raise SqlError("LOAD GENERATOR source validation: FOR ALL TABLES is only valid for multi-output sources")


def _type(statement: CreateSource) -> str:
    connector = statement.connector
    return _TYPES[connector.system] if isinstance(connector, External) else "load-generator"


def _webhook(plan: CatalogPlan, statement: CreateSource, connector: Webhook, cluster: str) -> None:
    schema, _ = plan.find_existing(statement.name)
    key = plan.allocate()
    shape = Shape(webhook.columns(connector))
    definition = SourceDefinition("webhook", statement)
    item = plan.add(
        key,
        "table" if statement.is_table else "source",
        schema,
        statement.name[-1],
        definition,
        (),
        shape.columns,
        None if statement.is_table else cluster,
    )
    _make(plan, key[0], shape)
    plan.notice(f"URL to POST data is '{plan.context.url_of(plan.state.full_name(item))}'")


def _progress(plan: CatalogPlan, statement: CreateSource) -> Item:
    """Create the progress relation of a source, under the name that the statement gives or under a free one."""
    base = statement.progress[-1] if statement.progress else f"{statement.name[-1]}_progress"
    schema, _ = plan.find_existing(statement.name)
    name, number = base, 0
    while schema is not None and (schema.id, "item", name, None) in plan.state.names:
        number += 1
        name = f"{base}_{number}"
    system = statement.connector.system if isinstance(statement.connector, External) else "LOAD GENERATOR"
    shape = progress.shape(system)
    key = plan.allocate()
    item = plan.add(key, "source", schema, name, SourceDefinition("progress"), (), shape.columns)
    _make(plan, key[0], shape)
    return item


def _own_shape(plan: CatalogPlan, statement: CreateSource) -> Shape | None:
    """The columns of a source that is itself a relation with rows; None for other sources."""
    if isinstance(statement.connector, LoadGenerator):
        return GENERATORS[statement.connector.generator].outputs.get("")
    return plan.answers.shape


def _make(plan: CatalogPlan, key: str, shape: Shape) -> None:
    make_relation(plan.context.storage, key, shape)
    plan.created.append(key)


def make_relation(storage: Storage, key: str, shape: Shape) -> None:
    """Create a relation that a source fills in the storage."""
    columns = [(column.name, column.type.physical, True, None) for column in shape.columns]
    storage.create_table(key, columns, shape.key)


def _subsources(plan: CatalogPlan, statement: CreateSource, source: str, cluster: str) -> None:
    """Create the subsources that FOR TABLES names."""
    if statement.tables is None:
        return
    connector = statement.connector
    offered: Sequence[tuple[Name, Shape]] = [(offer.name, shape) for offer, shape in plan.answers.subsources]
    if isinstance(connector, LoadGenerator):
        generator = GENERATORS[connector.generator]
        offered = [((generator.namespace, name), shape) for name, shape in sorted(generator.outputs.items()) if name]
    for outer, shape in offered:
        name = _subsource_name(statement, outer)
        if name is None:
            continue
        schema, existing = plan.find_existing(name)
        if existing is not None:
            raise plan.already_exists(existing)
        key = plan.allocate()
        definition = SourceDefinition("subsource", None, None, None, None, source, outer, shape.key)
        plan.add(key, "source", schema, name[-1], definition, [source], shape.columns, cluster)
        _make(plan, key[0], shape)


def _subsource_name(statement: CreateSource, outer: Name) -> Name | None:
    """The name of the subsource for an upstream relation; None if the statement does not ask for that relation."""
    if statement.tables == "ALL":
        return (*statement.name[:-1], outer[-1])
    assert statement.tables is not None
    for wanted, called in statement.tables:
        if outer[-len(wanted) :] == wanted:
            return called or (*statement.name[:-1], wanted[-1])
    return None


def source_of_table(plan: CatalogPlan, statement: CreateTableFromSource) -> Item:
    """The source that CREATE TABLE … FROM SOURCE names."""
    item = plan.state.find(statement.source, plan.scope)
    if item.kind != "source":
        raise SqlError(f'"{spell(statement.source)}" is a {item.kind} not a source')
    return item


def create_table_from_source(plan: CatalogPlan, statement: CreateTableFromSource) -> str:
    source = source_of_table(plan, statement)
    registry = registry_of(plan, statement.format)
    schema, existing = plan.find_existing(statement.name)
    if existing is not None:
        plan.refuse_existing("table", statement.name, existing, quiet=statement.if_not_exists, plainly=True)
        return "CREATE TABLE"
    offer, shape = plan.answers.offer, plan.answers.shape
    if offer is None or shape is None:
        raise SqlError(f"reference to {spell(statement.reference)} not found in source")
    key = plan.allocate()
    uses = [source.id, *([registry.id] if registry is not None else [])]
    definition = SourceTableDefinition(statement, source.id, registry.id if registry else None, offer.name, shape.key)
    plan.add(key, "table", schema, statement.name[-1], definition, uses, shape.columns)
    _make(plan, key[0], shape)
    return "CREATE TABLE"


def create_sink(plan: CatalogPlan, statement: CreateSink) -> str:
    relation = sink_input(plan, statement.relation)
    connection = plan.state.find(statement.connection, plan.scope)
    if connection.kind != "connection":
        raise SqlError(f"{spell(statement.connection)} is not a {statement.system} CONNECTION")
    require_item(plan.state, plan.scope, connection, "USAGE")
    registry = registry_of(plan, statement.format)
    catalog = plan.state.find(statement.catalog_connection, plan.scope) if statement.catalog_connection else None
    cluster = plan.cluster_id(statement.cluster)
    schema, existing = plan.find_existing(statement.name)
    if existing is not None:
        plan.refuse_existing("sink", statement.name, existing, quiet=statement.if_not_exists)
        return "CREATE SINK"
    refuse_view(plan, relation)
    if statement.envelope == "UPSERT" and not statement.key:
        raise SqlError("ENVELOPE UPSERT requires that you specify a unique key with the KEY option")
    require_item(plan.state, plan.scope, relation, "SELECT")
    used = [each.id for each in (relation, connection, registry, catalog) if each is not None]
    definition = SinkDefinition(
        statement, relation.id, connection.id, registry.id if registry else None, catalog.id if catalog else None
    )
    plan.add(plan.allocate(), "sink", schema, statement.name[-1], definition, used, (), cluster)
    return "CREATE SINK"


def sink_input(plan: CatalogPlan, name: Name) -> Item:
    """The relation that a sink reads."""
    item = plan.state.find(name, plan.scope)
    if not item.is_relation:
        raise SqlError(f"{spell(name)} is a {item.kind}, which cannot be exported as a sink")
    return item


def refuse_view(plan: CatalogPlan, relation: Item) -> None:
    if relation.kind == "view" or relation.is_system:
        raise SqlError(f"{'.'.join(plan.state.full_name(relation))} is a {relation.kind}, which cannot be exported as a sink")


def with_input(definition: SinkDefinition, relation: str) -> SinkDefinition:
    """The definition of the sink with another input relation."""
    return dataclasses.replace(definition, relation=relation)
