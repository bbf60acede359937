"""Describes a statement without executing it: its parameters and its columns."""

from __future__ import annotations

from collections.abc import Sequence

from racehound_zoo.backend import Description, Field
from racehound_zoo.dialect import statements as s
from racehound_zoo.execution import variables
from racehound_zoo.execution.querying import bind_query
from racehound_zoo.execution.rendering import render
from racehound_zoo.execution.result import text_fields
from racehound_zoo.execution.session import Session
from racehound_zoo.execution.showing import COLUMNS
from racehound_zoo.execution.subscribing import Subscription
from racehound_zoo.execution.writing import describe_returning


def describe(session: Session, statement: s.Statement | None, oids: Sequence[int]) -> Description:
    """SqlError when a name in the statement does not exist; then the transaction block that it is in has failed."""
    with session.describing():
        return _described(session, statement, oids)


def _described(session: Session, statement: s.Statement | None, oids: Sequence[int]) -> Description:
    if isinstance(statement, s.Select):
        text = render(session.engine.snapshot(), statement.query, bind_query(session, statement.query))
        return session.engine.storage.describe(text, oids)
    if isinstance(statement, s.Insert | s.Mutate):
        return _writing(session, statement, oids)
    return Description(tuple(oids), tuple(_fields(session, statement)))


def _writing(session: Session, statement: s.Insert | s.Mutate, oids: Sequence[int]) -> Description:
    parameters, fields = describe_returning(session, statement, oids)
    return Description(parameters, tuple(fields))


def _fields(session: Session, statement: s.Statement | None) -> Sequence[Field]:
    if isinstance(statement, s.Show):
        return COLUMNS[statement.what]
    if isinstance(statement, s.ShowCreate | s.ShowVariable | s.Explain):
        return text_fields(*_names(statement))
    if isinstance(statement, s.Subscribe):
        subscription = Subscription(session.engine, session.scope, session.uuid, statement, session.cluster)
        subscription.close()
        return subscription.fields
    return _of_named(session, statement)


def _names(statement: s.ShowCreate | s.ShowVariable | s.Explain) -> tuple[str, ...]:
    if isinstance(statement, s.ShowCreate):
        return ("name", "create_sql")
    return (variables.canonical(statement.name) if isinstance(statement, s.ShowVariable) else statement.column,)


def _of_named(session: Session, statement: s.Statement | None) -> Sequence[Field]:
    """The columns of a prepared statement or a cursor."""
    if isinstance(statement, s.Execute):
        found = session.prepared.get(statement.name)
        return _described(session, found.statement, found.oids).fields if found is not None else ()
    if isinstance(statement, s.Fetch) and session.transaction is not None:
        cursor = session.transaction.cursors.get(statement.cursor)
        return cursor.fields if cursor is not None else ()
    return ()
