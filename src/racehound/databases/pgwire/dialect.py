"""What can be said about statements and errors of any server that speaks the PostgreSQL protocol.

A server tells what sort of error it is by the SQLSTATE. The meanings used here are those of the PostgreSQL documentation,
appendix A ("PostgreSQL Error Codes"), most of which are the SQL standard's. The words of a message decide in one case only: see
`says_internal`.
"""

from __future__ import annotations

import dataclasses
import re

from racehound.data.history import Statement
from racehound.databases.dialect import Dialect
from racehound.session import ServerError

_ALIKE = (re.compile(r"> SELECT\b", re.IGNORECASE), re.compile(r"> INSERT\b", re.IGNORECASE))


def allows_transaction(fragment: str) -> bool:
    """Whether every statement of a fragment may run inside BEGIN … COMMIT: only SELECTs, or only INSERTs.

    More is not true of every server. Materialize has no transaction that reads and writes, nor one with UPDATE or DELETE (its
    documentation, "BEGIN"); several servers have none with DDL.
    """
    commands = [line for line in fragment.splitlines() if line.startswith((">", "!", "?", "$"))]
    return bool(commands) and any(all(sort.match(command) for command in commands) for sort in _ALIKE)


_INTERNAL_WORDS = re.compile(r"\W*internal error\b|.*\bpanick?ed\b", re.IGNORECASE)


def says_internal(statement: Statement) -> bool:
    """Whether the message itself says that something went wrong inside the server."""
    return statement.status == "error" and bool(_INTERNAL_WORDS.match(statement.message))


def is_internal(statement: Statement) -> bool:
    """Class XX ("Internal Error"), a message that says it, and a unique violation in a table of the server's own catalog."""
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
"""SQLSTATEs that a statement may meet because of what others did to the objects that it names. Every other error, such as a
division by zero or an unreadable date, is a finding where no serial order brings it about."""


def is_race_outcome(statement: Statement) -> bool:
    """See `_RACE_OUTCOMES`."""
    return statement.status == "error" and bool(_RACE_OUTCOMES.match(statement.sqlstate))


def is_transient(error: ServerError) -> bool:
    """Class 40 (serialization failures, deadlocks) and locks that were not to be had."""
    return error.sqlstate.startswith("40") or error.sqlstate == "55P03"


_INDEX_CORRUPTED = "XX002"
_DATA_CORRUPTED = "XX001"


def shows_corruption(error: Statement, disturbed: bool) -> bool:
    """XX002 always; XX001, which a table that is being truncated may also bring about, only where nobody changes it."""
    return error.sqlstate == _INDEX_CORRUPTED or (error.sqlstate == _DATA_CORRUPTED and not disturbed)


PGWIRE = Dialect(
    name="pgwire",
    title="PostgreSQL-compatible server",
    allows_transaction=allows_transaction,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=is_transient,
    shows_corruption=shows_corruption,
)


def _is_race_outcome_or_unclassified(statement: Statement) -> bool:
    return is_race_outcome(statement) or (statement.status == "error" and statement.sqlstate.startswith("XX"))


def _never(_error: Statement, _disturbed: bool) -> bool:
    return False


WITHOUT_CLASSES = dataclasses.replace(
    PGWIRE, is_internal=says_internal, is_race_outcome=_is_race_outcome_or_unclassified, shows_corruption=_never
)
"""For a server that answers with class XX where a user has simply made a mistake: there, the class tells nothing."""
