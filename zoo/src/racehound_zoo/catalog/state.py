"""The state of the catalog, and name resolution in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from racehound_zoo.catalog.model import Cluster, Database, Item, Role, Schema
from racehound_zoo.dialect.parts import Name, spell
from racehound_zoo.errors import SqlError, unknown_item

TEMPORARY_SCHEMA = "s0"

NameKey = tuple[str, str, str, int | None]
"""The id of the schema, the namespace, the name, and for a temporary item the number of its session."""


class CommentSubject(NamedTuple):
    """The object that a comment is on. Objects of different kinds may have the same id."""

    kind: str
    """`item`, `cluster`, `cluster replica`, `schema`, `database` or `role`."""
    id: str
    column: int | None = None
    """The number of the column, from 1; None for a comment on the whole object."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """What a session contributes to the resolution of a name."""

    database: str
    search_path: tuple[str, ...]
    session: int
    role: str
    """The id of the session's role."""


@dataclasses.dataclass(frozen=True)
class State:
    """The catalog at one moment. A change gives a new state (`dataclasses.replace`, and the methods `with_…` and `without_…`).

    `revision` counts the changes: two states with the same number are the same. Mappings are by id, except `names`.
    """

    databases: Mapping[str, Database]
    schemas: Mapping[str, Schema]
    items: Mapping[str, Item]
    roles: Mapping[str, Role]
    clusters: Mapping[str, Cluster]
    system: Mapping[str, Item]
    names: Mapping[NameKey, str]
    comments: Mapping[CommentSubject, str] = dataclasses.field(default_factory=dict)
    default_privileges: tuple[tuple[str, str | None, str | None, str, str, frozenset[str]], ...] = ()
    """Owner (or PUBLIC), database, schema, kind, grantee and privileges."""
    system_acls: tuple[Any, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    revision: int = 0

    # Changes

    def with_item(self, item: Item, key: str | None = None) -> State:
        """The state with the item added, or with the item of that id replaced."""
        key = key or item.id
        names = dict(self.names)
        old = self.items.get(key)
        if old is not None and names.get(name_key(old)) == key:
            del names[name_key(old)]
        names[name_key(item)] = key
        return dataclasses.replace(self, items={**self.items, key: item}, names=names)

    def without_items(self, ids: frozenset[str]) -> State:
        """The state without these items and without the comments on them."""
        names = {name: key for name, key in self.names.items() if key not in ids}
        items = {key: item for key, item in self.items.items() if key not in ids}
        return dataclasses.replace(self, items=items, names=names, comments=_without(self.comments, "item", ids))

    def with_cluster(self, cluster: Cluster) -> State:
        """The state with the cluster added or replaced. Comments on replicas that it no longer has are removed."""
        before = self.clusters.get(cluster.id)
        gone = _replicas(before) - _replicas(cluster)
        comments = _without(self.comments, "cluster replica", gone)
        return dataclasses.replace(self, clusters={**self.clusters, cluster.id: cluster}, comments=comments)

    def with_role(self, role: Role) -> State:
        return dataclasses.replace(self, roles={**self.roles, role.id: role})

    def with_schema(self, schema: Schema) -> State:
        return dataclasses.replace(self, schemas={**self.schemas, schema.id: schema})

    def with_database(self, database: Database) -> State:
        return dataclasses.replace(self, databases={**self.databases, database.id: database})

    def without(self, what: Literal["roles", "clusters", "schemas", "databases"], key: str) -> State:
        found: Mapping[str, Any] = getattr(self, what)
        rest = {id_: thing for id_, thing in found.items() if id_ != key}
        comments = _without(self.comments, what.removesuffix("s"), frozenset({key}))
        if what == "clusters":
            comments = _without(comments, "cluster replica", _replicas(self.clusters.get(key)))
        changes: dict[str, Any] = {what: rest, "comments": comments}
        return dataclasses.replace(self, **changes)

    # Look-up

    def item(self, key: str) -> Item | None:
        return self.items.get(key) or self.system.get(key)

    def known(self, key: str) -> Item:
        """The item with this id. SqlError that names the id if there is none."""
        found = self.item(key)
        if found is None:
            raise unknown_item(key)
        return found

    def dependents(self, key: str) -> list[Item]:
        """The items that use this one directly, oldest first."""
        return sorted((item for item in self.items.values() if key in item.uses), key=age)

    def with_dependents(self, keys: Iterable[str]) -> frozenset[str]:
        """These ids, the ids of all items that depend on them, and the ids of the progress relations of sources among them."""
        found: set[str] = set()
        waiting = [*keys]
        while waiting:
            key = waiting.pop()
            if key in found or key not in self.items:
                continue
            found.add(key)
            waiting += [item.id for item in self.dependents(key)]
            progress = getattr(self.items[key].definition, "progress", None)
            waiting += [progress] if progress is not None else []
        return frozenset(found)

    def stored_inputs(self, *keys: str) -> list[str]:
        """The ids of these relations and of all relations that their queries read, directly or through views."""
        found: dict[str, None] = {}
        waiting, seen = [*keys], set()
        while waiting:
            item = self.item(waiting.pop())
            if item is None or item.id in seen or not item.is_relation:
                continue
            seen.add(item.id)
            found[item.id] = None
            if item.kind in {"view", "materialized view"}:
                waiting += item.uses
        return list(found)

    def database_named(self, name: str) -> Database:
        for database in self.databases.values():
            if database.name == name:
                return database
        raise SqlError(f"unknown database '{name}'")

    def schema_named(self, name: Name, scope: Scope) -> Schema:
        """The schema of this name, which may be qualified by the name of its database."""
        database = self.database_named(name[0]).id if len(name) > 1 else self._current_database(scope)
        for schema in self.schemas.values():
            if schema.name == name[-1] and schema.database in {None, database}:
                return schema
        raise SqlError(f"unknown schema '{spell(name)}'")

    def cluster_named(self, name: str) -> Cluster:
        for cluster in self.clusters.values():
            if cluster.name == name:
                return cluster
        raise SqlError(f"unknown cluster '{name}'")

    def role_named(self, name: str) -> Role:
        for role in self.roles.values():
            if role.name == name:
                return role
        raise SqlError(f"unknown role '{name}'")

    def schema_for_creating(self, name: Name, scope: Scope) -> Schema:
        """The schema in which an object of that name is created. SqlError 3F000 if the search path has no schema that exists."""
        if len(name) > 1:
            return self.schema_named(name[:-1], scope)
        for schema in self._search_path(scope):
            if schema.database is not None:
                return schema
        raise SqlError("no schema has been selected to create in", "3F000")

    def find(self, name: Name, scope: Scope, namespace: Literal["item", "type"] = "item") -> Item:
        """The item of that name, as a user wrote it. SqlError if there is no such item, schema or database."""
        if len(name) > 1:
            schemas = [self.schema_named(name[:-1], scope)]
        else:
            schemas = [*self._search_path(scope)]
            temporary = self.names.get((TEMPORARY_SCHEMA, namespace, name[0], scope.session))
            if temporary is not None:
                return self.items[temporary]
        for schema in schemas:
            key = self.names.get((schema.id, namespace, name[-1], None))
            found = self.item(key) if key is not None else None
            if found is not None:
                return found
        if namespace == "type":
            raise SqlError(f'type "{spell(name)}" does not exist')
        raise unknown_item(spell(name))

    def _search_path(self, scope: Scope) -> Iterator[Schema]:
        """The schemas in the order of the search path. The system schemas come first, even if the path does not name them."""
        for system in ("pg_catalog", "mz_catalog"):
            yield from (schema for schema in self.schemas.values() if schema.database is None and schema.name == system)
        database = self._current_database(scope)
        for name in scope.search_path:
            yield from (schema for schema in self.schemas.values() if schema.name == name and schema.database in {None, database})

    def _current_database(self, scope: Scope) -> str:
        return next((database.id for database in self.databases.values() if database.name == scope.database), "")

    # Names

    def full_name(self, item: Item) -> Name:
        schema = self.schemas.get(item.schema)
        if schema is None:
            return ("mz_temp", item.name)
        if schema.database is None:
            return (schema.name, item.name)
        database = self.databases.get(schema.database)
        return (database.name if database else schema.database, schema.name, item.name)

    def schema_full_name(self, schema: Schema) -> str:
        return schema.name if schema.database is None else f"{self.databases[schema.database].name}.{schema.name}"


def name_key(item: Item) -> NameKey:
    return (item.schema, item.namespace, item.name, item.session)


def age(item: Item) -> int:
    """A number that is smaller for older items."""
    return int(item.id[1:])


def _without(comments: Mapping[CommentSubject, str], kind: str, ids: frozenset[str]) -> Mapping[CommentSubject, str]:
    return {subject: text for subject, text in comments.items() if subject.kind != kind or subject.id not in ids}


def _replicas(cluster: Cluster | None) -> frozenset[str]:
    return frozenset(replica.id for replica in cluster.replicas) if cluster else frozenset()
