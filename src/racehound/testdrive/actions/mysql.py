"""MySQL: named connections, and statements on them."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from racehound.testdrive.errors import ActionError
from racehound.testdrive.extras import load
from racehound.testdrive.redaction import redact, scrub
from racehound.testdrive.state import Call, Handler, State
from racehound.tls import unverified

_PORT = 3306
_CONNECT_LIMIT_MAX_S = 31_536_000.0


@dataclass(frozen=True)
class Address:
    """Host, port, user and database of a MySQL connection; an empty database means none."""

    host: str
    port: int
    user: str
    password: str
    database: str = ""

    @staticmethod
    def parse(url: str) -> Address:
        """Parse `mysql://USER[:PASSWORD]@HOST[:PORT][/DATABASE]`, percent-encoded. The text of a ValueError has no password."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "mysql" or not parts.hostname or not parts.username:
            raise ValueError("a MySQL address is written mysql://USER@HOST[:PORT][/DATABASE]")
        decode = urllib.parse.unquote
        user, password, database = decode(parts.username), decode(parts.password or ""), decode(parts.path.removeprefix("/"))
        return Address(parts.hostname, parts.port or _PORT, user, password, database)


class _Connection:
    """A connection, in autocommit mode unless a statement of the script changes that."""

    def __init__(self, address: Address, limit: float) -> None:
        """Connect within `limit` seconds. Raises the driver's MySQLError, or RuntimeError for a missing package."""
        pymysql = load("pymysql", "PyMySQL")
        limit = min(max(limit, 0.001), _CONNECT_LIMIT_MAX_S)
        self._connection: Any = _opened(
            pymysql,
            host=address.host,
            port=address.port,
            user=address.user,
            # The password is given as bytes, since the driver encodes text as Latin-1.
            password=address.password.encode(),
            database=address.database or None,
            charset="utf8mb4",
            autocommit=True,
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
            connect_timeout=limit,
            read_timeout=limit,
            # Results are ignored, so that they need not be decoded.
            use_unicode=False,
            conv={},
        )
        # The limit is for connecting only; the driver has no public way to set it for that alone.
        self._connection._read_timeout = None  # noqa: SLF001

    def execute(self, statement: str) -> None:
        """Run one or several statements and read all results. Raises the driver's MySQLError."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            while cursor.nextset():
                pass

    def close(self) -> None:
        """Close the connection, even if the server has closed it."""
        if self._connection.open:
            self._connection.close()


def _opened(pymysql: Any, **how: object) -> Any:  # noqa: ANN401 PyMySQL has no types
    """Connect with TLS where the server has it. All connections share one TLS context; the driver would make one for each."""
    try:
        return pymysql.connect(ssl=unverified(), **how)
    except pymysql.err.OperationalError as error:
        if error.args[0] != pymysql.constants.CR.CR_SSL_CONNECTION_ERROR:
            raise
        return pymysql.connect(ssl_disabled=True, **how)


def _connect(call: Call, state: State) -> None:
    """Open a named connection. It replaces one of the same name, which is closed afterwards."""
    given = Address.parse(call["url"])
    host, port = state.context.services.address(given.host, given.port)
    address = Address(host, port, given.user, call.get("password", given.password), given.database)
    errors = load("pymysql.err", "PyMySQL")
    try:
        connection = _Connection(address, state.policy.timeout)
    except (errors.MySQLError, RuntimeError) as error:
        raise ActionError(f"cannot connect to MySQL at {host}:{port}: {_describe(error)}") from error
    state.replace_resource(_key(call["name"]), connection)


def _execute(call: Call, state: State) -> None:
    """Run each input line as one statement. Results are ignored; the first error fails the action."""
    connection = _connection(call["name"], state)
    errors = load("pymysql.err", "PyMySQL")
    for statement in call.input:
        try:
            connection.execute(statement)
        except errors.MySQLError as error:
            raise ActionError(scrub(f"{redact(statement)}: {_describe(error)}", statement)) from error


def _connection(name: str, state: State) -> _Connection:
    def missing() -> _Connection:
        raise ActionError(f"there is no MySQL connection named {name}")

    return state.resource(_key(name), missing)


def _key(name: str) -> str:
    return f"mysql {name}"


def _describe(error: Exception) -> str:
    """The server's message and error number, in one line."""
    match error.args:
        case (int(code), str(message)):
            text = f"{message} ({code})" if message else f"the connection is closed ({code})"
        case _:
            text = str(error)
    return " ".join(text.split())


ACTIONS: Mapping[str, Handler] = MappingProxyType({"mysql-connect": _connect, "mysql-execute": _execute})
