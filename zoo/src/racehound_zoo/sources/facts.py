"""Collects from the catalog what connectors need to know."""

from __future__ import annotations

from collections.abc import Mapping

from racehound_zoo.catalog.model import (
    ConnectionDefinition,
    Item,
    SecretDefinition,
    SinkDefinition,
    SourceDefinition,
    SourceTableDefinition,
)
from racehound_zoo.catalog.state import State
from racehound_zoo.dialect.parts import Name, Options, Value
from racehound_zoo.dialect.statements import External, LoadGenerator
from racehound_zoo.sources.sink import SinkFacts
from racehound_zoo.sources.source import ConnectionFacts, Encoding, Offer, Shape, SourceFacts, TableFacts


def connection_facts(state: State, key: str) -> ConnectionFacts:
    """A connection of the catalog. SqlError if it has been dropped."""
    item = state.known(key)
    assert isinstance(item.definition, ConnectionDefinition)
    return described(state, key, item.definition)


def described(state: State, key: str, definition: ConnectionDefinition) -> ConnectionFacts:
    """A connection that need not be in the catalog yet."""
    bound = dict(definition.bound)
    options = {name: _read(state, value, bound) for name, value in definition.options}
    return ConnectionFacts(key, definition.type, options)


def _read(state: State, value: Value, bound: Mapping[Name, str]) -> str:
    """The value of an option: the content of a secret, and the elements of a list separated by commas."""
    if value.kind == "sequence":
        return ",".join(item.text for item in value.items)
    if value.kind == "secret" and value.words in bound:
        secret = state.known(bound[value.words]).definition
        assert isinstance(secret, SecretDefinition)
        return secret.value
    return value.text


def plain(options: Options) -> Mapping[str, str]:
    """Options as text."""
    return {
        name: ",".join(item.text for item in value.items) if value.kind == "sequence" else value.text for name, value in options
    }


def system_of(definition: SourceDefinition) -> str:
    """The connector that a source needs: KAFKA, POSTGRES, …, or the name of a load generator; "" for none."""
    connector = definition.statement.connector if definition.statement is not None else None
    if isinstance(connector, External):
        return connector.system
    return f"LOAD GENERATOR {connector.generator}" if isinstance(connector, LoadGenerator) else ""


def source_facts(state: State, item: Item) -> SourceFacts:
    definition = item.definition
    assert isinstance(definition, SourceDefinition)
    assert definition.statement is not None
    connector = definition.statement.connector
    assert isinstance(connector, External | LoadGenerator)
    connection = connection_facts(state, definition.connection) if definition.connection else None
    return SourceFacts(item.id, connection, plain(connector.options))


def tables_of(state: State, source: Item) -> dict[str, TableFacts]:
    """The relations that a source fills: its tables, its subsources, and itself if it has columns."""
    found = {}
    if source.columns and isinstance(source.definition, SourceDefinition):
        found[source.id] = _own_table(state, source, source.definition)
    for item in state.items.values():
        definition = item.definition
        if isinstance(definition, SourceTableDefinition) and definition.source == source.id:
            statement = definition.statement
            encoding = Encoding(
                statement.format,
                statement.key_format,
                statement.include,
                statement.envelope,
                _registry(state, definition.registry),
            )
            found[item.id] = TableFacts(item.id, Offer(definition.outer), Shape(item.columns, definition.key), encoding)
        elif isinstance(definition, SourceDefinition) and definition.type == "subsource" and definition.parent == source.id:
            found[item.id] = TableFacts(item.id, Offer(definition.outer), Shape(item.columns, definition.key))
    return found


def _own_table(state: State, source: Item, definition: SourceDefinition) -> TableFacts:
    statement = definition.statement
    encoding = Encoding()
    if statement is not None:
        registry = _registry(state, definition.registry)
        encoding = Encoding(statement.format, statement.key_format, statement.include, statement.envelope, registry)
    return TableFacts(source.id, Offer(definition.outer or ("",)), Shape(source.columns, definition.key), encoding)


def _registry(state: State, key: str | None) -> ConnectionFacts | None:
    return connection_facts(state, key) if key is not None else None


def sink_facts(state: State, item: Item) -> SinkFacts:
    definition = item.definition
    assert isinstance(definition, SinkDefinition)
    statement = definition.statement
    registry = _registry(state, definition.registry)
    encoding = Encoding(statement.format, statement.key_format, "", statement.envelope, registry)
    catalog = _registry(state, definition.catalog_connection)
    connection = connection_facts(state, definition.connection)
    return SinkFacts(item.id, connection, plain(statement.sink_options), encoding, statement.key, catalog)
