"""Executes statements on roles, memberships and privileges, and on the objects that a role owns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from racehound_zoo.catalog.model import PUBLIC, Acls, Cluster, Database, Item, Role, Schema
from racehound_zoo.catalog.privileges import (
    LETTERS,
    NAMES,
    all_of,
    granted,
    require,
    require_item_owner,
    require_member,
    require_owner,
    revoked,
    roles_of,
)
from racehound_zoo.catalog.state import State
from racehound_zoo.dialect.parts import Name
from racehound_zoo.dialect.statements import (
    AlterRole,
    CreateRole,
    DefaultPrivileges,
    Drop,
    DropOwned,
    GrantPrivileges,
    GrantRole,
    ReassignOwned,
)
from racehound_zoo.errors import Notice, SqlError
from racehound_zoo.execution.altering import change_owner
from racehound_zoo.execution.dropping import notice_cascades, refuse_dependents
from racehound_zoo.execution.plan import CatalogPlan

_UNSUPPORTED = frozenset({"LOGIN", "NOLOGIN", "SUPERUSER", "NOSUPERUSER", "PASSWORD"})


def create_role(plan: CatalogPlan, statement: CreateRole) -> str:
    name = statement.name[-1]
    _refuse_attributes(statement.attributes)
    if name == "public" or name.startswith(("mz_", "pg_")):
        raise SqlError(
            f'role name "{name}" is reserved',
            detail='The role "public" and the prefixes "mz_" and "pg_" are reserved for system roles.',
        )
    if any(role.name == name for role in plan.state.roles.values()):
        raise SqlError(f"role '{name}' already exists")
    require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATEROLE")
    key = plan.context.catalog.allocate("role")
    plan.state = plan.state.with_role(Role(key, plan.context.catalog.oid(), name))
    plan.record("create", "role", name, key)
    return "CREATE ROLE"


def _refuse_attributes(attributes: tuple[str, ...]) -> None:
    if "NOINHERIT" in attributes:
        raise SqlError("non inherit roles not yet supported")
    if _UNSUPPORTED & {*attributes}:
        raise SqlError(
            "SUPERUSER, PASSWORD, and LOGIN attributes is not supported in this environment. For more information consult the "
            "documentation at https://materialize.com/docs/sql/create-role/#details",
            "0A000",
        )


def alter_role(plan: CatalogPlan, statement: AlterRole) -> str:
    role = plan.state.role_named(statement.name)
    _refuse_attributes(statement.attributes)
    if statement.variable is not None:
        rest = tuple(pair for pair in role.variables if pair[0] != statement.variable)
        pairs = rest if statement.value is None else (*rest, (statement.variable, statement.value))
        plan.state = plan.state.with_role(dataclasses.replace(role, variables=pairs))
        plan.notice(
            f'variable "{statement.variable}" was updated for "{role.name}", this will have no effect on the current session'
        )
    return "ALTER ROLE"


def drop_roles(plan: CatalogPlan, statement: Drop) -> str:
    for name in statement.names:
        try:
            role = plan.state.role_named(name[-1])
        except SqlError:
            if not statement.if_exists:
                raise
            plan.notice(f'ROLE "{name[-1]}" does not exist, skipping', "42704")
            continue
        if role.id == plan.scope.role:
            raise SqlError("current role cannot be dropped")
        dependencies = sorted(_reasons_to_keep(plan.state, role))
        if dependencies:
            raise SqlError(
                f'role "{role.name}" cannot be dropped because some objects depend on it',
                "2BP01",
                "\n".join(f"{role.name}: {each}" for each in dependencies),
            )
        require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATEROLE")
        _remove(plan, role)
    return "DROP ROLE"


def _remove(plan: CatalogPlan, role: Role) -> None:
    plan.state = plan.state.without("roles", role.id)
    for other in plan.state.roles.values():
        kept = tuple(pair for pair in other.memberships if role.id not in pair)
        if kept != other.memberships:
            plan.state = plan.state.with_role(dataclasses.replace(other, memberships=kept))
    plan.record("drop", "role", role.name, role.id)


def _owned_objects(state: State) -> Iterator[tuple[str, str, Any]]:
    """All objects with an owner and privileges: kind, full name and the object."""
    for item in state.items.values():
        yield item.kind, ".".join(state.full_name(item)), item
    yield from (("cluster", cluster.name, cluster) for cluster in state.clusters.values())
    yield from (("schema", state.schema_full_name(schema), schema) for schema in state.schemas.values())
    yield from (("database", database.name, database) for database in state.databases.values())


def _reasons_to_keep(state: State, role: Role) -> Iterator[str]:
    """The reasons why a role cannot be dropped."""
    for kind, name, thing in _owned_objects(state):
        if thing.owner == role.id:
            yield f'owner of {kind.upper()} "{name}"'
        for acl in thing.acls:
            if acl.grantee == role.id and thing.owner != role.id:
                grantor = state.roles[acl.grantor].name if acl.grantor in state.roles else acl.grantor
                yield f'privileges on {kind.upper()} "{name}" granted by {grantor}'
            elif acl.grantor == role.id and thing.owner != role.id:
                grantee = state.roles[acl.grantee].name if acl.grantee in state.roles else acl.grantee
                yield f'privileges granted on {kind.upper()} "{name}" to {grantee}'
    if any(role.id in {acl.grantee, acl.grantor} for acl in state.system_acls):
        yield "privileges on SYSTEM"
    if any(role.id in {owner, grantee} for owner, _, _, _, grantee, _ in state.default_privileges):
        yield "default privileges"


def grant_role(plan: CatalogPlan, statement: GrantRole) -> str:
    tag = "REVOKE ROLE" if statement.revoke else "GRANT ROLE"
    parents = [plan.state.role_named(name) for name in statement.roles]
    members = [plan.state.role_named(name) for name in statement.members]
    require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATEROLE")
    for parent in parents:
        for member in members:
            _change_membership(plan, parent, plan.state.roles[member.id], revoke=statement.revoke)
    return tag


def _change_membership(plan: CatalogPlan, parent: Role, member: Role, *, revoke: bool) -> None:
    has = any(key == parent.id for key, _ in member.memberships)
    if revoke:
        if not has:
            plan.notices.append(Notice(f'role "{member.name}" is not a member of role "{parent.name}"', "01000", "WARNING"))
        kept = tuple(pair for pair in member.memberships if pair[0] != parent.id)
        plan.state = plan.state.with_role(dataclasses.replace(member, memberships=kept))
        return
    if member.id in roles_of(plan.state, parent.id):
        raise SqlError(f'role "{parent.name}" is a member of role "{member.name}"')
    if has:
        plan.notice(f'role "{member.name}" is already a member of role "{parent.name}"')
        return
    pairs = (*member.memberships, (parent.id, plan.scope.role))
    plan.state = plan.state.with_role(dataclasses.replace(member, memberships=pairs))


def grant_privileges(plan: CatalogPlan, statement: GrantPrivileges) -> str:
    targets = _targets(plan, statement)
    roles = [PUBLIC if name == "PUBLIC" else plan.state.role_named(name).id for name in statement.roles]
    for kind, name, thing in targets:
        letters = _letters(statement, kind, name)
        _require_grantor(plan, kind, name, thing)
        acls: Acls = plan.state.system_acls if thing is None else thing.acls
        grantor = plan.scope.role if thing is None else thing.owner
        for role in roles:
            acls = revoked(acls, role, letters) if statement.revoke else granted(acls, role, letters, grantor)
        _store(plan, kind, thing, acls)
        plan.record("revoke" if statement.revoke else "grant", kind, name, "" if thing is None else thing.id)
    return "REVOKE" if statement.revoke else "GRANT"


def _targets(plan: CatalogPlan, statement: GrantPrivileges) -> list[tuple[str, str, Any]]:
    """The objects that the statement names: kind, full name and the object (None for the system)."""
    state, scope = plan.state, plan.scope
    if statement.kind == "system":
        return [("system", "", None)]
    if statement.all_in:
        return list(_all_in(plan, statement))
    if statement.kind in {"schema", "database", "cluster"}:
        things = [_container(plan, statement.kind, name) for name in statement.names]
        return [(statement.kind, _full(state, thing), thing) for thing in things]
    items = [state.find(name, scope, "type" if statement.kind == "type" else "item") for name in statement.names]
    return [(item.kind, ".".join(state.full_name(item)), item) for item in items]


def _container(plan: CatalogPlan, kind: str, name: Name) -> Schema | Database | Cluster:
    if kind == "schema":
        return plan.state.schema_named(name, plan.scope)
    return plan.state.database_named(name[-1]) if kind == "database" else plan.state.cluster_named(name[-1])


def _full(state: State, thing: Schema | Database | Cluster) -> str:
    return state.schema_full_name(thing) if isinstance(thing, Schema) else thing.name


def _all_in(plan: CatalogPlan, statement: GrantPrivileges) -> Iterator[tuple[str, str, Any]]:
    state = plan.state
    if statement.all_in == "schema":
        schemas = {state.schema_named(name, plan.scope).id for name in statement.names}
    elif statement.all_in == "database":
        databases = {state.database_named(name[-1]).id for name in statement.names}
        schemas = {schema.id for schema in state.schemas.values() if schema.database in databases}
    else:
        schemas = {*state.schemas}
    relations = {"table", "view", "materialized view", "source"}
    for kind, name, thing in _owned_objects(state):
        meant = kind in relations if statement.kind == "table" else kind == statement.kind
        if meant and (not isinstance(thing, Item) or thing.schema in schemas):
            yield kind, name, thing


def _letters(statement: GrantPrivileges, kind: str, name: str) -> frozenset[str]:
    """The privileges of the statement as letters. SqlError for a privilege that this kind of object does not have."""
    allowed = all_of(kind)
    if not statement.privileges:
        return allowed
    asked = [LETTERS[privilege] for privilege in statement.privileges]
    wrong = [NAMES[letter] for letter in asked if letter not in allowed]
    if wrong:
        called = "SYSTEM" if kind == "system" else f'{kind.upper()} "{name}"'
        raise SqlError(f"invalid privilege types {', '.join(wrong)} for {called}")
    return frozenset(asked)


def _require_grantor(plan: CatalogPlan, kind: str, name: str, thing: Any) -> None:  # noqa: ANN401 any object with an owner
    if thing is None:
        require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATEROLE")
    elif isinstance(thing, Item):
        require_item_owner(plan.state, plan.scope, thing)
    else:
        require_owner(plan.state, plan.scope, kind, name, thing.owner)


def _store(plan: CatalogPlan, kind: str, thing: Any, acls: Acls) -> None:  # noqa: ANN401 any object with privileges
    state = plan.state
    if thing is None:
        plan.state = dataclasses.replace(state, system_acls=acls)
        return
    changed = dataclasses.replace(thing, acls=acls)
    stores: dict[str, Callable[[Any], State]] = {
        "cluster": state.with_cluster, "schema": state.with_schema, "database": state.with_database,
    }  # fmt: skip
    plan.state = stores.get(kind, state.with_item)(changed)


def default_privileges(plan: CatalogPlan, statement: DefaultPrivileges) -> str:
    state = plan.state
    owners = [PUBLIC if name == "PUBLIC" else state.role_named(name).id for name in statement.owners] or [plan.scope.role]
    grantees = [PUBLIC if name == "PUBLIC" else state.role_named(name).id for name in statement.roles]
    schemas: list[str | None] = [state.schema_named(name, plan.scope).id for name in statement.schemas]
    databases: list[str | None] = [state.database_named(name[-1]).id for name in statement.databases]
    require_member(state, plan.scope, *(owner for owner in owners if owner != PUBLIC))
    letters = frozenset(LETTERS[privilege] for privilege in statement.privileges) or all_of(statement.kind)
    rules = {rule[:5]: rule[5] for rule in state.default_privileges}
    for owner in owners:
        for grantee in grantees:
            for database in databases or [None]:
                for schema in schemas or [None]:
                    rule = (owner, database, schema, statement.kind, grantee)
                    old = rules.get(rule, frozenset())
                    rules[rule] = old - letters if statement.revoke else old | letters
    kept = tuple((*rule, privileges) for rule, privileges in rules.items() if privileges)
    plan.state = dataclasses.replace(state, default_privileges=kept)
    return "ALTER DEFAULT PRIVILEGES"


def reassign_owned(plan: CatalogPlan, statement: ReassignOwned) -> str:
    old = [plan.state.role_named(name) for name in statement.old]
    new = plan.state.role_named(statement.new)
    require_member(plan.state, plan.scope, *(role.id for role in old), new.id)
    owners = {role.id for role in old}
    for kind, _, thing in [*_owned_objects(plan.state)]:
        if thing.owner not in owners:
            continue
        if isinstance(thing, Item):
            change_owner(plan, plan.state.items[thing.id], new.id)
        else:
            acls = granted(tuple(acl for acl in thing.acls if acl.grantee != thing.owner), new.id, all_of(kind), new.id)
            _store(plan, kind, dataclasses.replace(thing, owner=new.id), acls)
    return "REASSIGN OWNED"


def drop_owned(plan: CatalogPlan, statement: DropOwned) -> str:
    roles = [plan.state.role_named(name) for name in statement.roles]
    require_member(plan.state, plan.scope, *(role.id for role in roles))
    owners = {role.id for role in roles}
    owned = [item for item in plan.state.items.values() if item.owner in owners]
    named = frozenset(item.id for item in owned)
    if not statement.cascade:
        for item in owned:
            refuse_dependents(plan, item, named)
    dropped = plan.state.with_dependents([*named])
    plan.drop(dropped)
    for kind, _, thing in [*_owned_objects(plan.state)]:
        acls = tuple(acl for acl in thing.acls if acl.grantee not in owners)
        if acls != thing.acls:
            _store(plan, kind, thing, acls)
    rules = tuple(rule for rule in plan.state.default_privileges if not owners & {rule[0], rule[4]})
    system = tuple(acl for acl in plan.state.system_acls if acl.grantee not in owners)
    plan.state = dataclasses.replace(plan.state, default_privileges=rules, system_acls=system)
    notice_cascades(plan, len(dropped) - len(named))
    return "DROP OWNED"
