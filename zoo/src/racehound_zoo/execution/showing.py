"""Executes SHOW, from the state of the catalog alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from racehound_zoo.backend import Field, Row
from racehound_zoo.catalog.model import PUBLIC, Cluster, Database, IndexDefinition, Item, Schema, SourceDefinition
from racehound_zoo.catalog.printing import cluster_sql, create_sql
from racehound_zoo.catalog.privileges import NAMES, roles_of
from racehound_zoo.catalog.state import CommentSubject, Scope, State
from racehound_zoo.dialect.statements import Show, ShowCreate
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.result import encoded, text_fields
from racehound_zoo.relations.objects import shown_kind

_TEXT_ARRAY, _BOOL, _TEXT = 1009, 16, 25
_Record = Sequence[object]
_KINDS = {
    "TABLES": "table", "SOURCES": "source", "SINKS": "sink", "VIEWS": "view", "MATERIALIZED VIEWS": "materialized view",
    "INDEXES": "index", "CONNECTIONS": "connection", "SECRETS": "secret", "TYPES": "type",
}  # fmt: skip
COLUMNS: Mapping[str, Sequence[Field]] = MappingProxyType(
    {
        **dict.fromkeys(("TABLES", "VIEWS", "SECRETS", "ROLES", "SCHEMAS", "DATABASES", "TYPES"), text_fields("name", "comment")),
        **dict.fromkeys(("SOURCES", "SINKS"), text_fields("name", "type", "cluster", "comment")),
        "MATERIALIZED VIEWS": text_fields("name", "cluster", "comment"),
        "INDEXES": (*text_fields("name", "on", "cluster"), Field("key", _TEXT_ARRAY), *text_fields("comment")),
        "CLUSTERS": text_fields("name", "replicas", "comment"),
        "CLUSTER REPLICAS": (*text_fields("cluster", "replica", "size"), Field("ready", _BOOL), *text_fields("comment")),
        "CONNECTIONS": text_fields("name", "type", "comment"),
        "OBJECTS": text_fields("name", "type", "comment"),
        "SUBSOURCES": text_fields("name", "type"),
        "COLUMNS": (*text_fields("name"), Field("nullable", _BOOL), *text_fields("type", "comment")),
        "PRIVILEGES": text_fields("grantor", "grantee", "database", "schema", "name", "object_type", "privilege_type"),
        "DEFAULT PRIVILEGES": text_fields("object_owner", "database", "schema", "object_type", "grantee", "privilege_type"),
        "ROLE MEMBERSHIP": text_fields("role", "member", "grantor"),
        "NETWORK POLICIES": text_fields("name", "rules", "comment"),
        "ALL": text_fields("name", "setting", "description"),
    }
)


def show(state: State, scope: Scope, statement: Show, variables: Callable[[], Iterable[_Record]]) -> list[_Record]:
    """The rows, sorted."""
    rows = _rows(state, scope, statement, variables)
    if statement.like is not None:
        pattern = _like(statement.like)
        rows = [row for row in rows if pattern.fullmatch(str(row[0]))]
    return rows if statement.what == "COLUMNS" else sorted(rows, key=lambda row: [str(value or "") for value in row])


def _rows(state: State, scope: Scope, statement: Show, variables: Callable[[], Iterable[_Record]]) -> list[_Record]:
    what = statement.what
    if what == "ALL":
        return list(variables())
    if what in _KINDS or what == "OBJECTS":
        return list(_items(state, scope, statement))
    scoped = _SCOPED.get(what)
    return list(scoped(state, scope, statement) if scoped is not None else _OTHERS[what](state))


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def _comment(state: State, kind: str, key: str, column: int | None = None) -> str:
    return state.comments.get(CommentSubject(kind, key, column), "")


def _cluster(state: State, item: Item) -> str | None:
    cluster = state.clusters.get(item.cluster or "")
    return cluster.name if cluster is not None else None


def _items(state: State, scope: Scope, statement: Show) -> Iterator[_Record]:
    on = state.find(statement.on, scope).id if statement.on is not None else None
    within = None if on is not None and statement.within is None else _schema(state, scope, statement)
    cluster = state.cluster_named(statement.cluster).id if statement.cluster is not None else None
    things = [*state.items.values(), *(state.system.values() if within is not None and within.startswith("s") else ())]
    for item in things:
        if within is not None and item.schema != within:
            continue
        if cluster is not None and item.cluster != cluster:
            continue
        if statement.what == "OBJECTS":
            yield (item.name, shown_kind(item), _comment(state, "item", item.id))
        elif item.kind == _KINDS[statement.what] and (on is None or _is_on(item, on)):
            yield _item(state, item)


def _schema(state: State, scope: Scope, statement: Show) -> str:
    """The id of the schema that the statement names, or of the first schema of the search path."""
    if statement.within is not None:
        return state.schema_named(statement.within, scope).id
    return state.schema_for_creating(("",), scope).id


def _is_on(item: Item, on: str) -> bool:
    return isinstance(item.definition, IndexDefinition) and item.definition.on == on


def _item(state: State, item: Item) -> _Record:
    comment = _comment(state, "item", item.id)
    if isinstance(item.definition, IndexDefinition):
        on = state.item(item.definition.on)
        return (item.name, on.name if on is not None else None, _cluster(state, item), list(item.definition.key), comment)
    if item.kind == "source":
        kind = item.definition.type if isinstance(item.definition, SourceDefinition) else ""
        return (item.name, kind, _cluster(state, item), comment)
    if item.kind == "sink":
        return (
            item.name,
            getattr(getattr(item.definition, "statement", None), "system", "").lower(),
            _cluster(state, item),
            comment,
        )
    if item.kind == "materialized view":
        return (item.name, _cluster(state, item), comment)
    if item.kind == "connection":
        return (item.name, getattr(item.definition, "type", "").lower().replace(" ", "-"), comment)
    return (item.name, comment)


def _subsources(state: State, scope: Scope, statement: Show) -> Iterator[_Record]:
    sources = [state.find(statement.on, scope)] if statement.on is not None else [*state.items.values()]
    for source in sources:
        definition = source.definition
        progress = state.items.get(definition.progress or "") if isinstance(definition, SourceDefinition) else None
        if progress is not None:
            yield (progress.name, "progress")
        for item in state.items.values():
            if isinstance(item.definition, SourceDefinition) and item.definition.parent == source.id:
                yield (item.name, "subsource")


def _columns(state: State, scope: Scope, statement: Show) -> Iterator[_Record]:
    assert statement.within is not None
    item = state.find(statement.within, scope)
    for position, column in enumerate(item.columns, start=1):
        yield (column.name, column.nullable, column.shown or column.type.name, _comment(state, "item", item.id, position))


def _schemas(state: State, scope: Scope, statement: Show) -> Iterator[_Record]:
    name = statement.within[-1] if statement.within is not None else scope.database
    database = state.database_named(name).id
    for schema in state.schemas.values():
        if schema.database in {None, database}:
            yield (schema.name, _comment(state, "schema", schema.id))


def _clusters(state: State) -> Iterator[_Record]:
    for cluster in state.clusters.values():
        replicas = ", ".join(f"{replica.name} ({replica.size})" for replica in cluster.replicas) or None
        yield (cluster.name, replicas, _comment(state, "cluster", cluster.id))


def _replicas(state: State) -> Iterator[_Record]:
    for cluster in state.clusters.values():
        for replica in cluster.replicas:
            yield (cluster.name, replica.name, replica.size, True, _comment(state, "cluster replica", replica.id))


def _roles(state: State) -> Iterator[_Record]:
    for role in state.roles.values():
        if role.id.startswith("u"):
            yield (role.name, _comment(state, "role", role.id))


def _databases(state: State) -> Iterator[_Record]:
    yield from ((database.name, _comment(state, "database", database.id)) for database in state.databases.values())


def _membership(state: State) -> Iterator[_Record]:
    for member in state.roles.values():
        for parent, grantor in member.memberships:
            yield (state.roles[parent].name, member.name, _role_name(state, grantor))


def _role_name(state: State, key: str) -> str:
    if key == PUBLIC:
        return "PUBLIC"
    role = state.roles.get(key)
    return role.name if role is not None else key


def _name(things: Mapping[str, Database] | Mapping[str, Schema], key: str | None) -> str | None:
    """The name of the object with this id; None if there is none."""
    thing = things.get(key) if key is not None else None
    return thing.name if thing is not None else None


def _default_privileges(state: State) -> Iterator[_Record]:
    for owner, database, schema, kind, grantee, letters in state.default_privileges:
        for letter in letters:
            yield (
                _role_name(state, owner), _name(state.databases, database),
                _name(state.schemas, schema), kind, _role_name(state, grantee), NAMES[letter],
            )  # fmt: skip


def _privileges(state: State, _: Scope, statement: Show) -> Iterator[_Record]:
    """All privileges, or those that a role has, directly or as a member of another role."""
    mine = roles_of(state, state.role_named(statement.role).id) if statement.role is not None else None
    for database, schema, kind, thing in _privileged(state):
        for acl in thing.acls:
            if mine is None or acl.grantee in mine:
                for letter in acl.privileges:
                    grantor, grantee = _role_name(state, acl.grantor), _role_name(state, acl.grantee)
                    yield (grantor, grantee, database, schema, thing.name, kind, NAMES[letter])
    if mine is None:
        for acl in state.system_acls:
            for letter in acl.privileges:
                yield (_role_name(state, acl.grantor), _role_name(state, acl.grantee), None, None, None, "system", NAMES[letter])


def _privileged(state: State) -> Iterator[tuple[str | None, str | None, str, Item | Schema | Database | Cluster]]:
    for item in state.items.values():
        schema = state.schemas.get(item.schema)
        if schema is not None and schema.database is not None:
            yield _name(state.databases, schema.database), schema.name, shown_kind(item), item
    for schema in state.schemas.values():
        if schema.database is not None:
            yield _name(state.databases, schema.database), None, "schema", schema
    yield from ((None, None, "database", database) for database in state.databases.values())
    yield from ((None, None, "cluster", cluster) for cluster in state.clusters.values() if cluster.id.startswith("u"))


def _policies(_: State) -> Iterator[_Record]:
    yield ("default", "open_ingress", "")


_SCOPED: Mapping[str, Callable[[State, Scope, Show], Iterable[_Record]]] = MappingProxyType(
    {"COLUMNS": _columns, "SUBSOURCES": _subsources, "SCHEMAS": _schemas, "PRIVILEGES": _privileges}
)
_OTHERS: Mapping[str, Callable[[State], Iterable[_Record]]] = MappingProxyType(
    {
        "CLUSTERS": _clusters,
        "CLUSTER REPLICAS": _replicas,
        "ROLES": _roles,
        "DATABASES": _databases,
        "ROLE MEMBERSHIP": _membership,
        "DEFAULT PRIVILEGES": _default_privileges,
        "NETWORK POLICIES": _policies,
    }
)


def show_create(state: State, scope: Scope, statement: ShowCreate) -> Row:
    """The full name of the object, and the statement that creates it."""
    if statement.kind == "cluster":
        cluster = state.cluster_named(statement.name[-1])
        return encoded((cluster.name, cluster_sql(cluster)))
    item = state.find(statement.name, scope, "type" if statement.kind == "type" else "item")
    if item.kind != statement.kind and not (statement.kind == "view" and item.is_system):
        raise SqlError(f"{'.'.join(state.full_name(item))} is not a {statement.kind}")
    if item.is_system:
        raise SqlError(f"cannot show create for system object {'.'.join(state.full_name(item))}")
    return encoded((".".join(state.full_name(item)), create_sql(state, item)))
