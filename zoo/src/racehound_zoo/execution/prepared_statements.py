"""Executes PREPARE, EXECUTE and DEALLOCATE."""

from __future__ import annotations

from collections.abc import Callable

from racehound_zoo.backend import NO_PARAMETERS, Description, Parameters
from racehound_zoo.dialect.statements import Deallocate, Execute, Insert, Mutate, Prepare, Select, Statement
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.describing import describe
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import PreparedStatement, Session


def prepare(session: Session, statement: Prepare) -> Result:
    if statement.name in session.prepared:
        raise SqlError(f'prepared statement "{statement.name}" already exists', "42P05")
    described = describe(session, statement.inner, ())
    session.prepared[statement.name] = PreparedStatement(statement.inner, statement.text, described.parameters, shape(described))
    return Result("PREPARE")


def shape(described: Description) -> tuple[tuple[str, int], ...]:
    """The names and type OIDs of the columns."""
    return tuple((field.name, field.oid) for field in described.fields)


def require_same_shape(session: Session, statement: Statement, columns: tuple[tuple[str, int], ...]) -> None:
    """SqlError 0A000 if the columns of a prepared query have changed since it was prepared."""
    if isinstance(statement, Select) and statement.query.references and shape(describe(session, statement, ())) != columns:
        raise SqlError("cached plan must not change result type", "0A000")


def execute(session: Session, statement: Execute, result_format: int, run: Callable[..., Result]) -> Result:
    """EXECUTE. `run` executes the prepared statement, as `dispatch.execute` does."""
    found = session.prepared.get(statement.name)
    if found is None or found.statement is None:
        raise SqlError(f"unknown prepared statement {statement.name}")
    require_same_shape(session, found.statement, found.columns)
    return run(session, found.statement, found.text, _arguments(session, found.statement, statement), result_format)


def _arguments(session: Session, inner: Statement, statement: Execute) -> Parameters:
    """The values of the arguments, which are expressions."""
    if not statement.arguments or not isinstance(inner, Select | Insert | Mutate):
        return NO_PARAMETERS
    casts = ", ".join(f"({argument})::text" for argument in statement.arguments)
    with session.engine.storage.reader() as backend:
        return Parameters(backend.run(f"SELECT {casts}").rows[0])


def deallocate(session: Session, statement: Deallocate) -> Result:
    if statement.name is None:
        session.prepared.clear()
        return Result("DEALLOCATE ALL")
    if statement.name not in session.prepared:
        raise SqlError(f'prepared statement "{statement.name}" does not exist', "26000")
    del session.prepared[statement.name]
    return Result("DEALLOCATE")
