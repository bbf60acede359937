"""Dialect: the rules for a database's statements, errors and log lines that need no server."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Literal

from racehound.data.history import Statement
from racehound.databases.effects import STANDARD, EffectOf
from racehound.session import ServerError
from racehound.testdrive.support import ScriptSupport

Reach = Literal["none", "exact", "named", "related", "anywhere"]
"""How near another statement must be to have caused an error.

none: it cannot have caused it. exact: it names what the error names. named: it names that, or what that is built over.
related: both statements are about objects that are built over a common one. anywhere: it ran at the same time.
"""

Farewell = Literal["", "crash", "signal", "command", "orphaned", "internal", "other"]
"""What a server tells a session when it ends it. Empty: nothing. crash: another server process crashed. signal: a signal from
outside ended this session's process. command: somebody ended the session, or the server, by a command. orphaned: the server
itself is gone. internal: something went wrong inside the server. other: another reason, which the message gives."""


Suspicion = Literal["strong", "some", "weak", "none"]
"""How well a statement accounts for an internal error of another session's statement, by both texts.

strong: it does just what such an error comes from. some: what it does may include that. weak: nothing is known of it. none: it
cannot have caused the error.
"""

_DROP = re.compile(r"\s*DROP\b", re.IGNORECASE)
_ALTER = re.compile(r"\s*ALTER\b", re.IGNORECASE)


def _suspicion(_error: Statement, other: str) -> Suspicion:
    return "strong" if _DROP.match(other) else "some" if _ALTER.match(other) else "weak"


def _never(_statement: Statement) -> bool:
    return False


def _never_missing(_error: Statement | ServerError) -> bool:
    return False


def _related(_error: Statement, _other: str) -> Reach:
    return "related"


def _no_numbers(_message: str) -> tuple[int, ...]:
    return ()


def _no_corruption(_error: Statement, _disturbed: bool) -> bool:
    return False


def _nothing(_line: str) -> str:
    return ""


def _in_one_database(_sql: str) -> bool:
    return False


_SETTING = re.compile(
    r"\s*(?:SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)|RESET\b|PREPARE\s+(?!TRANSACTION\b)|DEALLOCATE\b"
    r"|CREATE\s+(?:(?:LOCAL|GLOBAL)\s+)?TEMP)",
    re.IGNORECASE,
)


def changes_session(sql: str) -> bool:
    """Whether it is SET, PREPARE, the creation of a temporary object, or what undoes one of these."""
    return bool(_SETTING.match(sql))


def _nobody(_line: str) -> int:
    return 0


def _silent(_error: ServerError) -> Farewell:
    return ""


def _whole_line(message: str) -> tuple[int, str]:
    return 0, message


@dataclasses.dataclass(frozen=True)
class Dialect:
    """The rules of one database. All but the first six have a default, which assumes nothing about the database."""

    name: str
    """The word that users write for the database, e.g. `h2`."""
    title: str
    """Its official name, e.g. `H2`."""
    allows_transaction: Callable[[str], bool]
    """Whether every statement of a fragment may run inside BEGIN … COMMIT."""
    is_internal: Callable[[Statement], bool]
    """Whether this error reports an internal problem of the server, which no user should see."""
    is_race_outcome: Callable[[Statement], bool]
    """Whether a statement may get this error because of other sessions, and never when it runs alone."""
    is_transient: Callable[[ServerError], bool]
    """Whether the same statement may succeed when it is tried again."""
    effect: EffectOf = STANDARD.effect
    """What a statement changes, as its text tells."""
    may_cause: Callable[[Statement, str], Reach] = _related
    """How near the given statement of another session must be to have caused the error."""
    suspicion: Callable[[Statement, str], Suspicion] = _suspicion
    """How well the given statement of another session accounts for the internal error."""
    numbers_in: Callable[[str], tuple[int, ...]] = _no_numbers
    """The numbers by which a message names objects (`Target.objects`)."""
    is_missing: Callable[[Statement | ServerError], bool] = _never_missing
    """Whether the error says that an object does not exist, and nothing else."""
    shows_corruption: Callable[[Statement, bool], bool] = _no_corruption
    """Whether the error proves that stored data is damaged. The second argument: whether other sessions changed the object."""
    death_in: Callable[[str], str] = _nothing
    """The part of a log line that reports the death of a server process; "" if it reports none."""
    killed_pid: Callable[[str], int] = _nobody
    """The process that was ended by SIGKILL according to a log line; 0 if it reports none."""
    ended_from_outside: Callable[[str], str] = _nothing
    """How somebody ended the server or a process of it from outside, according to a log line: the signal, the request, or what
    ran out; "" if the line reports no such end. Such a line reports no crash, whatever `death_in` says of it."""
    farewell: Callable[[ServerError], Farewell] = _silent
    """What the last message of a lost connection says about the reason."""
    tells_every_session: bool = False
    """Whether at least idle sessions are told when the server ends, unless all of its processes are killed at the same time."""
    internal_error_in: Callable[[str], str] = _nothing
    """The internal error of a background process that a log line reports; "" if it reports none."""
    log_line: Callable[[str], tuple[int, str]] = _whole_line
    """The server process and the text of a log message, without the time at its beginning. The process is 0 if unknown."""
    is_shared: Callable[[str], bool] = _in_one_database
    """Whether a statement is about what all databases of a server share, so that a clone of one database does not have it."""
    changes_session: Callable[[str], bool] = changes_session
    """Whether a statement changes the state of its session beyond the end of the transaction."""
    no_retry: Callable[[str], str] = _nothing
    """Why a statement that failed must not be run again when everybody rests, in a few words; "" if it may be."""
    script_support: ScriptSupport = dataclasses.field(default_factory=ScriptSupport)
    """What the testdrive language needs from the database: version, topics of sinks, consistency checks."""
    repetitions: int = 100
    """Number of repetitions of a plan. They should take only a few seconds, so that a hunt runs many plans."""
    plan_limit_s: float | None = None
    """Seconds after which a plan gets only one more repetition; None if all plans take about the same time."""
