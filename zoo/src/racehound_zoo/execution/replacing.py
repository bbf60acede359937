"""Replacement of materialized views.

A replacement is itself a materialized view that can be read and dropped. When it is applied, its target gets its query and keeps
its own name and id, and the replacement no longer exists (https://materialize.com/docs/sql/alter-materialized-view/).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from racehound_zoo.catalog.model import Column, Item, QueryDefinition
from racehound_zoo.catalog.state import State
from racehound_zoo.dialect.parts import Name, spell
from racehound_zoo.dialect.statements import CreateMaterializedView
from racehound_zoo.errors import SqlError, unsupported
from racehound_zoo.execution.dropping import refuse_dependents
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.execution.rendering import reads_system, view_text

_FLAG = "enable_replacement_materialized_views"


def replaced(plan: CatalogPlan, statement: CreateMaterializedView) -> Item | None:
    """The materialized view that the new one is to replace; None if the statement has no REPLACEMENT.

    SqlError if it cannot be replaced.
    """
    if statement.replaces is None:
        return None
    plan.require_feature(_FLAG, "CREATE REPLACEMENT MATERIALIZED VIEW")
    item = plan.item_of_kind("materialized view", statement.replaces, "ALTER")
    plan.require_owner(item)
    if any(refresh.strategy != "ON COMMIT" for refresh in (*statement.refreshes, *_definition(item).refreshes)):
        raise unsupported("replacing a materialized view that is refreshed on a schedule")
    return item


def refuse_unlike(plan: CatalogPlan, item: Item, bound: Sequence[str], columns: Sequence[Column]) -> None:
    """SqlError unless a query with these inputs and columns can replace the query of the materialized view."""
    if [(column.name, column.type) for column in columns] != [(column.name, column.type) for column in item.columns]:
        raise SqlError("replacement schema differs from target schema")
    if reads_system(plan.state, bound):
        raise unsupported("replacing a materialized view by one that reads the system catalog")
    _refuse_circle(plan.state, item, bound)


def _refuse_circle(state: State, item: Item, bound: Iterable[str]) -> None:
    """SqlError if one of these relations depends on the item."""
    waiting, seen = [*bound], set()
    while waiting:
        key = waiting.pop()
        if key == item.id:
            raise SqlError(f"cannot replace materialized view {'.'.join(state.full_name(item))}: its replacement depends on it")
        found = state.item(key)
        if found is not None and key not in seen and found.kind in {"view", "materialized view"}:
            seen.add(key)
            waiting += _definition(found).bound


def replace(plan: CatalogPlan, item: Item, name: Name) -> None:
    """Apply the replacement of that name."""
    replacement = _replacement(plan, item, name)
    definition = _definition(replacement)
    _refuse_circle(plan.state, item, definition.bound)
    text = view_text(plan.state, definition.query, definition.bound)
    if plan.context.storage.replace_view(item.id, text, [column.name for column in item.columns]):
        _take_place(plan, item, replacement)
    else:
        plan.retry = True


def _replacement(plan: CatalogPlan, item: Item, name: Name) -> Item:
    found = plan.item_of_kind("materialized view", name, "ALTER")
    if _definition(found).replaces != item.id:
        raise SqlError(f"{spell(name)} is not a replacement for {'.'.join(plan.state.full_name(item))}")
    plan.require_owner(item)
    plan.require_owner(found)
    refuse_dependents(plan, found, frozenset({found.id}))
    return found


def _take_place(plan: CatalogPlan, item: Item, replacement: Item) -> None:
    definition = dataclasses.replace(_definition(replacement), replaces=None)
    uses = tuple(key for key in replacement.uses if key != item.id)
    plan.drop(plan.state.with_dependents([replacement.id]))
    plan.state = plan.state.with_item(dataclasses.replace(item, definition=definition, uses=uses, cluster=replacement.cluster))
    plan.record("alter", item.kind, item.name, item.id)


def _definition(item: Item) -> QueryDefinition:
    assert isinstance(item.definition, QueryDefinition)
    return item.definition
