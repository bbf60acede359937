"""A connection to the embedded PostgreSQL, and the translation of PostgreSQL's errors into Materialize's."""

from __future__ import annotations

import dataclasses
import re
import select
from collections.abc import Sequence

from psycopg import pq

from racehound_zoo.errors import INTERNAL, SqlError

TEXT_FORMAT = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A column of a result, as in the message RowDescription."""

    name: str
    oid: int
    size: int = -1
    modifier: int = -1


Row = Sequence[bytes | None]


@dataclasses.dataclass(frozen=True)
class Rows:
    """The result of a statement: its rows in the format that was asked for, and the number of rows that it affected."""

    fields: tuple[Field, ...]
    rows: Sequence[Row]
    count: int


@dataclasses.dataclass(frozen=True)
class Description:
    """The description of a query: the OIDs of its parameters, and its columns."""

    parameters: tuple[int, ...]
    fields: tuple[Field, ...]


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The values of $1, $2, …, as the client sent them."""

    values: Sequence[bytes | None] = ()
    oids: Sequence[int] = ()
    formats: Sequence[int] = ()


NO_PARAMETERS = Parameters()


class Backend:
    """A connection to the storage. A statement that fails raises SqlError."""

    def __init__(self, conninfo: str) -> None:
        self._connection = pq.PGconn.connect(conninfo.encode())
        if self._connection.status != pq.ConnStatus.OK:
            raise SqlError(f"the storage cannot be reached: {self._connection.get_error_message()}", "58000")
        self.script("SET search_path = zoo, pg_catalog; SET TimeZone = 'UTC'; SET intervalstyle = 'postgres'")

    def close(self) -> None:
        self._connection.finish()

    def cancel(self) -> None:
        """Cancel the statement that is being executed. May be called from any thread."""
        self._connection.get_cancel().cancel()

    @property
    def usable(self) -> bool:
        """Whether the connection is open and outside a transaction."""
        return self._connection.status == pq.ConnStatus.OK and self._connection.transaction_status == pq.TransactionStatus.IDLE

    def script(self, sql: str) -> None:
        """Execute statements whose results are not needed."""
        _check(self._connection.exec_(sql.encode()))

    def run(self, sql: str, parameters: Parameters = NO_PARAMETERS, result_format: int = TEXT_FORMAT) -> Rows:
        """Execute one statement and return its result."""
        result = self._connection.exec_params(
            sql.encode(), parameters.values, parameters.oids or None, parameters.formats or None, result_format
        )
        _check(result)
        rows = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return Rows(_fields(result), rows, result.command_tuples or 0)

    def describe(self, sql: str, oids: Sequence[int] = ()) -> Description:
        """Describe a query without executing it."""
        _check(self._connection.prepare(b"", sql.encode(), oids or None))
        self._connection.send_describe_prepared(b"")
        [result] = self._awaited()
        _check(result)
        return Description(tuple(result.param_type(index) for index in range(result.nparams)), _fields(result))

    def copy_in(self, sql: str, data: bytes) -> None:
        """Execute COPY … FROM STDIN with these bytes."""
        _check(self._connection.exec_(sql.encode()))
        self._connection.put_copy_data(data)
        self._connection.put_copy_end()
        for result in self._awaited():
            _check(result)

    def _awaited(self) -> list[pq.abc.PGresult]:
        """Wait for the results of what was sent.

        The waiting functions of the driver are not used: they block all other threads.
        """
        while self._connection.flush():
            select.select([], [self._connection.socket], [])
        results: list[pq.abc.PGresult] = []
        while True:
            while self._connection.is_busy():
                select.select([self._connection.socket], [], [])
                self._connection.consume_input()
            result = self._connection.get_result()
            if result is None:
                return results
            results.append(result)


def _fields(result: pq.abc.PGresult) -> tuple[Field, ...]:
    return tuple(
        Field((result.fname(index) or b"").decode(), result.ftype(index), result.fsize(index), result.fmod(index))
        for index in range(result.nfields)
    )


def _check(result: pq.abc.PGresult) -> None:
    failure = _error(result)
    if failure is not None:
        raise failure


def _error(result: pq.abc.PGresult) -> SqlError | None:
    if result.status not in {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.NONFATAL_ERROR}:
        return None

    def field(which: pq.DiagnosticField) -> str:
        return (result.error_field(which) or b"").decode(errors="replace")

    message = field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.get_error_message()
    return translated(field(pq.DiagnosticField.SQLSTATE), message)


class MissingCollectionError(SqlError):
    """The storage has no relation with this id."""

    def __init__(self, key: str) -> None:
        super().__init__(f"internal error: missing collection {key}")
        self.key = key


_NO_FUNCTION = re.compile(r"function ([\w.\"]+)\(.*\) does not exist", re.DOTALL)
_NO_RELATION = re.compile(r'relation "(?:zoo\.)?"?(\w+)"?" does not exist')
_NO_TYPE = re.compile(r'type "(.+)" does not exist')
_BAD_NUMBER = re.compile(r'invalid input syntax for type (smallint|integer|bigint): ("(.*)")', re.DOTALL)
_CANCELLED = "57014"
_LOCK_TIMEOUT = "canceling statement due to lock timeout"


def translated(sqlstate: str, message: str) -> SqlError:
    """Translate an error of PostgreSQL into the error that Materialize would send."""
    known = _unknown_thing(sqlstate, message)
    if known is not None:
        return known
    if sqlstate == "22P02" and (match := _BAD_NUMBER.fullmatch(message)):
        why = "invalid digit found in string" if match[3] else "cannot parse integer from empty string"
        return SqlError(f"invalid input syntax for type {match[1]}: {why}: {match[2]}")
    if message == "cached plan must not change result type":
        return SqlError(message, "0A000")
    if sqlstate == _CANCELLED and message != _LOCK_TIMEOUT:
        return SqlError("canceling statement due to user request", _CANCELLED)
    if sqlstate == "42601":
        return SqlError(message if "expressions" in message else message.replace("syntax error at or near", "unexpected"))
    return SqlError(message, INTERNAL)


def _unknown_thing(sqlstate: str, message: str) -> SqlError | None:
    """The error for a function, relation or type that PostgreSQL does not know; None for other errors.

    A missing relation is an internal error, because the catalog has the relation and the storage does not.
    """
    if sqlstate == "42883" and (match := _NO_FUNCTION.fullmatch(message)):
        name = match[1].replace('"', "")
        return SqlError(
            f'function "{name}" does not exist',
            hint="No function matches the given name and argument types. You might need to add explicit type casts.",
        )
    if sqlstate == "42P01" and (match := _NO_RELATION.fullmatch(message)):
        return MissingCollectionError(match[1])
    if sqlstate == "42704" and (match := _NO_TYPE.fullmatch(message)):
        return SqlError(f'type "{match[1]}" does not exist')
    return None
