"""Actions on a SQL Server at an address that the user gives; racehound starts none.

These actions were never tested on a real SQL Server; tests only check the calls of the driver.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from racehound.testdrive.errors import ActionError
from racehound.testdrive.extras import load
from racehound.testdrive.redaction import redact, scrub
from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.state import Call, Handler, State

if TYPE_CHECKING:
    from pytds.connection import Connection

_PORT = 1433
_DEADLOCK_VICTIM = 1205
"""Error number of the statement that SQL Server cancelled to resolve a deadlock; it had no effect and may be run again."""
_DEADLOCK_RETRIES = Policy(timeout=60.0, initial_backoff=0.5, backoff_factor=2.0, max_tries=6)
_RESUMING = 40613
"""Error number of a serverless Azure database that is still starting."""

_PAIR = re.compile(r"""\s*(?P<key>[^=;]+?)\s*=\s*(?P<value>"(?:[^"]|"")*"|'(?:[^']|'')*'|\{[^}]*\}|[^;"'{][^;]*|)\s*(?:;|$)""")
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("server", "datasource", "address", "addr", "networkaddress"), "server"),
        **dict.fromkeys(("userid", "uid", "user", "username"), "user"),
        **dict.fromkeys(("password", "pwd"), "password"),
        **dict.fromkeys(("database", "initialcatalog"), "database"),
        "encrypt": "encrypt",
        "trustservercertificateca": "authority",
    }
)
"""Field by key of a connection string, without spaces. The driver has no options for other keys."""


@dataclass(frozen=True)
class Ado:
    """The parts of an ADO.NET connection string for a login by name and password."""

    host: str
    port: int
    user: str
    password: str
    database: str = ""
    encrypt: bool = False
    authority: str | None = None
    """File of the certificate authority that must have signed the server's certificate."""

    @staticmethod
    def parse(text: str) -> Ado:
        """Parse `server=tcp:HOST,PORT;User ID=…;Password=…`; values may be in quotes or braces. Raises ValueError."""
        found = _pairs(text)
        if not found.get("server"):
            raise ValueError("the connection string names no server: server=tcp:HOST,PORT;User ID=…;Password=…")
        if not found.get("user"):
            raise ValueError("the connection string has no User ID: only logins by name and password are supported")
        host, port = _server(found["server"])
        encrypt = found.get("encrypt", "false").lower() in {"true", "yes", "strict", "mandatory"}
        return Ado(
            host, port, found["user"], found.get("password", ""), found.get("database", ""), encrypt, found.get("authority")
        )


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    text = text.strip()
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ValueError(f"the connection string cannot be read after {', '.join(found) or 'its start'}")
        name = _NAMES.get(re.sub(r"\s", "", pair["key"]).lower())
        if name is not None:
            found[name] = _unquote(pair["value"])
        at = pair.end()
    return found


def _unquote(value: str) -> str:
    quote = value[:1]
    if quote in {'"', "'"}:
        return value[1:-1].replace(quote * 2, quote)
    return value[1:-1] if quote == "{" else value.strip()


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.removeprefix("tcp:").partition(",")
    host = {".": "localhost", "(local)": "localhost"}.get(host.strip(), host.strip())
    if not host or ":" in host or "\\" in host or not re.fullmatch(r"\s*[0-9]{0,5}\s*", port):
        raise ValueError(f"the server {text!r} is not of the form tcp:HOST,PORT")
    return host, int(port.strip() or _PORT)


class _Refusal:
    """A driver's error, and whether the attempt may be repeated."""

    def __init__(self, error: Exception, retried: int) -> None:
        self.error = error
        self.is_final = _number(error) != retried


_Rows: TypeAlias = list[tuple[object, ...]]
_Value = TypeVar("_Value")


def _retrying(attempt: Callable[[], _Value], retried: int, policy: Policy, state: State, pause_max: float = 60.0) -> _Value:
    """The result of `attempt`, which is repeated while the server answers this error number. Raises the driver's error.

    `pause_max`: the longest pause between two attempts, in seconds.
    """
    pytds = load("pytds", "python-tds")
    values: list[_Value] = []

    def refusal() -> _Refusal | None:
        try:
            values.append(attempt())
        except (pytds.Error, OSError, ValueError) as error:
            return _Refusal(error, retried)
        return None

    refused = until_success(refusal, policy, state.context.clock, lambda pause: state.context.sleep(min(pause, pause_max)))
    if refused is not None:
        raise refused.error
    return values[0]


