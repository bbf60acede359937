"""Asks upstream systems, before the catalog is locked, for all that a statement needs to know of them."""

from __future__ import annotations

from racehound_zoo.catalog.model import ConnectionDefinition, SinkDefinition, SourceDefinition
from racehound_zoo.dialect.parts import option, spell
from racehound_zoo.dialect.statements import (
    CreateConnection,
    CreateSink,
    CreateSource,
    CreateTableFromSource,
    External,
    SetOptions,
    Statement,
)
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.altering import target, wants_validation
from racehound_zoo.execution.connecting import create_sink, registry_of, source_connection, source_of_table
from racehound_zoo.execution.creating import connection_definition, create_connection
from racehound_zoo.execution.plan import NO_ANSWERS, CatalogPlan, UpstreamAnswers
from racehound_zoo.sources.facts import connection_facts, described, plain, sink_facts, source_facts, system_of
from racehound_zoo.sources.registry import connector, sink_connector
from racehound_zoo.sources.source import Encoding, Offer, SourceFacts, matching

_CONNECTION_SYSTEMS = {
    "KAFKA": "KAFKA", "CONFLUENT SCHEMA REGISTRY": "KAFKA", "POSTGRES": "POSTGRES", "MYSQL": "MYSQL", "SQL SERVER": "SQL SERVER",
}  # fmt: skip


def ask_upstream(plan: CatalogPlan, statement: Statement, cluster: str) -> UpstreamAnswers:
    """Ask the upstream systems. SqlError when the statement or an answer is wrong. The caller discards `plan` afterwards."""
    plan.cluster = cluster
    if isinstance(statement, CreateTableFromSource):
        return _table(plan, statement)
    if isinstance(statement, CreateSource) and isinstance(statement.connector, External):
        return _source(plan, statement, statement.connector)
    if isinstance(statement, CreateConnection):
        _connection(plan, statement)
    elif isinstance(statement, CreateSink):
        _sink(plan, statement)
    elif isinstance(statement, SetOptions) and statement.kind == "connection" and wants_validation(statement):
        _altered_connection(plan, statement)
    return NO_ANSWERS


def validate(plan: CatalogPlan, key: str) -> None:
    """VALIDATE CONNECTION. SqlError if the upstream system cannot be reached or refuses."""
    facts = connection_facts(plan.state, key)
    connector(connection_system(facts.type)).validate(facts)


def connection_system(kind: str) -> str:
    """The name of the connector for a type of connection."""
    return _CONNECTION_SYSTEMS.get(kind, kind)


def _table(plan: CatalogPlan, statement: CreateTableFromSource) -> UpstreamAnswers:
    source = source_of_table(plan, statement)
    registry = registry_of(plan, statement.format)
    definition = source.definition
    if not isinstance(definition, SourceDefinition) or not system_of(definition):
        raise SqlError(f"source {spell(statement.source)} has no references")
    upstream, facts = connector(system_of(definition)), source_facts(plan.state, source)
    offers = upstream.offers(facts)
    offer = matching(statement.reference, offers) if statement.reference else (offers[0] if len(offers) == 1 else None)
    if offer is None:
        raise SqlError(f"reference to {spell(statement.reference)} not found in source")
    encoding = Encoding(
        statement.format, statement.key_format, statement.include, statement.envelope,
        connection_facts(plan.state, registry.id) if registry is not None else None,
    )  # fmt: skip
    return UpstreamAnswers(offer, upstream.shape(facts, offer, encoding))


def _source(plan: CatalogPlan, statement: CreateSource, written: External) -> UpstreamAnswers:
    connection = source_connection(plan, statement)
    assert connection is not None
    assert isinstance(connection.definition, ConnectionDefinition)
    registry = registry_of(plan, statement.format)
    _, existing = plan.find_existing(statement.name)
    if existing is not None:
        return NO_ANSWERS
    upstream = connector(written.system)
    facts = SourceFacts("", connection_facts(plan.state, connection.id), plain(written.options))
    upstream.check_source(facts)
    encoding = Encoding(
        statement.format, statement.key_format, statement.include, statement.envelope,
        connection_facts(plan.state, registry.id) if registry is not None else None,
    )  # fmt: skip
    if statement.tables is not None:
        offers = upstream.offers(facts)
        return UpstreamAnswers(
            subsources=[(offer, upstream.shape(facts, offer, encoding)) for offer in _wanted(statement, offers)]
        )
    if statement.format is not None:
        offer = upstream.offers(facts)[0]
        return UpstreamAnswers(offer, upstream.shape(facts, offer, encoding))
    return NO_ANSWERS


def _wanted(statement: CreateSource, offers: object) -> list[Offer]:
    assert isinstance(offers, list | tuple)
    if statement.tables == "ALL":
        return [*offers]
    found = []
    for outer, _ in statement.tables or ():
        offer = matching(outer, offers)
        if offer is None:
            raise SqlError(f"reference to {spell(outer)} not found in source")
        found.append(offer)
    return found


def _connection(plan: CatalogPlan, statement: CreateConnection) -> None:
    create_connection(plan, statement)
    validated = option(statement.with_options, "VALIDATE")
    made = bool(plan.events)
    # Connections to AWS are validated only on request (https://materialize.com/docs/sql/create-connection/).
    if made and (statement.type != "AWS" if validated is None else validated.truth):
        definition = connection_definition(plan, statement)
        connector(connection_system(statement.type)).validate(described(plan.state, "", definition))


def _altered_connection(plan: CatalogPlan, statement: SetOptions) -> None:
    item = target(plan, statement)
    if item is not None and isinstance(item.definition, ConnectionDefinition):
        given = dict(statement.options)
        options = tuple((name, given.get(name, value)) for name, value in item.definition.options)
        facts = described(plan.state, item.id, ConnectionDefinition(item.definition.type, options, item.definition.bound))
        connector(connection_system(facts.type)).validate(facts)


def _sink(plan: CatalogPlan, statement: CreateSink) -> None:
    create_sink(plan, statement)
    made = next((plan.state.items[key] for _, kind, _, key in plan.events if kind == "sink"), None)
    if made is not None:
        assert isinstance(made.definition, SinkDefinition)
        columns = plan.state.known(made.definition.relation).columns
        sink_connector(statement.system).check(sink_facts(plan.state, made), columns)
