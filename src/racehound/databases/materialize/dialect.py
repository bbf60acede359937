"""The rules for Materialize's statements, errors and log lines that need no server."""

from __future__ import annotations

import re

from racehound.data.history import Statement
from racehound.databases.dialect import Dialect, Reach
from racehound.databases.effects import StatementRules
from racehound.databases.materialize import known_errors
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.session import ServerError

_CREATE = re.compile(r"> CREATE (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX|DEFAULT INDEX) (?!.*\bFROM SOURCE\b)")
_DROP = re.compile(r"> DROP (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX) ")
_RENAME = re.compile(r"> ALTER (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX|SOURCE|SINK) \S+ RENAME TO ")


def allows_transaction(fragment: str) -> bool:
    """Whether a fragment may run inside BEGIN … COMMIT: it has one statement that creates or drops, or only renames.

    In other transactions the second statement fails with "can only execute a single statement".
    """
    lines = [line for line in fragment.splitlines() if line]
    if not all(line.startswith("> ") for line in lines):
        return False
    if len(lines) == 1:
        return bool(_CREATE.match(lines[0]) or _DROP.match(lines[0]) or _RENAME.match(lines[0]))
    return bool(lines) and all(_RENAME.match(line) for line in lines)


_INTERNAL = re.compile(
    r"internal (?:transaction )?error|internal error:|.*\bpanick?ed\b|.*\bcalled `(?:Option|Result)::|.*\bassertion\b.*\bfailed\b"
    r"|.*\bunreachable\b|.*\bcoordinator (?:panicked|is gone|unavailable)\b|unexpected",
    re.IGNORECASE,
)
"""Messages that no user should see, whatever their SQLSTATE."""


def is_internal(statement: Statement) -> bool:
    """Whether the message says that the error is internal, or it has SQLSTATE class XX and is unknown (`known_errors.py`)."""
    if statement.status != "error":
        return False
    if _INTERNAL.match(statement.message):
        return True
    known = known_errors.race_error(statement.message) or known_errors.other_error(statement.message)
    return statement.sqlstate.startswith("XX") and known is None


def is_race_outcome(statement: Statement) -> bool:
    """Whether a race may cause the error. The message decides, since nearly all errors have the same SQLSTATE."""
    return statement.status == "error" and known_errors.race_error(statement.message) is not None


def may_cause(error: Statement, other: str) -> Reach:
    """How near a statement of another session must be to have caused an error; `none`: statements of its sort cannot cause it.

    For example, DROP, RENAME or SWAP of `o_base` or of what it is built over causes `unknown catalog item 'o_base'`.
    """
    pattern = known_errors.race_error(error.message)
    return pattern.reach if pattern is not None and pattern.cause is not None and pattern.cause.search(other) else "none"


def is_missing(error: Statement | ServerError) -> bool:
    """Whether an error says that an object does not exist. It may have been rolled back or never created instead of dropped."""
    pattern = known_errors.race_error(error.message)
    return pattern is not None and pattern.name.startswith("missing ")


def is_transient(error: ServerError) -> bool:
    """Whether the catalog changed while a transaction was open. The same transaction may succeed when it is tried again."""
    return error.sqlstate == "40001" or error.message.startswith("another session modified the catalog")


_DEATH = re.compile(r"thread '[^']*' (?:\(\d+\) )?panicked at|fatal runtime error|\b(?:process|service) .* (?:exited|crashed)\b")


def death_in(line: str) -> str:
    """The part of a line that reports a panic, an abort, or the end of a server process (racehound adds such lines); else ""."""
    match = _DEATH.search(line)
    return line[match.start() :] if match else ""


_RULES = StatementRules(
    reads=frozenset({"SHOW", "FETCH", "SUBSCRIBE", "VALIDATE"}),
    session=frozenset({"SET", "RESET", "DISCARD", "DECLARE", "CLOSE", "PREPARE", "DEALLOCATE"}),
    may_call=False,
)
"""No function of Materialize changes anything, and its queries hold no other statements."""

MATERIALIZE = Dialect(
    name="materialize",
    title="Materialize",
    allows_transaction=allows_transaction,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=is_transient,
    effect=_RULES.effect,
    may_cause=may_cause,
    is_missing=is_missing,
    death_in=death_in,
    script_support=SCRIPT_SUPPORT,
    repetitions=5,
    plan_limit_s=3.0,
)
