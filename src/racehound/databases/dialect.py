"""Dialect: what can be said about a database's statements, errors and log lines without asking a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from racehound.data.history import Statement
from racehound.session import ServerError
from racehound.testdrive.support import ScriptSupport

Reach = Literal["none", "exact", "named", "related", "anywhere"]
"""How near another statement must be to have caused an error.

none: it cannot have caused it. exact: it names what the error names. named: it names that, or what that is built over.
related: both statements are about objects that are built over a common one. anywhere: it ran at the same time.
"""


def _never(_statement: Statement) -> bool:
    return False


def _never_missing(_error: Statement | ServerError) -> bool:
    return False


def _related(_error: Statement, _other: str) -> Reach:
    return "related"


def _no_corruption(_error: Statement, _disturbed: bool) -> bool:
    return False


def _nothing(_line: str) -> str:
    return ""


def _nobody(_line: str) -> int:
    return 0


def _whole_line(message: str) -> tuple[int, str]:
    return 0, message


@dataclasses.dataclass(frozen=True)
class Dialect:
    """The rules of one database. Only the first six have no default; the defaults claim nothing."""

    name: str
    """The word that users write for the database, e.g. `h2`."""
    title: str
    """Its name as its makers spell it, e.g. `H2`."""
    allows_transaction: Callable[[str], bool]
    """Whether every statement of a fragment may run inside BEGIN … COMMIT."""
    is_internal: Callable[[Statement], bool]
    """Whether the server says with this error that something went wrong inside it: no user should see such an error."""
    is_race_outcome: Callable[[Statement], bool]
    """Whether a statement may meet this error because of what other sessions did, and never when it runs alone."""
    is_transient: Callable[[ServerError], bool]
    """Whether the same statement may succeed when it is simply tried again."""
    may_cause: Callable[[Statement, str], Reach] = _related
    """How near the given statement of another session must be to have caused the error."""
    is_missing: Callable[[Statement | ServerError], bool] = _never_missing
    """Whether the error says that something does not exist, and only that."""
    shows_corruption: Callable[[Statement, bool], bool] = _no_corruption
    """Whether the error proves that stored data is damaged. The second argument: whether others changed the object meanwhile."""
    death_in: Callable[[str], str] = _nothing
    """What a line of the server's log says about the death of a server process; "" where it does not tell of one."""
    killed_pid: Callable[[str], int] = _nobody
    """Which process a line of the server's log says was ended by SIGKILL; 0 where it does not tell of one."""
    internal_error_in: Callable[[str], str] = _nothing
    """The internal error of a background process that a line of the server's log tells of; "" where it does not tell of one."""
    log_line: Callable[[str], tuple[int, str]] = _whole_line
    """What a message of the server's log, without the time at its beginning, says: the server process (0 where it does not tell),
    and the text that reports show of it."""
    script_support: ScriptSupport = dataclasses.field(default_factory=ScriptSupport)
    """What the testdrive language asks of the database: version, topics of sinks, consistency checks."""
    repetitions: int = 100
    """Repetitions of a plan that take a few seconds, so that a hunt sees many plans."""
    plan_limit_s: float | None = None
    """Seconds after which the next repetition of a plan is its last; None where all plans take about as long."""
