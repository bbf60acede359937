"""Connections to MySQL, whose errors have the words of Materialize's driver."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pymysql
from pymysql.converters import conversions

from racehound_zoo.sources.source import ConnectionFacts
from racehound_zoo.sources.upstream import UpstreamError

_LIMIT_S = 5
_READ_LIMIT_S = 60
_BINLOG_GONE = 1236
_STATES = {1044: "42000", 1045: "28000", 1049: "42000", 1146: "42S02", 1142: "42000", 1227: "42000"}
_FIRST_SERVER_CODE, _FIRST_CLIENT_CODE = 1000, 2000
_OS_ERROR = re.compile(r"\[Errno (\d+)\] ([^)]+)")
# Values come as the text that the server sends. Parameters are written as PyMySQL does by default.
_CONVERSIONS = {kind: spell for kind, spell in conversions.items() if not isinstance(kind, int)}
Connection = Any
"""A connection of PyMySQL, which has no type annotations."""


def settings(connection: ConnectionFacts) -> dict[str, Any]:
    """The settings of a connection, for PyMySQL."""
    options = connection.options
    return {
        "host": options.get("HOST"), "port": int(options.get("PORT") or 3306), "user": options.get("USER"),
        "password": options.get("PASSWORD", ""), "charset": "utf8mb4", "connect_timeout": _LIMIT_S,
        "read_timeout": _READ_LIMIT_S, "write_timeout": _LIMIT_S,
    }  # fmt: skip


def connect(**arguments: object) -> Connection:
    """Connect without TLS, which takes longer to set up than everything else; with TLS if the server accepts the password in no
    other way.
    """
    try:
        return pymysql.connect(**arguments, ssl_disabled=True)
    except RuntimeError:
        return pymysql.connect(**arguments)


@contextlib.contextmanager
def translating_errors() -> Iterator[None]:
    """Turn errors of PyMySQL and of its socket into UpstreamError."""
    try:
        yield
    except (pymysql.MySQLError, OSError) as error:
        raise UpstreamError(_told(error)) from error


@contextlib.contextmanager
def connected(connection: ConnectionFacts, **more: object) -> Iterator[Connection]:
    """A connection in autocommit mode. UpstreamError if MySQL cannot be reached or refuses."""
    with translating_errors():
        made = connect(**settings(connection), autocommit=True, conv=_CONVERSIONS, **more)
        with contextlib.closing(made):
            yield made


def rows(connection: Connection, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a statement. UpstreamError if it fails."""
    with translating_errors(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def identifier(*names: str) -> str:
    """A quoted name, for MySQL."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def _told(error: Exception) -> str:
    code, text = (error.args[0], str(error.args[-1])) if error.args else (None, str(error))
    if code == _BINLOG_GONE:
        return "mysql server does not have the binlog available at the requested gtid set"
    if isinstance(code, int) and _FIRST_SERVER_CODE <= code < _FIRST_CLIENT_CODE:
        return f"Server error: `ERROR {_STATES.get(code, 'HY000')} ({code}): {text}'"
    system = _OS_ERROR.search(text)
    if system is not None:
        return f"Input/output error: Input/output error: {system[2]} (os error {system[1]})"
    return f"Input/output error: {text}"
