"""Translates a query for PostgreSQL: each relation gets the name that it has in the storage, a system relation its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from racehound_zoo.catalog.model import Item, QueryDefinition, SystemDefinition
from racehound_zoo.catalog.privileges import require_item
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.dialect.parts import Query
from racehound_zoo.errors import SqlError
from racehound_zoo.relations.rendering import as_subquery
from racehound_zoo.relations.snapshot import SystemSnapshot
from racehound_zoo.rows import physical_name

_USER = "zoo.speaker()"
_FOREIGN_NAMES = re.compile(r"\b(?:mz_catalog|pg_catalog)\.(?=(?:mz_timestamp|mz_now|uint[248]|mz_version|mz_environment_id)\b)")
"""Names in system schemas of which the storage has its own version, in another schema."""


def bind(state: State, scope: Scope, query: Query) -> tuple[str, ...]:
    """The ids of the relations that a query reads, in the order of its references. SqlError for a name that is no relation."""
    return tuple(readable(state, scope, reference.parts).id for reference in query.references)


def readable(state: State, scope: Scope, name: tuple[str, ...]) -> Item:
    """The relation of that name. SqlError if there is none."""
    item = state.find(name, scope)
    if not item.is_relation:
        full, article = ".".join(state.full_name(item)), "an" if item.kind[0] in "aeiou" else "a"
        raise SqlError(f"catalog item '{full}' is {article} {item.kind} and so cannot be depended upon")
    return item


def require_select(state: State, scope: Scope, bound: Sequence[str]) -> None:
    """SqlError unless the session's role may read all of these."""
    for key in bound:
        require_item(state, scope, state.known(key), "SELECT")


def render(snapshot: SystemSnapshot, query: Query, bound: Sequence[str]) -> str:
    """The query as PostgreSQL executes it."""
    return _spliced(snapshot.state, query, bound, snapshot)


def view_text(state: State, query: Query, bound: Sequence[str]) -> str:
    """The same for a query that reads no system relation."""
    return _spliced(state, query, bound, None)


def reads_system(state: State, bound: Sequence[str]) -> bool:
    """Whether a system relation is read, directly or through views. The text of such a query is valid for one moment only."""
    for key in bound:
        item = state.item(key)
        if item is not None and (
            item.is_system or reads_system(state, item.uses if item.kind in {"view", "materialized view"} else ())
        ):
            return True
    return False


def _spliced(state: State, query: Query, bound: Sequence[str], snapshot: SystemSnapshot | None) -> str:
    spans = [(start, end, _USER) for start, end in query.users]
    for reference, key in zip(query.references, bound, strict=True):
        alias = "" if reference.aliased else f" AS {_quoted(reference.parts[-1])}"
        spans.append((reference.start, reference.end, _relation(state, key, snapshot) + alias))
    pieces, position = [], 0
    for start, end, text in sorted(spans):
        pieces += [query.text[position:start], text]
        position = end
    return _FOREIGN_NAMES.sub("zoo.", "".join([*pieces, query.text[position:]]))


def _relation(state: State, key: str, snapshot: SystemSnapshot | None) -> str:
    item = state.item(key)
    if item is None or snapshot is None:
        return physical_name(key)
    if isinstance(item.definition, SystemDefinition):
        return as_subquery(snapshot, state.schemas[item.schema].name, item.name)
    if isinstance(item.definition, QueryDefinition) and reads_system(state, item.uses):
        text = _spliced(state, item.definition.query, item.definition.bound, snapshot)
        names = ", ".join(_quoted(column.name) for column in item.columns)
        return f"(SELECT * FROM ({text}) AS inner_view({names}))"
    return physical_name(key)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
