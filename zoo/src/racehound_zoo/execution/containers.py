"""Executes statements on schemas and databases."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import Acl, Database, Schema
from racehound_zoo.catalog.privileges import all_of, initial, require, require_member, require_owner
from racehound_zoo.dialect.statements import CreateDatabase, CreateSchema, Drop, Rename, SetOwner, Swap
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.dropping import CASCADE_HINT, notice_cascades
from racehound_zoo.execution.plan import CatalogPlan


def create_schema(plan: CatalogPlan, statement: CreateSchema) -> str:
    name = statement.name[-1]
    database = plan.state.database_named(statement.name[0] if len(statement.name) > 1 else plan.scope.database)
    if name.startswith(("mz_", "pg_")):
        raise SqlError(
            f"unacceptable schema name '{name}'", detail='The prefixes "mz_" and "pg_" are reserved for system schemas.'
        )
    if _schema_in(plan, database.id, name) is not None:
        if not statement.if_not_exists:
            raise SqlError(f"schema '{name}' already exists")
        plan.notice(f'schema "{name}" already exists, skipping', "42P06")
        return "CREATE SCHEMA"
    require(plan.state, plan.scope, "database", database.name, database.acls, "CREATE")
    add_schema(plan, database, name)
    return "CREATE SCHEMA"


def add_schema(plan: CatalogPlan, database: Database, name: str) -> None:
    key, role = plan.context.catalog.allocate("schema"), plan.scope.role
    acls = initial(plan.state, plan.scope, "schema", None) or (Acl(role, all_of("schema"), role),)
    plan.state = plan.state.with_schema(Schema(key, plan.context.catalog.oid(), database.id, name, role, acls))
    plan.record("create", "schema", name, key)


def _schema_in(plan: CatalogPlan, database: str | None, name: str) -> Schema | None:
    return next((each for each in plan.state.schemas.values() if each.name == name and each.database == database), None)


def create_database(plan: CatalogPlan, statement: CreateDatabase) -> str:
    name = statement.name[-1]
    if any(database.name == name for database in plan.state.databases.values()):
        if not statement.if_not_exists:
            raise SqlError(f"database '{name}' already exists")
        plan.notice(f'database "{name}" already exists, skipping', "42P04")
        return "CREATE DATABASE"
    require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATEDB")
    key, role = plan.context.catalog.allocate("database"), plan.scope.role
    database = Database(key, plan.context.catalog.oid(), name, role, (Acl(role, all_of("database"), role),))
    plan.state = plan.state.with_database(database)
    plan.record("create", "database", name, key)
    add_schema(plan, database, "public")
    return "CREATE DATABASE"


def drop_schemas(plan: CatalogPlan, statement: Drop) -> str:
    for name in statement.names:
        try:
            schema = plan.state.schema_named(name, plan.scope)
        except SqlError as error:
            plan.skip("schema", name, quiet=statement.if_exists, error=error)
            continue
        inside = [item.id for item in plan.state.items.values() if item.schema == schema.id]
        full = plan.state.schema_full_name(schema)
        if inside and not statement.cascade:
            raise SqlError(f"schema '{full}' cannot be dropped without CASCADE while it contains objects", hint=CASCADE_HINT)
        require_owner(plan.state, plan.scope, "schema", full, schema.owner)
        dropped = plan.state.with_dependents(inside)
        plan.drop(dropped)
        _drop_schema(plan, schema)
        notice_cascades(plan, len(dropped))
    return "DROP SCHEMA"


def _drop_schema(plan: CatalogPlan, schema: Schema) -> None:
    plan.state = plan.state.without("schemas", schema.id)
    plan.record("drop", "schema", schema.name, schema.id)


def drop_databases(plan: CatalogPlan, statement: Drop) -> str:
    for name in statement.names:
        try:
            database = plan.state.database_named(name[-1])
        except SqlError:
            if not statement.if_exists:
                raise
            plan.notice(f'DATABASE "{name[-1]}" does not exist, skipping', "42704")
            continue
        schemas = [schema for schema in plan.state.schemas.values() if schema.database == database.id]
        if schemas and statement.behaviour == "RESTRICT":
            raise SqlError(
                f"database '{database.name}' cannot be dropped with RESTRICT while it contains schemas", hint=CASCADE_HINT
            )
        require_owner(plan.state, plan.scope, "database", database.name, database.owner)
        inside = [item.id for item in plan.state.items.values() if item.schema in {schema.id for schema in schemas}]
        dropped = plan.state.with_dependents(inside)
        plan.drop(dropped)
        for schema in schemas:
            _drop_schema(plan, schema)
        plan.state = plan.state.without("databases", database.id)
        plan.record("drop", "database", database.name, database.id)
        notice_cascades(plan, len(dropped) + len(schemas))
    return "DROP DATABASE"


def rename_schema(plan: CatalogPlan, statement: Rename) -> str:
    schema = _schema(plan, statement)
    if schema is None:
        return "ALTER SCHEMA"
    require_owner(plan.state, plan.scope, "schema", plan.state.schema_full_name(schema), schema.owner)
    if _schema_in(plan, schema.database, statement.to) is not None:
        raise SqlError(f"schema '{statement.to}' already exists")
    plan.state = plan.state.with_schema(dataclasses.replace(schema, name=statement.to))
    plan.record("alter", "schema", statement.to, schema.id)
    return "ALTER SCHEMA"


def _schema(plan: CatalogPlan, statement: Rename | SetOwner) -> Schema | None:
    try:
        return plan.state.schema_named(statement.name, plan.scope)
    except SqlError as error:
        plan.skip("schema", statement.name, quiet=statement.if_exists, error=error)
        return None


def swap_schemas(plan: CatalogPlan, statement: Swap) -> str:
    one = plan.state.schema_named(statement.name, plan.scope)
    other = plan.state.schema_named((*statement.name[:-1], statement.other), plan.scope)
    for schema in (one, other):
        require_owner(plan.state, plan.scope, "schema", plan.state.schema_full_name(schema), schema.owner)
    plan.state = plan.state.with_schema(dataclasses.replace(one, name=other.name))
    plan.state = plan.state.with_schema(dataclasses.replace(other, name=one.name))
    return "ALTER SCHEMA"


def own_container(plan: CatalogPlan, statement: SetOwner) -> str:
    """ALTER … OWNER of a schema or a database."""
    role = plan.state.role_named(statement.role)
    require_member(plan.state, plan.scope, role.id)
    if statement.kind == "schema":
        schema = _schema(plan, statement)
        if schema is not None:
            require_owner(plan.state, plan.scope, "schema", plan.state.schema_full_name(schema), schema.owner)
            acls = (Acl(role.id, all_of("schema"), role.id), *(acl for acl in schema.acls if acl.grantee != schema.owner))
            plan.state = plan.state.with_schema(dataclasses.replace(schema, owner=role.id, acls=acls))
        return "ALTER SCHEMA"
    database = plan.state.database_named(statement.name[-1])
    require_owner(plan.state, plan.scope, "database", database.name, database.owner)
    acls = (Acl(role.id, all_of("database"), role.id), *(acl for acl in database.acls if acl.grantee != database.owner))
    plan.state = plan.state.with_database(dataclasses.replace(database, owner=role.id, acls=acls))
    return "ALTER DATABASE"
