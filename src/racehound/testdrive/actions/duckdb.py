"""DuckDB in this process: an in-memory database for each name, until the script ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from racehound.session import Rows
from racehound.testdrive.errors import ActionError
from racehound.testdrive.extras import load
from racehound.testdrive.redaction import redact, scrub
from racehound.testdrive.rows import to_text
from racehound.testdrive.script import Row
from racehound.testdrive.state import Call, Handler, State

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

# No extension is downloaded while scripts run: one that is missing (httpfs, iceberg) is an error that names it.
_CONFIGURATION = {"autoinstall_known_extensions": "false"}


def _connect(call: Call, state: State) -> None:
    """Create the database, which older scripts do before they use it."""
    _database(call, state)


def _execute(call: Call, state: State) -> None:
    """Run each input line, which has one or several statements. Results are ignored; the first error fails the action."""
    database = _database(call, state)
    for statement in call.input:
        with _bounded(database, statement, state):
            database.execute(statement)


def _query(call: Call, state: State) -> None:
    """Run the first input line and compare the rows with the other lines: cells are separated by a space, the order counts."""
    if not call.input:
        raise ValueError("duckdb-query takes a query as its first line of input")
    query, *expected = call.input
    database = _database(call, state)
    with _bounded(database, query, state):
        actual = _lines(database, query)
    if call.flag("sort-rows", default=False):
        expected, actual = sorted(expected), sorted(actual)
    if expected != actual:
        raise ActionError("rows differ", None, _rows(expected), _rows(actual))


def _database(call: Call, state: State) -> DuckDBPyConnection:
    return state.resource(f"duckdb {call['name']}", _open)


def _open() -> DuckDBPyConnection:
    database: DuckDBPyConnection = load("duckdb", "duckdb").connect(":memory:", config=_CONFIGURATION)
    database.execute("SET TimeZone = 'UTC'")
    return database


@contextlib.contextmanager
def _bounded(database: DuckDBPyConnection, statement: str, state: State) -> Iterator[None]:
    """Interrupt the statement after the timeout, and turn DuckDB's errors into `ActionError`."""
    duckdb = load("duckdb", "duckdb")
    timer = threading.Timer(state.policy.timeout, database.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise ActionError(f"{redact(statement)}: no answer within the timeout") from error
    except duckdb.Error as error:
        message = " ".join(str(error).split())
        raise ActionError(scrub(f"{redact(statement)}: {message}", statement)) from error
    finally:
        timer.cancel()
        timer.join()


def _lines(database: DuckDBPyConnection, query: str) -> list[str]:
    """The result as lines. DuckDB casts the values to text, and the language converts that to the form of scripts."""
    relation: DuckDBPyRelation | None = database.sql(query)
    if relation is None:
        return []
    names = [str(type_) for type_ in relation.types]
    columns = ", ".join(_TEXTS.get(name, "CAST({} AS VARCHAR)").format(f"#{at}") for at, name in enumerate(names, start=1))
    cells = relation.project(columns).fetchall()
    rows = to_text(Rows(tuple(relation.columns), tuple(_OIDS.get(name, _TEXT_OID) for name in names), cells))
    return [" ".join(row) for row in rows]


def _rows(lines: list[str]) -> tuple[Row, ...]:
    return tuple((line,) for line in lines)


_FLOAT = "replace(regexp_replace(CAST({} AS VARCHAR), '\\.0$', ''), 'nan', 'NaN')"
_TEXTS: Mapping[str, str] = MappingProxyType({"BLOB": r"'\x' || hex({})", "FLOAT": _FLOAT, "DOUBLE": _FLOAT})
"""Expressions for the columns that a plain cast does not turn into the text that scripts expect."""
_TEXT_OID = 25
_OIDS: Mapping[str, int] = MappingProxyType(
    {
        "BLOB": 17,
        "FLOAT": 700,
        "DOUBLE": 701,
        "TIME": 1083,
        "TIMESTAMP": 1114,
        "TIMESTAMP_S": 1114,
        "TIMESTAMP_MS": 1114,
        "TIMESTAMP_NS": 1114,
        "TIMESTAMP WITH TIME ZONE": 1184,
    }
)
"""Type OIDs (`testdrive/cells.py`) of the columns whose text scripts write in a form of their own, by DuckDB's type names."""

ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"duckdb-connect": _connect, "duckdb-execute": _execute, "duckdb-query": _query}
)
