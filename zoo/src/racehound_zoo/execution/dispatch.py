"""Executes any statement: finds the function for it, and checks whether the transaction block allows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.backend import NO_PARAMETERS, Parameters
from racehound_zoo.catalog.privileges import require_item
from racehound_zoo.dialect import parts
from racehound_zoo.dialect import statements as s
from racehound_zoo.errors import SqlError
from racehound_zoo.execution import committing, cursors, exporting, prepared_statements, querying, settings, writing
from racehound_zoo.execution.committing import CHANGED
from racehound_zoo.execution.connecting import source_of_table
from racehound_zoo.execution.ddl import CHANGING
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.execution.printing import printed
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import Session
from racehound_zoo.execution.upstream_checks import ask_upstream, validate

_IN_BLOCKS = (s.Rename, s.Swap)
"""Changes of the catalog of which a block may hold several."""
_IN_RECENT_BLOCKS = (s.CreateSource, s.CreateTableFromSource)
"""More of these, for releases after the recorded one."""
_NOT_IN_BLOCKS = (s.SetOptions, s.AlterSystem, s.AlterRole, s.DropOwned, s.ReassignOwned)


def execute(
    session: Session, statement: s.Statement, text: str, parameters: Parameters = NO_PARAMETERS, result_format: int = 0
) -> Result:
    """Execute one statement. SqlError when it fails; then the transaction block that it is in has failed, too."""
    with session.executing(statement), session.engine.defects.running_statement():
        return _run(session, statement, text, parameters, result_format)


def _run(session: Session, statement: s.Statement, text: str, parameters: Parameters, result_format: int) -> Result:
    if isinstance(statement, s.Select | s.Explain | s.Subscribe | s.CopyOut):
        return querying.run(session, statement, parameters, result_format)
    if isinstance(statement, s.Insert | s.Mutate):
        return writing.run(session, statement, text, parameters)
    if isinstance(statement, s.Execute):
        return prepared_statements.execute(session, statement, result_format, execute)
    handler = _HANDLERS.get(type(statement))
    if handler is not None:
        return handler(session, statement)
    assert isinstance(statement, CHANGING)
    return _change(session, statement, text)


def _change(session: Session, statement: s.Statement, text: str) -> Result:
    """Execute a change of the catalog, or keep it for COMMIT."""
    transaction = session.transaction
    if transaction is None:
        done = session.ddl.run(statement, session.scope, session.cluster, session.interrupted)
        session.notices += done.notices
        return Result(done.tag)
    if transaction.implicit or isinstance(statement, _NOT_IN_BLOCKS):
        raise _not_in_block(statement, text)
    if isinstance(statement, _IN_BLOCKS) or (session.engine.release.is_recent and isinstance(statement, _IN_RECENT_BLOCKS)):
        return _change_in_block(session, statement)
    if transaction.mode == "single" and isinstance(statement, s.CreateTableFromSource):
        source_of_table(CatalogPlan(session.engine, session.state, session.scope), statement)
    transaction.become("single")
    transaction.single = statement
    return Result(tag_of(statement))


def _not_in_block(statement: s.Statement, text: str) -> SqlError:
    return SqlError(f"{printed(statement, text)} cannot be run inside a transaction block", "25001")


def _change_in_block(session: Session, statement: s.Statement) -> Result:
    """Plan a change on the state that the earlier changes of the block lead to.

    COMMIT installs it if the catalog has not changed.
    """
    transaction = session.transaction
    assert transaction is not None
    transaction.become("changing")
    if transaction.base is None:
        transaction.base = session.engine.catalog.state
    elif session.engine.catalog.state.revision != transaction.base.revision:
        raise SqlError(CHANGED, "40001")
    answers = ask_upstream(CatalogPlan(session.engine, session.state, session.scope), statement, session.cluster)
    plan = session.ddl.plan(session.state, statement, session.scope, session.cluster, answers)
    transaction.plans.append(plan)
    session.notices += plan.notices
    return Result(plan.tag)


def tag_of(statement: s.Statement) -> str:
    """The command tag of a change that has not been executed yet."""
    if isinstance(statement, s.Drop):
        return f"DROP {statement.kind.upper()}"
    if isinstance(statement, s.Alter):
        return f"ALTER {statement.kind.upper()}"
    if isinstance(statement, s.CreateSource) and statement.is_table:
        return "CREATE TABLE"
    return _TAGS[type(statement)]


_TAGS: Mapping[type[s.Statement], str] = MappingProxyType(
    {
        s.CreateTable: "CREATE TABLE", s.CreateTableFromSource: "CREATE TABLE", s.CreateView: "CREATE VIEW",
        s.CreateMaterializedView: "CREATE MATERIALIZED VIEW", s.CreateIndex: "CREATE INDEX", s.CreateSource: "CREATE SOURCE",
        s.CreateSink: "CREATE SINK", s.CreateConnection: "CREATE CONNECTION", s.CreateSecret: "CREATE SECRET",
        s.CreateSchema: "CREATE SCHEMA", s.CreateDatabase: "CREATE DATABASE", s.CreateRole: "CREATE ROLE",
        s.CreateType: "CREATE TYPE", s.CreateCluster: "CREATE CLUSTER", s.CreateReplica: "CREATE CLUSTER REPLICA",
        s.Comment: "COMMENT", s.GrantRole: "GRANT ROLE", s.GrantPrivileges: "GRANT",
        s.DefaultPrivileges: "ALTER DEFAULT PRIVILEGES",
    }
)  # fmt: skip


def _begin(session: Session, _: s.Begin) -> Result:
    session.begin()
    return Result("BEGIN")


def _commit(session: Session, _: s.Commit) -> Result:
    return Result(committing.commit(session))


def _rollback(session: Session, _: s.Rollback) -> Result:
    return Result(session.rollback())


def _declare(session: Session, statement: s.Declare) -> Result:
    return cursors.declare(session, statement, execute)


def _validate(session: Session, statement: s.ValidateConnection) -> Result:
    if session.transaction is not None:
        raise _not_in_block(statement, f"VALIDATE CONNECTION {parts.spell(statement.name)}")
    state = session.state
    item = state.find(statement.name, session.scope)
    if item.kind != "connection":
        raise SqlError(f"cannot validate {item.kind} '{'.'.join(state.full_name(item))}'")
    require_item(state, session.scope, item, "USAGE")
    validate(CatalogPlan(session.engine, state, session.scope), item.id)
    return Result("VALIDATE CONNECTION")


_HANDLERS: Mapping[type[s.Statement], Callable[[Session, Any], Result]] = MappingProxyType(
    {
        s.Begin: _begin,
        s.Commit: _commit,
        s.Rollback: _rollback,
        s.CopyToS3: exporting.copy_to_s3,
        s.Show: querying.show,
        s.ShowCreate: querying.show_create,
        s.ShowVariable: settings.show,
        s.SetVariable: settings.assign,
        s.AlterSystem: settings.alter_system,
        s.Discard: settings.discard,
        s.Declare: _declare,
        s.Fetch: cursors.fetch,
        s.CloseCursor: cursors.close,
        s.Prepare: prepared_statements.prepare,
        s.Deallocate: prepared_statements.deallocate,
        s.ValidateConnection: _validate,
    }
)
