"""Checks the invariants of the catalog, for `/api/coordinator/check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from racehound_zoo.catalog.model import PUBLIC, Cluster, Database, Item, Schema
from racehound_zoo.catalog.state import State, name_key


def inconsistencies(state: State) -> list[str]:
    """Return a sentence for each invariant that is violated; an empty list when all of them hold."""
    return sorted({*_ids(state), *_names(state), *_references(state), *_roles(state), *_comments(state)})


def _ids(state: State) -> Iterator[str]:
    counted = Counter(item.id for item in state.items.values())
    yield from (f"{count} items have the id {id_}" for id_, count in counted.items() if count > 1)


def _names(state: State) -> Iterator[str]:
    for key, item in state.items.items():
        if state.names.get(name_key(item)) != key:
            yield f"{item.kind} {item.id} cannot be found by its name {item.name}"
    yield from (
        f"the name {name[2]} leads to {key}, which does not exist" for name, key in state.names.items() if state.item(key) is None
    )
    counted = Counter((schema.database, schema.name) for schema in state.schemas.values())
    yield from (f"{count} schemas are called {name[1]}" for name, count in counted.items() if count > 1)
    clusters = Counter(cluster.name for cluster in state.clusters.values())
    yield from (f"{count} clusters are called {name}" for name, count in clusters.items() if count > 1)


def _references(state: State) -> Iterator[str]:
    for item in state.items.values():
        for used in item.uses:
            if state.item(used) is None:
                yield f"{item.kind} {item.id} ({item.name}) depends on {used}, which does not exist"
        if item.cluster is not None and item.cluster not in state.clusters:
            yield f"{item.kind} {item.id} ({item.name}) is in cluster {item.cluster}, which does not exist"
        if item.session is None and item.schema not in state.schemas:
            yield f"{item.kind} {item.id} ({item.name}) is in schema {item.schema}, which does not exist"
    for schema in state.schemas.values():
        if schema.database is not None and schema.database not in state.databases:
            yield f"schema {schema.id} ({schema.name}) is in database {schema.database}, which does not exist"


def _roles(state: State) -> Iterator[str]:
    known = {*state.roles, PUBLIC}
    things: list[Item | Cluster | Schema | Database] = [*state.items.values(), *state.clusters.values()]
    things += [*state.schemas.values(), *state.databases.values()]
    for thing in things:
        named = {thing.owner, *(acl.grantee for acl in thing.acls), *(acl.grantor for acl in thing.acls)}
        yield from (f"{thing.id} ({thing.name}) names role {role}, which does not exist" for role in named - known)
    for role in state.roles.values():
        parents = {parent for parent, _ in role.memberships}
        yield from (f"role {role.id} is a member of {parent}, which does not exist" for parent in parents - known)


def _comments(state: State) -> Iterator[str]:
    known: dict[str, Container[str]] = {
        "item": state.items,
        "cluster": state.clusters,
        "schema": state.schemas,
        "database": state.databases,
        "role": state.roles,
        "cluster replica": {replica.id for cluster in state.clusters.values() for replica in cluster.replicas},
    }
    for place in state.comments:
        if place.id not in known[place.kind]:
            yield f"a comment is on {place.kind} {place.id}, which does not exist"
