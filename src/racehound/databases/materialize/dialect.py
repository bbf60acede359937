"""What can be said about Materialize's statements and errors without asking a server."""

from __future__ import annotations

import re

from racehound.data.history import Statement
from racehound.databases.dialect import Dialect, Reach
from racehound.databases.materialize import known_errors
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.session import ServerError

_CREATE = re.compile(r"> CREATE (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX|DEFAULT INDEX) (?!.*\bFROM SOURCE\b)")
_DROP = re.compile(r"> DROP (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX) ")
_RENAME = re.compile(r"> ALTER (?:TABLE|VIEW|MATERIALIZED VIEW|INDEX|SOURCE|SINK) \S+ RENAME TO ")


def allows_transaction(fragment: str) -> bool:
    """Whether a fragment may run inside BEGIN … COMMIT: one statement that creates or drops, or renames and nothing else.

    A transaction holds no more than that: its second statement is told that it "can only execute a single statement".
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
    """A message that says so itself, or one of class XX that is none of those known (`known_errors.py`)."""
    if statement.status != "error":
        return False
    if _INTERNAL.match(statement.message):
        return True
    known = known_errors.race_error(statement.message) or known_errors.other_error(statement.message)
    return statement.sqlstate.startswith("XX") and known is None


def is_race_outcome(statement: Statement) -> bool:
    """By the message: nearly all carry the same SQLSTATE."""
    return statement.status == "error" and known_errors.race_error(statement.message) is not None


def may_cause(error: Statement, other: str) -> Reach:
    """How near a statement of another session must be to have brought an error about; `none`: it cannot, by its sort.

    `unknown catalog item 'o_base'` comes of dropping, renaming and swapping what it is or stands on, not of building over it.
    """
    answer = known_errors.race_error(error.message)
    return answer.reach if answer is not None and answer.cause is not None and answer.cause.search(other) else "none"


def is_missing(error: Statement | ServerError) -> bool:
    """Whether an error says that something is not there: nobody need have dropped what was never made, or was rolled back."""
    answer = known_errors.race_error(error.message)
    return answer is not None and answer.name.startswith("missing ")


def is_transient(error: ServerError) -> bool:
    """The catalog changed while a transaction was open: the same transaction may succeed the next time."""
    return error.sqlstate == "40001" or error.message.startswith("another session modified the catalog")


_DEATH = re.compile(r"thread '[^']*' (?:\(\d+\) )?panicked at|fatal runtime error|\b(?:process|service) .* (?:exited|crashed)\b")


def death_in(line: str) -> str:
    """A panic, an abort, or what racehound itself notes of a process of the server that has ended."""
    match = _DEATH.search(line)
    return line[match.start() :] if match else ""


MATERIALIZE = Dialect(
    name="materialize",
    title="Materialize",
    allows_transaction=allows_transaction,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=is_transient,
    may_cause=may_cause,
    is_missing=is_missing,
    death_in=death_in,
    script_support=SCRIPT_SUPPORT,
    repetitions=5,
    plan_limit_s=3.0,
)
