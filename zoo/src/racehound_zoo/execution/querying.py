"""Executes SELECT, EXPLAIN, SHOW, SUBSCRIBE and COPY TO STDOUT."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from racehound_zoo.backend import Backend, Parameters, Row, Rows
from racehound_zoo.catalog.privileges import require
from racehound_zoo.copy_format import quoted
from racehound_zoo.dialect.parts import Query
from racehound_zoo.dialect.statements import CopyOut, Explain, Select, Show, ShowCreate, Subscribe
from racehound_zoo.errors import SqlError
from racehound_zoo.execution import variables
from racehound_zoo.execution.rendering import bind, render, require_select
from racehound_zoo.execution.result import Result, encoded, text_fields
from racehound_zoo.execution.session import Session
from racehound_zoo.execution.showing import COLUMNS
from racehound_zoo.execution.showing import show as show_rows
from racehound_zoo.execution.showing import show_create as show_created
from racehound_zoo.execution.subscribing import Subscription

_JSONB = 3802
_SESSION_FUNCTIONS = frozenset({"current_database", "current_schema", "current_user"})


def run(
    session: Session, statement: Select | Explain | Subscribe | CopyOut, parameters: Parameters, result_format: int
) -> Result:
    """Execute a statement that reads. SqlError if it fails."""
    if isinstance(statement, Select):
        _enter(session, "reading")
        rows = select(session, statement, parameters, result_format)
        return Result("SELECT #", rows.fields, rows.rows, format=result_format)
    if isinstance(statement, Explain):
        _enter(session, "reading")
        return _explain(session, statement)
    if isinstance(statement, CopyOut):
        return _copy(session, statement)
    _enter(session, "subscribing")
    subscription = Subscription(session.engine, session.scope, session.uuid, statement, session.cluster)
    return Result("SUBSCRIBE #", subscription.fields, _streamed(session, subscription))


def _enter(session: Session, mode: str) -> None:
    if session.transaction is not None:
        session.transaction.become("reading" if mode == "reading" else "subscribing")


def _streamed(session: Session, subscription: Subscription) -> Iterator[Row | None]:
    """The rows of a subscription, until the client cancels it."""
    try:
        yield from subscription.rows(session.interrupted)
        if session.interrupted():
            raise SqlError("canceling statement due to user request", "57014")
    finally:
        subscription.close()


def select(session: Session, statement: Select, parameters: Parameters, result_format: int) -> Rows:
    """The rows of a query."""
    bound = bind_query(session, statement.query)
    _require_time(session, statement, bound)
    session.engine.manager.await_snapshots(session.state.stored_inputs(*bound), session.interrupted)
    text = render(session.engine.snapshot(), statement.query, bound)
    with session.reading() as backend:
        if statement.query.calls & _SESSION_FUNCTIONS:
            _set_session_functions(session, backend)
        return _with_compact_json(backend.run(text, parameters, result_format), result_format)


def _with_compact_json(found: Rows, result_format: int) -> Rows:
    """Print values of type jsonb without spaces, as Materialize does."""
    indexes = [index for index, field in enumerate(found.fields) if field.oid == _JSONB]
    if not indexes or result_format != 0:
        return found
    return dataclasses.replace(found, rows=[_compacted(row, indexes) for row in found.rows])


def _compacted(row: Row, indexes: Sequence[int]) -> Row:
    cells = list(row)
    for index in indexes:
        value = cells[index]
        if value is not None:
            cells[index] = json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False).encode()
    return cells


def bind_query(session: Session, query: Query) -> tuple[str, ...]:
    """The ids of the relations that a query reads.

    SqlError if the session's role may not read one of them, or if no replica can execute the query.
    """
    state, scope = session.state, session.scope
    bound = bind(state, scope, query)
    for dropped in filter(None, (session.engine.defects.stale_index_on(state.known(key)) for key in bound)):
        raise SqlError(f"internal error: missing collection {dropped.id}")
    require_select(state, scope, bound)
    _require_replica(session, bound)
    return bound


def _require_replica(session: Session, bound: Sequence[str]) -> None:
    """SqlError if the session's cluster has no replica for the query.

    A query that reads only system relations, or none, needs none.
    """
    state = session.state
    if all(state.known(key).is_system for key in bound):
        return
    cluster = state.cluster_named(session.cluster)
    require(state, session.scope, "cluster", cluster.name, cluster.acls, "USAGE")
    if not cluster.replicas:
        raise SqlError(
            f'CLUSTER "{cluster.name}" has no replicas available to service request',
            "0A000",
            hint="Use ALTER CLUSTER to adjust the replication factor of the cluster. "
            "Example:`ALTER CLUSTER <cluster-name> SET (REPLICATION FACTOR 1)`",
        )
    wanted = session.variables["cluster_replica"]
    if wanted and wanted not in {replica.name for replica in cluster.replicas}:
        raise SqlError(f"cluster replica '{cluster.name}.{wanted}' does not exist")


def _require_time(session: Session, statement: Select, bound: Sequence[str]) -> None:
    """SqlError for AS OF a time at which the inputs were different.

    The storage keeps no history, so AS OF must be later than the last write.
    """
    if statement.as_of is None or statement.at_least:
        return
    with session.engine.storage.reader() as backend:
        asked = int(float(backend.run(f"SELECT ({statement.as_of})::numeric::text").rows[0][0] or b"0"))
    state = session.state
    since = session.engine.storage.changed(state.stored_inputs(*bound))
    if asked < since or asked == 0:
        inputs = ", ".join(f"(User({key[1:]}), Antichain {{ elements: [{since}] }})" for key in bound)
        raise SqlError(f"Timestamp ({asked}) is not valid for all inputs: [{inputs}]")


def _set_session_functions(session: Session, backend: Backend) -> None:
    """Tell the storage what the functions about the session return."""
    path = session.variables["search_path"].partition(",")[0].strip()
    backend.run(
        "SELECT set_config('zoo.database', $1, false), set_config('zoo.schema', $2, false), set_config('zoo.user', $3, false)",
        Parameters([session.variables["database"].encode(), path.encode(), session.user.encode()]),
    )


def _explain(session: Session, statement: Explain) -> Result:
    """The inputs of the query and its cluster. The zoo has no query plans of its own."""
    bound = bind_query(session, statement.inner.query)
    state = session.state
    if statement.what == "TIMESTAMP":
        now = session.engine.storage.now()
        lines = [f"                query timestamp: {now}", f"          oracle read timestamp: {now}"]
        lines += [f"source {'.'.join(state.full_name(state.known(key)))} ({key}, storage):" for key in bound]
    else:
        lines = ["Explained Query:"]
        lines += [f"  ReadStorage {'.'.join(state.full_name(state.known(key)))}" for key in bound]
        lines += ["", f"Target cluster: {session.cluster}"]
    return Result("SELECT #", text_fields(statement.column), [encoded(("\n".join(lines) + "\n",))])


def _copy(session: Session, statement: CopyOut) -> Result:
    """COPY TO STDOUT: each row as a line of text."""
    inner = run(session, statement.inner, Parameters(), 0)
    assert inner.rows is not None
    return Result("COPY #", inner.fields, _lines(inner.rows), is_copy=True)


def _lines(rows: Iterable[Row | None]) -> Iterator[Row | None]:
    for row in rows:
        yield None if row is None else ["\t".join("\\N" if value is None else _escaped(value) for value in row).encode() + b"\n"]


def _escaped(value: bytes) -> str:
    text = value.decode()
    for character, written in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, written)
    return text


def show(session: Session, statement: Show) -> Result:
    """SHOW TABLES and similar statements."""
    _enter(session, "reading")
    rows = [encoded(row) for row in show_rows(session.state, session.scope, statement, _variables(session))]
    fields = COLUMNS[statement.what]
    if statement.condition is not None:
        return _filtered(session, statement, rows)
    return Result("SELECT #", fields, rows)


def _variables(session: Session) -> Callable[[], list[tuple[str, str, str]]]:
    engine, state = session.engine, session.state

    def rows() -> list[tuple[str, str, str]]:
        found = [(name, session.variables[name], variable.description) for name, variable in variables.SESSION.items()]
        return [
            *found,
            *((name, engine.setting(state, name), "A setting of the server.") for name in engine.settings),
        ]

    return rows


def _filtered(session: Session, statement: Show, rows: Sequence[Row]) -> Result:
    fields = COLUMNS[statement.what]
    records = [
        {field.name: None if value is None else value.decode() for field, value in zip(fields, row, strict=True)} for row in rows
    ]
    literal = json.dumps(records).replace("'", "''")
    types = {16: "boolean", 1009: "text[]"}
    shape = ", ".join(f"{quoted(field.name)} {types.get(field.oid, 'text')}" for field in fields)
    with session.engine.storage.reader() as backend:
        found = backend.run(f"SELECT * FROM json_to_recordset('{literal}'::json) AS shown({shape}) WHERE {statement.condition}")
    return Result("SELECT #", fields, found.rows)


def show_create(session: Session, statement: ShowCreate) -> Result:
    _enter(session, "reading")
    row = show_created(session.state, session.scope, statement)
    return Result("SELECT #", text_fields("name", "create_sql"), [row])
