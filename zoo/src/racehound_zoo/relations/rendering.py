"""Renders the rows of system relations as JSON, which PostgreSQL turns into rows within the query that reads them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.model import Acl, Acls, Item, SystemDefinition
from racehound_zoo.catalog.privileges import shown
from racehound_zoo.copy_format import quoted
from racehound_zoo.relations import internal, objects, running
from racehound_zoo.relations.columns import COLUMNS
from racehound_zoo.relations.snapshot import SystemSnapshot

Record = Mapping[str, Any]
Renderer = Callable[[SystemSnapshot], Iterable[Record]]

RENDERERS: Mapping[tuple[str, str], Renderer] = MappingProxyType(
    {
        **{("mz_catalog", name): renderer for name, renderer in objects.RENDERERS.items()},
        **{("mz_internal", name): renderer for name, renderer in {**internal.RENDERERS, **running.RENDERERS}.items()},
    }
)


def system_items(schemas: Mapping[str, str], owner: str) -> dict[str, Item]:
    """The system relations by id. `schemas` has the ids of their schemas."""
    acls: Acls = (Acl(owner, frozenset("r"), owner), Acl("p", frozenset("r"), owner))
    items = {}
    for number, (schema, name) in enumerate(RENDERERS, start=1):
        key = f"s{number}"
        kind = "table" if schema == "mz_catalog" and name not in {"mz_objects", "mz_relations"} else "view"
        items[key] = Item(
            key, 10_000 + number, schemas[schema], name, "table" if kind == "table" else "view", owner, acls,
            SystemDefinition(), columns=COLUMNS[schema, name],
        )  # fmt: skip
    return items


def as_subquery(snapshot: SystemSnapshot, schema: str, name: str) -> str:
    """A subquery with the rows of the relation, which replaces its name in a query."""
    columns = COLUMNS[schema, name]
    rows = [{key: _value(value) for key, value in record.items()} for record in RENDERERS[schema, name](snapshot)]
    literal = json.dumps(rows).replace("'", "''")
    shape = ", ".join(f"{quoted(column.name)} {column.type.physical}" for column in columns)
    return f"(SELECT * FROM json_to_recordset('{literal}'::json) AS rendered({shape}))"


def _value(value: Any) -> Any:  # noqa: ANN401 any value that JSON can represent
    if isinstance(value, Acl):
        return shown(value)
    if isinstance(value, tuple | list):
        return "{" + ",".join(str(_value(each)) for each in value) + "}" if value and isinstance(value[0], Acl) else list(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value
