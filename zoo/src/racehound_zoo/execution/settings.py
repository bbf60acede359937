"""Executes SET, RESET, SHOW of a variable, ALTER SYSTEM and DISCARD."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import SYSTEM_ROLE
from racehound_zoo.dialect.statements import AlterSystem, Discard, SetVariable, ShowVariable
from racehound_zoo.errors import SqlError
from racehound_zoo.execution import variables
from racehound_zoo.execution.result import Result, encoded, text_fields
from racehound_zoo.execution.session import Session

_MISSING_DATABASE, _MISSING_CLUSTER = "MZ006", "MZ007"


def assign(session: Session, statement: SetVariable) -> Result:
    name = variables.canonical(statement.name)
    tag = "RESET" if statement.value is None else "SET"
    variable = variables.SESSION.get(name)
    if variable is None:
        raise variables.unknown(statement.name)
    if variable.fixed:
        raise SqlError(f'parameter "{name}" cannot be changed', "55P02")
    if session.transaction is not None:
        session.transaction.variables.setdefault(name, session.variables[name])
    default = session.engine.catalog.state.settings.get(name, variable.default)
    session.assign(name, default if statement.value is None else statement.value)
    if statement.value is not None:
        _warn(session, name)
    return Result(tag)


def _warn(session: Session, name: str) -> None:
    """Add a notice if the variable names an object that does not exist."""
    state, value = session.state, session.variables.get(name, "")
    if name == "database" and all(database.name != value for database in state.databases.values()):
        session.notice(f'database "{value}" does not exist', _MISSING_DATABASE)
    if name == "cluster" and all(cluster.name != value for cluster in state.clusters.values()):
        session.notice(f'cluster "{value}" does not exist', _MISSING_CLUSTER)


def show(session: Session, statement: ShowVariable) -> Result:
    name = variables.canonical(statement.name)
    if name in session.variables:
        value = session.variables[name]
        if name in {"database", "cluster"}:
            _warn(session, name)
    elif name in session.engine.settings:
        value = session.engine.setting(session.state, name)
    else:
        raise variables.unknown(statement.name)
    return Result("SELECT #", text_fields(name), [encoded((value,))])


def alter_system(session: Session, statement: AlterSystem) -> Result:
    if session.role != SYSTEM_ROLE:
        raise SqlError("permission denied to alter system", "42501", "You must be the 'mz_system' role")
    catalog = session.engine.catalog
    name = variables.canonical(statement.variable) if statement.variable is not None else None
    if name is not None and name not in session.engine.settings and name not in variables.SESSION:
        raise variables.unknown(name)
    with catalog.changing():
        kept = {each: value for each, value in catalog.state.settings.items() if name is not None and each != name}
        changed = kept if name is None or statement.value is None else {**kept, name: statement.value}
        catalog.replace(dataclasses.replace(catalog.state, settings=changed))
        catalog.record("alter", "system", name or "", "", session.role)
    return Result("ALTER SYSTEM")


def discard(session: Session, statement: Discard) -> Result:
    if statement.what == "VARIABLES":
        for name, variable in variables.SESSION.items():
            session.assign(name, variable.default)
        return Result("RESET ALL")
    if statement.what == "ALL":
        if session.transaction is not None:
            raise SqlError("DISCARD ALL cannot be run inside a transaction block", "25001")
        session.prepared.clear()
        for name, variable in variables.SESSION.items():
            session.assign(name, variable.default)
    return Result(f"DISCARD {statement.what}")
