"""Executes DROP of items, with their dependents."""

from __future__ import annotations

from racehound_zoo.catalog.model import IndexDefinition, Item
from racehound_zoo.catalog.state import age
from racehound_zoo.dialect.statements import Drop
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.plan import CatalogPlan

CASCADE_HINT = "Use DROP ... CASCADE to drop the dependent objects too."


def drop_items(plan: CatalogPlan, statement: Drop) -> str:
    tag = f"DROP {statement.kind.upper()}"
    targets: list[Item] = []
    for name in statement.names:
        try:
            targets.append(plan.item_of_kind(statement.kind, name))
        except SqlError as error:
            if not _is_missing(error):
                raise
            plan.skip(statement.kind, name, quiet=statement.if_exists, error=error)
    for item in targets:
        if item.is_system:
            raise SqlError(f"cannot drop {item.kind} {item.name} because it is required by the database system")
    named = frozenset(item.id for item in targets)
    dropped = plan.state.with_dependents([*named])
    if not statement.cascade:
        for item in targets:
            refuse_dependents(plan, item, named)
    for item in targets:
        plan.require_owner(item)
    _notice_used_indexes(plan, targets)
    plan.drop(dropped)
    notice_cascades(plan, len(dropped) - len(named))
    return tag


def _is_missing(error: SqlError) -> bool:
    return error.message.startswith("unknown ") or error.message.endswith(" does not exist")


def refuse_dependents(plan: CatalogPlan, item: Item, going: frozenset[str]) -> None:
    """SqlError if an item depends on this one and is not dropped, too.

    Indexes and progress relations are dropped without being named.
    """
    for dependent in plan.state.dependents(item.id):
        if dependent.id not in going and dependent.kind != "index":
            raise SqlError(
                f'cannot drop {item.kind} "{item.name}": still depended upon by {dependent.kind} "{dependent.name}"',
                hint=CASCADE_HINT,
            )


def notice_cascades(plan: CatalogPlan, count: int) -> None:
    if count > 0:
        plan.notice(f"drop cascades to {count} other objects")


def _notice_used_indexes(plan: CatalogPlan, targets: list[Item]) -> None:
    """Add a notice for an index whose data a later index with the same key shares."""
    for item in targets:
        if not isinstance(item.definition, IndexDefinition):
            continue
        for other in plan.state.dependents(item.definition.on):
            same = isinstance(other.definition, IndexDefinition) and other.definition.key == item.definition.key
            if same and age(other) > age(item) and other.cluster == item.cluster:
                prefix = ".".join(plan.state.full_name(item)[:-1])
                plan.notice(
                    f"The dropped index {prefix}.{item.name} is being used by the following objects: {prefix}.{other.name}. "
                    "The index is now dropped from the catalog, but it will continue to be maintained and take up resources "
                    "until all dependent objects are dropped, altered, or Materialize is restarted!"
                )
