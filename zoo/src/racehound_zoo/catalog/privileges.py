"""Privileges. Which statement needs which privilege is documented at https://materialize.com/docs/manage/access-control/."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import PUBLIC, SYSTEM_ROLE, Acl, Acls, Item, Schema
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.errors import SqlError

LETTERS = {
    "INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d", "USAGE": "U", "CREATE": "C", "CREATEROLE": "R", "CREATEDB": "B",
    "CREATECLUSTER": "N", "CREATENETWORKPOLICY": "P",
}  # fmt: skip
NAMES = {letter: name for name, letter in LETTERS.items()}
_ORDER = "arwdUCRBNP"
_ALL = {
    "table": "arwd", "view": "r", "materialized view": "r", "source": "r", "type": "U", "secret": "U", "connection": "U",
    "cluster": "UC", "schema": "UC", "database": "UC", "system": "RBNP", "index": "", "sink": "",
}  # fmt: skip


def all_of(kind: str) -> frozenset[str]:
    """All privileges that exist for a kind of object."""
    return frozenset(_ALL.get(kind, ""))


def granted(acls: Acls, grantee: str, privileges: frozenset[str], grantor: str) -> Acls:
    """The privileges after a GRANT."""
    found = next((acl for acl in acls if acl.grantee == grantee and acl.grantor == grantor), None)
    if found is None:
        return (*acls, Acl(grantee, privileges, grantor))
    more = dataclasses.replace(found, privileges=found.privileges | privileges)
    return tuple(more if acl is found else acl for acl in acls)


def revoked(acls: Acls, grantee: str, privileges: frozenset[str]) -> Acls:
    """The privileges after a REVOKE, whichever role granted them."""
    rest = (dataclasses.replace(acl, privileges=acl.privileges - privileges) if acl.grantee == grantee else acl for acl in acls)
    return tuple(acl for acl in rest if acl.privileges)


def shown(acl: Acl) -> str:
    """The text of an `mz_aclitem`, such as `u1=arwd/u1`. PUBLIC has an empty name."""
    letters = "".join(letter for letter in _ORDER if letter in acl.privileges)
    return f"{'' if acl.grantee == PUBLIC else acl.grantee}={letters}/{acl.grantor}"


def roles_of(state: State, role: str) -> frozenset[str]:
    """The role, all roles that it is a member of, and PUBLIC."""
    found: set[str] = {PUBLIC}
    waiting = [role]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            known = state.roles.get(current)
            waiting += [parent for parent, _ in known.memberships] if known else []
    return frozenset(found)


def holds(state: State, role: str, acls: Acls, privilege: str) -> bool:
    """Whether a role has a privilege, directly or as a member of another role."""
    if role == SYSTEM_ROLE:
        return True
    mine = roles_of(state, role)
    return any(privilege in acl.privileges and acl.grantee in mine for acl in acls)


def owns(state: State, role: str, owner: str) -> bool:
    return role == SYSTEM_ROLE or owner in roles_of(state, role) - {PUBLIC}


def require(state: State, scope: Scope, kind: str, name: str, acls: Acls, privilege: str) -> None:
    """SqlError 42501 unless the session's role has a privilege, given by its name, on an object."""
    if holds(state, scope.role, acls, LETTERS[privilege]):
        return
    called = "SYSTEM" if kind == "system" else f'{kind.upper()} "{name}"'
    role = state.roles[scope.role].name
    raise SqlError(f"permission denied for {called}", "42501", f"The '{role}' role needs {privilege} privileges on {called}")


def require_owner(state: State, scope: Scope, kind: str, name: str, owner: str) -> None:
    """SqlError 42501 unless the session's role owns the object."""
    if not owns(state, scope.role, owner):
        raise SqlError(f"must be owner of {kind.upper()} {name}", "42501")


def require_item(state: State, scope: Scope, item: Item, privilege: str) -> None:
    if item.session is None:
        require(state, scope, item.kind, ".".join(state.full_name(item)), item.acls, privilege)


def require_item_owner(state: State, scope: Scope, item: Item) -> None:
    require_owner(state, scope, item.kind, ".".join(state.full_name(item)), item.owner)


def require_create(state: State, scope: Scope, schema: Schema) -> None:
    """SqlError 42501 unless the session's role may create objects in the schema."""
    require(state, scope, "schema", state.schema_full_name(schema), schema.acls, "CREATE")


def require_member(state: State, scope: Scope, *roles: str) -> None:
    """SqlError 42501 unless the session's role is a member of all of these roles, given by id."""
    mine = roles_of(state, scope.role)
    missing = [state.roles[role].name for role in roles if role not in mine and scope.role != SYSTEM_ROLE]
    if missing:
        raise SqlError("must be a member of " + ", ".join(f'"{name}"' for name in missing), "42501")


def initial(state: State, scope: Scope, kind: str, schema: Schema | None) -> Acls:
    """The privileges of a new object: all for its owner, and those of the default privileges."""
    own = all_of(kind)
    acls: Acls = (Acl(scope.role, own, scope.role),) if own else ()
    database = schema.database if schema is not None else None
    counted_as = "table" if kind in {"view", "materialized view", "source"} else kind
    for owner, in_database, in_schema, for_kind, grantee, privileges in state.default_privileges:
        in_place = in_database in {None, database} and in_schema in {None, schema.id if schema is not None else ""}
        if for_kind == counted_as and owner in {PUBLIC, scope.role} and in_place and privileges & own:
            acls = granted(acls, grantee, privileges & own, scope.role)
    return acls
