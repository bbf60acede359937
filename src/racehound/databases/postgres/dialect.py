"""The rules for PostgreSQL's statements, errors and log lines that need no server."""

from __future__ import annotations

import re
import signal

from racehound.data.history import Statement
from racehound.databases import dialect
from racehound.databases.dialect import Dialect, Farewell
from racehound.databases.postgres.effects import RULES
from racehound.databases.postgres.script_support import SCRIPT_SUPPORT
from racehound.databases.postgres.suspects import oids_in, suspicion
from racehound.session import ServerError

_OUTSIDE_TRANSACTIONS = re.compile(
    r"""^[>!?]\s*(?:
        VACUUM\b | BEGIN\b | COMMIT\b | ROLLBACK\b | START\b | PREPARE\s+TRANSACTION\b | ALTER\s+SYSTEM\b
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)\b | ALTER\s+DATABASE\b.*\bTABLESPACE\b
      | ALTER\s+SUBSCRIPTION\b | REINDEX\b | CLUSTER\s*$ | DISCARD\b
      | CALL\b
      | .*\bCONCURRENTLY\b | .*\bpg_(?:create|drop|copy)_\w*replication_slot\b | .*\bpg_replication_slot_advance\b
      | .*\bpg_create_logical\w*
    )""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""Statements that PostgreSQL refuses in a transaction block (their reference pages say so), and slot functions, which refuse a
transaction that has written. REINDEX is refused only for partitioned objects, but its text does not show what an object is."""


def allows_transaction(fragment: str) -> bool:
    """Whether every statement of a fragment may run inside BEGIN … COMMIT. `$` commands may not: they use other sessions."""
    return not _OUTSIDE_TRANSACTIONS.search(fragment) and not re.search(r"^\$", fragment, re.MULTILINE)


_SHARED = re.compile(
    r"\s*(?:(?:CREATE|DROP|ALTER)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)\b|(?:COMMIT|ROLLBACK)\s+PREPARED\b)"
    r"|.*\bpg_(?:create|drop|copy)_\w*replication_slot\b|.*\bpg_replication_slot_advance\b"
    r"|.*\bpg_(?:logical_slot|replication_origin)_\w+",
    re.IGNORECASE | re.DOTALL,
)


def is_shared(sql: str) -> bool:
    """Whether it is about databases, tablespaces, subscriptions, slots or prepared transactions.

    Shared catalogs and files of the cluster hold them: a clone of a database lacks them, or shows those of the original.
    """
    return bool(_SHARED.match(sql))


_FURTHER_STATE = re.compile(
    r"\s*(?:DISCARD\b|LISTEN\b|UNLISTEN\b|LOAD\b|DECLARE\b.*\bWITH\s+HOLD\b|SELECT\s+(?:pg_catalog\.)?set_config\s*\()",
    re.IGNORECASE | re.DOTALL,
)


def changes_session(sql: str) -> bool:
    """Whether it changes settings, prepared statements, temporary objects, cursors or subscriptions of its session."""
    return dialect.changes_session(sql) or bool(_FURTHER_STATE.match(sql))


_NO_RETRY = (
    (re.compile(r"\s*ALTER\s+SYSTEM\b", re.IGNORECASE), "it changes the settings of the whole server"),
    (re.compile(r"\s*COPY\b.*\bPROGRAM\b", re.IGNORECASE | re.DOTALL), "it runs a program"),
    (
        re.compile(r".*\bpg_(?:terminate|cancel)_backend\b", re.IGNORECASE | re.DOTALL),
        "it ends what other sessions do",
    ),
    (re.compile(r".*\bdblink\w*\s*\(", re.IGNORECASE | re.DOTALL), "another connection does it, whose work is not rolled back"),
)


def no_retry(sql: str) -> str:
    """Why a statement must not be run again at rest: neither a rollback nor a clone keeps its effects from the server."""
    return next((reason for pattern, reason in _NO_RETRY if pattern.match(sql)), "")


_INTERNAL_MESSAGES = re.compile(
    r"cache lookup failed|could not find tuple|could not open relation with OID|tuple concurrently|tuple already updated by self"
    r"|unexpected |no relation entry|could not find|invalid memory alloc|missing chunk number|could not read block"
    r"|could not (?:open file|create directory|open directory|access status of transaction)|failed to find|unrecognized node type"
    r"|relation \d+ deleted while still in use"
)
_USER_MESSAGES = re.compile(
    r"could not find (?:array type|a function named|a procedure|an aggregate)|could not open file \".*\" for"
)


def is_internal(statement: Statement) -> bool:
    """Whether the SQLSTATE is of class XX, the message is for developers only, or a unique index of a catalog is violated."""
    if statement.status != "error":
        return False
    if statement.sqlstate.startswith("XX"):
        return True
    if statement.sqlstate == "23505":
        return statement.constraint.startswith("pg_") and not statement.relation.startswith("public.")
    return bool(_INTERNAL_MESSAGES.match(statement.message)) and not _USER_MESSAGES.match(statement.message)


_RACE_OUTCOMES = re.compile(
    r"""^(?:
        42P01|42703|42883|42704|3F000|3D000   # the object does not exist
      | 42P07|42710|42723|42701|42P06|42P04|42P03 # the object exists already
      | 2BP01|2B000                           # other objects depend on it
      | 40P01|40001|55P03|57014|25P02         # deadlock, serialisation, lock not available, cancelled, transaction already failed
      | 55000|55006|42809|42P16|42P17|42P10|42804|42611|42P13|42P15|42P21|42P22|42725|42846|42939|42830 # its definition differs
      | 23505|23503|23514|23502|23P01|22P02|22023|21000|428C9|22003|2200H|22000
      | 42501|0A000|28000|0LP01|0LP02|0P000   # its owner has changed, a cached plan is out of date, a role was dropped
      | HV\w{3}|08001                         # a foreign server reports one of these errors
    )$""",
    re.VERBOSE,
)
"""SQLSTATEs (PostgreSQL documentation, appendix A) that a statement may get because other sessions changed its objects."""


def is_race_outcome(statement: Statement) -> bool:
    return statement.status == "error" and bool(_RACE_OUTCOMES.match(statement.sqlstate))


def is_transient(error: ServerError) -> bool:
    """Whether it is a deadlock, a serialisation failure, a lock time-out, or a concurrent write to the same catalog row."""
    return error.sqlstate in ("40P01", "40001", "55P03") or error.message.startswith("tuple concurrently")


_INDEX_CORRUPTED = "XX002"
_DATA_CORRUPTED = "XX001"
"""It also occurs while a table is truncated. Therefore it proves damage only where no other session changes the table."""


def shows_corruption(error: Statement, disturbed: bool) -> bool:
    """Whether the SQLSTATE says that stored data or an index is damaged (PostgreSQL documentation, appendix A)."""
    return error.sqlstate == _INDEX_CORRUPTED or (error.sqlstate == _DATA_CORRUPTED and not disturbed)


_DEATH = re.compile(
    r"PANIC|TRAP: |was terminated by signal \d+(?:: [\w ]+)?|(?:server process|client backend) .* exited with exit code \d+"
)
_KILLED = re.compile(r"\(PID (?P<pid>\d+)\) was terminated by signal 9\b")
_INTERNAL_IN_LOG = re.compile(r"\bXX\d{3}\b")


def death_in(line: str) -> str:
    match = _DEATH.search(line)
    if match is None:
        return ""
    return f"server process {match[0]}" if "terminated by signal" in match[0] else line[match.start() :]


_SIGNALLED = re.compile(r"was terminated by signal (?P<number>\d+)")
_OWN_FAULT = frozenset((4, 5, 6, 7, 8, 11, 31))
"""SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: what a process gets for what it does itself (signal(7))."""
_SHUTDOWN = re.compile(r"received (?:fast|smart|immediate) shutdown request")
_QUIT = re.compile(r"(?:server process|client backend) .* exited with exit code 2\b")
"""How a process ends when somebody sends it SIGQUIT (PostgreSQL, `quickdie`)."""
_DISK_FULL = re.compile(r"(?:PANIC|FATAL): .*(?:No space left on device|Disk quota exceeded)")


def ended_from_outside(line: str) -> str:
    """See `Dialect`."""
    if (signalled := _SIGNALLED.search(line)) is not None:
        number = int(signalled["number"])
        return "" if number in _OWN_FAULT else f"a server process was ended by {_signal_name(number)}"
    if (shutdown := _SHUTDOWN.search(line)) is not None:
        return f"the server {shutdown[0]}"
    if _QUIT.search(line):
        return "a server process was ended by SIGQUIT"
    return "the disk was full" if _DISK_FULL.search(line) else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_FAREWELLS: tuple[tuple[re.Pattern[str], Farewell], ...] = (
    (re.compile("because of crash of another server process"), "crash"),
    (re.compile(r"^PANIC: "), "crash"),
    (re.compile("because of unexpected SIGQUIT signal"), "signal"),
    (re.compile("due to unexpected postmaster exit"), "orphaned"),
    (re.compile("due to administrator command|due to immediate shutdown command"), "command"),
    (re.compile(rf"^FATAL: +(?:{_INTERNAL_MESSAGES.pattern})"), "internal"),
    (re.compile("^FATAL: "), "other"),
)
_FAREWELL_CODES: dict[str, Farewell] = {"57P01": "command", "57P02": "crash"}
"""SQLSTATEs, which do not depend on the language of messages (PostgreSQL documentation, appendix A)."""


def farewell(error: ServerError) -> Farewell:
    """See `Dialect`."""
    by_text: Farewell = next((kind for pattern, kind in _FAREWELLS if pattern.search(error.message)), "")
    if by_text not in ("", "other"):
        return by_text
    if error.sqlstate.startswith("XX"):
        return "internal"
    return _FAREWELL_CODES.get(error.sqlstate, by_text or ("" if error.sqlstate in ("", "08006") else "other"))


def killed_pid(line: str) -> int:
    match = _KILLED.search(line)
    return int(match["pid"]) if match else 0


def internal_error_in(line: str) -> str:
    return (line.rpartition("ERROR:  ")[2] or line) if _INTERNAL_IN_LOG.search(line) else ""


_LOG_LINE = re.compile(
    r"(?P<pid>\d+)\t(?P<type>[^\t]*)\t(?P<application>[^\t]*)\t(?P<sqlstate>[^\t]*)\t(?P<message>.*)", re.DOTALL
)
"""A log line without its time, in the format `log_line_prefix` of embedded servers (`services.embedded.server`)."""


def log_line(message: str) -> tuple[int, str]:
    """The process, and the message after the session's name or, for a background process, after the process's type.

    The application name of a session of racehound ends with the name of the session.
    """
    match = _LOG_LINE.fullmatch(message)
    if match is None:
        return 0, message
    name = match["application"].rpartition(" ")[2] if match["type"] == "client backend" else match["type"]
    return int(match["pid"]), f"{name}: {match['message']}" if name else match["message"]


POSTGRES = Dialect(
    name="postgres",
    title="PostgreSQL",
    allows_transaction=allows_transaction,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=is_transient,
    effect=RULES.effect,
    suspicion=suspicion,
    numbers_in=oids_in,
    shows_corruption=shows_corruption,
    death_in=death_in,
    killed_pid=killed_pid,
    ended_from_outside=ended_from_outside,
    farewell=farewell,
    tells_every_session=True,
    internal_error_in=internal_error_in,
    log_line=log_line,
    is_shared=is_shared,
    no_retry=no_retry,
    changes_session=changes_session,
    script_support=SCRIPT_SUPPORT,
)
