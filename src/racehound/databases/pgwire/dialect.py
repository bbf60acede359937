"""Classifies statements and errors of any server that speaks the PostgreSQL protocol.

Errors are classified by SQLSTATE, with the meanings of the PostgreSQL documentation, appendix A ("PostgreSQL Error Codes"); most
are those of the SQL standard. Only `says_internal` reads the text of a message.
"""

from __future__ import annotations

import dataclasses
import re

from racehound.data.history import Statement
from racehound.databases.dialect import Dialect, Farewell
from racehound.databases.effects import StatementRules
from racehound.session import ServerError

_ALIKE = (re.compile(r"> SELECT\b", re.IGNORECASE), re.compile(r"> INSERT\b", re.IGNORECASE))


def allows_transaction(fragment: str) -> bool:
    """Whether every statement of a fragment may run inside BEGIN … COMMIT: only SELECTs, or only INSERTs.

    Not every server allows more. Materialize allows no transaction that reads and writes, and no UPDATE or DELETE in one (its
    documentation, "BEGIN"); several servers allow no DDL.
    """
    commands = [line for line in fragment.splitlines() if line.startswith((">", "!", "?", "$"))]
    return bool(commands) and any(all(sort.match(command) for command in commands) for sort in _ALIKE)


_INTERNAL_WORDS = re.compile(r"\W*internal error\b|.*\bpanick?ed\b", re.IGNORECASE)


def says_internal(statement: Statement) -> bool:
    """Whether the text of the message reports an internal error or a panic."""
    return statement.status == "error" and bool(_INTERNAL_WORDS.match(statement.message))


def is_internal(statement: Statement) -> bool:
    """Whether the error has class XX ("Internal Error"), reports one in its text, or violates a constraint of a catalog table."""
    if statement.status != "error":
        return False
    in_catalog = statement.sqlstate.startswith("23") and statement.relation.startswith("pg_catalog.")
    return statement.sqlstate.startswith("XX") or in_catalog or says_internal(statement)


_RACE_OUTCOMES = re.compile(
    r"""^(?:
        40\w{3}|25P02|55P03|57014          # rolled back because of others, and what follows that; a lock not had; cancelled
      | 55000|55006                        # the object is in use, or in another state
      | 42P01|42703|42883|42704|3F000|3D000|26000      # it does not exist
      | 42P07|42701|42723|42710|42P06|42P04            # it exists already
      | 2BP01|2B000                        # others depend on it
      | 23\w{3}                            # a constraint: the rows are others
      | 42804|42809|42P10|42P16|42P17|42830|42846|428C9|0A000    # it has another shape; a cached plan does not fit it any more
      | 42501|0LP01|0P000                  # it has another owner, privileges were revoked, a role is gone
    )$""",
    re.VERBOSE,
)
"""SQLSTATEs that a statement may get because other sessions changed the objects that it names. Any other error, such as a
division by zero or an invalid date, is a finding if no serial order causes it."""


def is_race_outcome(statement: Statement) -> bool:
    """Whether the SQLSTATE is one of `_RACE_OUTCOMES`."""
    return statement.status == "error" and bool(_RACE_OUTCOMES.match(statement.sqlstate))


def is_transient(error: ServerError) -> bool:
    """Whether it has class 40 (serialization failure, deadlock) or a lock was not available."""
    return error.sqlstate.startswith("40") or error.sqlstate == "55P03"


_INDEX_CORRUPTED = "XX002"
_DATA_CORRUPTED = "XX001"


def shows_corruption(error: Statement, disturbed: bool) -> bool:
    """True for XX002, and for XX001 if not `disturbed`: a concurrent TRUNCATE may cause XX001, too."""
    return error.sqlstate == _INDEX_CORRUPTED or (error.sqlstate == _DATA_CORRUPTED and not disturbed)


_FAREWELLS: dict[str, Farewell] = {"57P01": "command", "57P02": "crash"}
"""SQLSTATEs of a session's end that PostgreSQL has defined (its documentation, appendix A)."""


def farewell(error: ServerError) -> Farewell:
    """What servers that keep to PostgreSQL's SQLSTATEs tell a session when they end it."""
    return _FAREWELLS.get(error.sqlstate, "")


_RULES = StatementRules(
    reads=frozenset({"SHOW"}),
    session=frozenset({"SET", "RESET", "DISCARD", "LISTEN", "DECLARE", "CLOSE", "PREPARE", "DEALLOCATE"}),
)
"""FETCH and EXECUTE count as changes: what they run stands in another statement."""

PGWIRE = Dialect(
    name="pgwire",
    title="PostgreSQL-compatible server",
    allows_transaction=allows_transaction,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=is_transient,
    effect=_RULES.effect,
    shows_corruption=shows_corruption,
    farewell=farewell,
)


def _is_race_outcome_or_unclassified(statement: Statement) -> bool:
    return is_race_outcome(statement) or (statement.status == "error" and statement.sqlstate.startswith("XX"))


def _never(_error: Statement, _disturbed: bool) -> bool:
    return False


WITHOUT_CLASSES = dataclasses.replace(
    PGWIRE, is_internal=says_internal, is_race_outcome=_is_race_outcome_or_unclassified, shows_corruption=_never
)
"""For a server that reports users' mistakes with class XX, so that the class does not show an internal error."""
