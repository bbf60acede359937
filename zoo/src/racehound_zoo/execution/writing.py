"""Executes INSERT, UPDATE and DELETE."""

from __future__ import annotations

from collections.abc import Sequence

from racehound_zoo.backend import Field, Parameters, Rows
from racehound_zoo.catalog.model import Item, SourceTableDefinition
from racehound_zoo.catalog.privileges import require_item
from racehound_zoo.copy_format import quoted
from racehound_zoo.dialect.parts import Query
from racehound_zoo.dialect.statements import Insert, Mutate
from racehound_zoo.errors import SqlError, unknown_item
from racehound_zoo.execution.printing import printed
from racehound_zoo.execution.querying import bind_query
from racehound_zoo.execution.rendering import render
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import Session
from racehound_zoo.rows import physical_name


def run(session: Session, statement: Insert | Mutate, text: str, parameters: Parameters) -> Result:
    """Execute the statement. SqlError if it fails."""
    table = session.state.find(statement.table, session.scope)
    _refuse_unwritable(session, table, statement)
    require_item(session.state, session.scope, table, "INSERT" if isinstance(statement, Insert) else statement.verb)
    reads = isinstance(statement, Mutate) or not statement.constant
    if reads and session.transaction is not None:
        raise SqlError(f"{printed(statement, text)} cannot be run inside a transaction block", "25001")
    sql = _insert(session, table, statement) if isinstance(statement, Insert) else _mutate(session, table, statement)
    if session.transaction is not None:
        return _hold(session, table, statement, sql, parameters)
    rows = _write(session, table, sql, parameters, reads=reads)
    return _result(statement, rows.count, rows)


def _refuse_unwritable(session: Session, table: Item, statement: Insert | Mutate) -> None:
    name = ".".join(session.state.full_name(table))
    into = "insert into" if isinstance(statement, Insert) else "mutate"
    if table.is_system:
        raise SqlError(f"cannot {into} system table '{name}'")
    if table.kind != "table":
        raise SqlError(f"cannot {into} {table.kind} '{name}'")
    if isinstance(table.definition, SourceTableDefinition) or not table.columns:
        raise SqlError(f"cannot {into} non-writeable table '{name}'")


def _insert(session: Session, table: Item, statement: Insert) -> str:
    source = _rendered(session, statement.query)
    columns = f" ({', '.join(map(quoted, statement.columns))})" if statement.columns else ""
    returning = f" RETURNING {statement.returning}" if statement.returning is not None else ""
    return f"INSERT INTO {physical_name(table.id)} AS {quoted(table.name)}{columns} {source}{returning}"


def _rendered(session: Session, query: Query) -> str:
    return render(session.engine.snapshot(), query, bind_query(session, query))


def _mutate(session: Session, table: Item, statement: Mutate) -> str:
    verb = "UPDATE" if statement.verb == "UPDATE" else "DELETE FROM"
    rest = _rendered(session, statement.rest) if statement.rest.text else ""
    return f"{verb} {physical_name(table.id)} AS {quoted(statement.alias or table.name)} {rest}"


def describe_returning(
    session: Session, statement: Insert | Mutate, oids: Sequence[int]
) -> tuple[tuple[int, ...], Sequence[Field]]:
    """The types of the parameters, and the columns."""
    table = session.state.find(statement.table, session.scope)
    _refuse_unwritable(session, table, statement)
    sql = _insert(session, table, statement) if isinstance(statement, Insert) else _mutate(session, table, statement)
    described = session.engine.storage.describe(sql, oids)
    return described.parameters, described.fields


def _hold(session: Session, table: Item, statement: Insert | Mutate, sql: str, parameters: Parameters) -> Result:
    """Check an INSERT and keep it for COMMIT."""
    transaction = session.transaction
    assert transaction is not None
    assert isinstance(statement, Insert)
    transaction.become("writing")
    count = _rows_of(session, statement.query, parameters)
    session.engine.storage.describe(sql, parameters.oids)
    transaction.writes.append((table.id, sql, parameters))
    return _result(statement, count, None)


def _rows_of(session: Session, query: Query, parameters: Parameters) -> int:
    text = _rendered(session, query)
    if text.strip().upper() == "DEFAULT VALUES":
        return 1
    with session.engine.storage.reader() as backend:
        return len(backend.run(f"SELECT * FROM ({text}) AS given", parameters).rows)


def _write(session: Session, table: Item, sql: str, parameters: Parameters, *, reads: bool) -> Rows:
    """Write at once. Whether the table still exists is checked while no other session writes."""
    engine = session.engine

    def allowed() -> None:
        if engine.catalog.state.item(table.id) is None:
            raise SqlError(f"dependency was removed: {table.id}", "0A000") if reads else unknown_item(table.id)

    if not reads and engine.defects.loses_write(engine.catalog, table):
        return _acknowledged_only(session, sql, parameters)
    return engine.storage.write(table.id, sql, parameters, allowed)


def _acknowledged_only(session: Session, sql: str, parameters: Parameters) -> Rows:
    """The result that the write would have had."""
    with session.engine.storage.reader() as backend:
        backend.script("BEGIN")
        try:
            return backend.run(sql, parameters)
        finally:
            backend.script("ROLLBACK")


def _result(statement: Insert | Mutate, count: int, rows: Rows | None) -> Result:
    if isinstance(statement, Mutate):
        return Result(f"{statement.verb} {count}")
    if statement.returning is not None and rows is not None:
        return Result("SELECT #", rows.fields, rows.rows)
    return Result(f"INSERT 0 {count}")