def _connect(call: Call, state: State) -> None:
    """Open a named connection; it replaces one of that name. Retries, by the retry arguments, while a database is starting."""
    pytds = load("pytds", "python-tds")
    ado = Ado.parse(call.text)
    host, port = state.context.services.address(ado.host, ado.port)
    policy = Policy(_seconds(call, "retry-max-duration", 90.0), _seconds(call, "retry-initial-backoff", 0.5), backoff_factor=2.0)
    pause_max = _seconds(call, "retry-clamp-backoff", 5.0)
    try:
        connection = _retrying(lambda: _open(ado, host, port, state.policy.timeout), _RESUMING, policy, state, pause_max)
    except (pytds.Error, OSError, ValueError) as error:
        raise ActionError(f"cannot connect to SQL Server at {host}:{port}: {_describe(error)}") from error
    state.replace_resource(_key(call["name"]), connection)


def _seconds(call: Call, key: str, default: float) -> float:
    if key not in call.arguments:
        return default
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", call[key]):
        raise ValueError(f"parameter {key}: {call[key]!r} is not a number of seconds")
    return float(call[key])


def _open(ado: Ado, host: str, port: int, limit: float) -> Connection:
    """Connect within `limit` seconds. Raises the driver's errors, OSError if nothing listens, ValueError for options."""
    pytds = load("pytds", "python-tds")
    if ado.encrypt and ado.authority is None:
        raise ValueError("Encrypt=true needs TrustServerCertificateCA=FILE: the driver trusts no certificate unseen")
    # If nothing listens on the port, this fails at once; the driver would retry until the timeout.
    socket.create_connection((host, port), limit).close()
    return pytds.connect(
        dsn=host,
        port=port,
        user=ado.user,
        password=ado.password,
        database=ado.database or None,
        login_timeout=limit,
        autocommit=True,
        cafile=ado.authority,
        disable_connect_retry=True,
        appname="racehound",
    )


def _execute(call: Call, state: State) -> None:
    """Run each input line as a batch, or with split-lines=false all lines as one. Results are ignored."""
    for batch in call.input if call.flag("split-lines", default=True) else (call.text,):
        _run(batch, call, state)


def _set_from_sql(call: Call, state: State) -> None:
    """Set the variable to the first column of the only row."""
    rows = _run(call.text, call, state)
    if len(rows) != 1 or rows[0][0] is None:
        raise ActionError(f"{call.name} needs one row with a value, got {len(rows)} rows")
    state.variables[call["var"]] = str(rows[0][0])


def _run(batch: str, call: Call, state: State) -> _Rows:
    """The rows of the batch's first result. A deadlock victim is run again."""
    pytds = load("pytds", "python-tds")
    connection = _connection(call["name"], state)
    try:
        return _retrying(lambda: _rows(connection, batch), _DEADLOCK_VICTIM, _DEADLOCK_RETRIES, state)
    except (pytds.Error, OSError, ValueError) as error:
        raise ActionError(scrub(f"{redact(batch)}: {_describe(error)}", batch)) from error


def _rows(connection: Connection, batch: str) -> _Rows:
    with connection.cursor() as cursor:
        cursor.execute(batch)
        rows = list(cursor.fetchall()) if cursor.description else []
        while cursor.nextset():
            pass
        return rows


def _connection(name: str, state: State) -> Connection:
    def missing() -> Connection:
        raise ActionError(f"there is no SQL Server connection named {name}")

    return state.resource(_key(name), missing)


def _key(name: str) -> str:
    return f"sql-server {name}"


def _number(error: Exception) -> int:
    return getattr(error, "msg_no", 0) or getattr(error, "number", 0)


def _describe(error: Exception) -> str:
    """The message and the server's error number, if any, in one line."""
    cause = error.__cause__ or error
    text = str(getattr(cause, "text", "")) or str(cause) or type(cause).__name__
    number = _number(error)
    return " ".join(text.split()) + (f" ({number})" if number else "")


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"sql-server-connect": _connect, "sql-server-execute": _execute, "sql-server-set-from-sql": _set_from_sql}
)
