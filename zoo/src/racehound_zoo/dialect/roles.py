"""The parser for GRANT, REVOKE, REASSIGN OWNED and ALTER DEFAULT PRIVILEGES."""

from __future__ import annotations

from racehound_zoo.dialect.parts import Name, ObjectKind
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import DefaultPrivileges, GrantPrivileges, GrantRole, ReassignOwned, Statement

_PRIVILEGES = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "USAGE",
    "CREATE",
    "CREATEROLE",
    "CREATEDB",
    "CREATECLUSTER",
    "CREATENETWORKPOLICY",
)
_PLURALS: dict[str, ObjectKind] = {
    "TABLES": "table",
    "TYPES": "type",
    "SECRETS": "secret",
    "CONNECTIONS": "connection",
    "DATABASES": "database",
    "SCHEMAS": "schema",
    "CLUSTERS": "cluster",
}
_SINGULARS: dict[str, ObjectKind] = {
    "TABLE": "table",
    "TYPE": "type",
    "SECRET": "secret",
    "CONNECTION": "connection",
    "DATABASE": "database",
    "SCHEMA": "schema",
    "CLUSTER": "cluster",
}


def reassign(reader: Reader) -> Statement:
    reader.expect("REASSIGN", "OWNED", "BY")
    old = reader.separated(reader.identifier)
    reader.expect("TO")
    return ReassignOwned(old, reader.identifier())


def grant(reader: Reader) -> Statement:
    reader.expect("GRANT")
    return _grant(reader, "TO", revoke=False)


def revoke(reader: Reader) -> Statement:
    reader.expect("REVOKE")
    return _grant(reader, "FROM", revoke=True)


def _grant(reader: Reader, direction: str, *, revoke: bool) -> Statement:
    if not _names_privilege(reader):
        granted = reader.separated(reader.identifier)
        reader.expect(direction)
        return GrantRole(granted, _roles(reader), revoke)
    privileges = _privileges(reader)
    reader.expect("ON")
    if reader.accept("SYSTEM"):
        reader.expect(direction)
        return GrantPrivileges(privileges, "system", (), _roles(reader), revoke)
    if reader.accept("ALL"):
        return _all_in(reader, privileges, direction, revoke=revoke)
    named = reader.token.kind == "word" and reader.token.value.upper() in _SINGULARS and not reader.ahead().is_word(direction)
    kind = _SINGULARS[reader.next().value.upper()] if named else "table"
    names = reader.separated(reader.name)
    reader.expect(direction)
    return GrantPrivileges(privileges, kind, names, _roles(reader), revoke, kind_named=named)


def _names_privilege(reader: Reader) -> bool:
    """Whether the word is a privilege. In `GRANT select TO …` it is the name of a role; what follows decides."""
    return reader.at("ALL") or (reader.at(*_PRIVILEGES) and (reader.ahead().is_word("ON") or reader.ahead().is_operator(",")))


def _privileges(reader: Reader) -> tuple[str, ...]:
    if reader.accept("ALL"):
        reader.accept("PRIVILEGES")
        return ()
    return reader.separated(lambda: reader.one_of(*_PRIVILEGES))


def _all_in(reader: Reader, privileges: tuple[str, ...], direction: str, *, revoke: bool) -> Statement:
    kind = _PLURALS[reader.one_of(*_PLURALS)]
    names: tuple[Name, ...] = ()
    if reader.accept("IN", "SCHEMA"):
        names, where = reader.separated(reader.name), "schema"
    elif reader.accept("IN", "DATABASE"):
        names, where = reader.separated(reader.name), "database"
    else:
        where = "everywhere"
    reader.expect(direction)
    roles = _roles(reader)
    if where == "schema":
        return GrantPrivileges(privileges, kind, names, roles, revoke, "schema")
    return GrantPrivileges(privileges, kind, names, roles, revoke, "database" if where == "database" else "everywhere")


def _roles(reader: Reader) -> tuple[str, ...]:
    return reader.separated(lambda: _role(reader))


def _role(reader: Reader) -> str:
    reader.accept("GROUP")
    return "PUBLIC" if reader.accept("PUBLIC") else reader.identifier()


def default_privileges(reader: Reader) -> Statement:
    owners: tuple[str, ...] = ()
    if reader.accept("FOR"):
        if reader.accept("ALL"):
            reader.expect("ROLES")
            owners = ("PUBLIC",)
        else:
            reader.one_of("ROLE", "USER")
            owners = _roles(reader)
    schemas: tuple[Name, ...] = ()
    databases: tuple[Name, ...] = ()
    if reader.accept("IN", "SCHEMA"):
        schemas = reader.separated(reader.name)
    elif reader.accept("IN", "DATABASE"):
        databases = reader.separated(reader.name)
    revoking = reader.one_of("GRANT", "REVOKE") == "REVOKE"
    privileges = _privileges(reader)
    reader.expect("ON")
    kind = _PLURALS[reader.one_of(*_PLURALS)]
    reader.expect("FROM" if revoking else "TO")
    return DefaultPrivileges(owners, privileges, kind, _roles(reader), revoking, schemas, databases)
