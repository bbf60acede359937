"""What a scene needs that a stock server or an empty database does not have: settings, extensions, a schema, a role.

racehound's own servers and working databases have them, so a reduction leaves out the statements that would bring them about.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from racehound.databases.postgres.kinds.shared_operations import OTHER_OWNER, OTHER_SCHEMA

DATABASE = "race"
"""The name of the database in which a kit runs."""
USER = "postgres"
"""The user that statements name as the one who connects."""

_VARIABLES = {
    "${racehound.database}": (DATABASE, f"a database called {DATABASE}: statements name it"),
    "${racehound.user}": (USER, f"a superuser called {USER}: statements name it"),
    "${racehound.conninfo}": (
        f"user={USER}",
        f"a server that reaches itself as {USER} with libpq's defaults, or has PGHOST and PGPORT in its environment for that",
    ),
}
"""Variables of statements: their value in a kit, and what follows for whoever runs it."""

_SESSION_SETTINGS = (
    (re.compile(r"\bCREATE\s+TABLESPACE\b.*\bLOCATION\s+''", re.IGNORECASE | re.DOTALL), "SET allow_in_place_tablespaces = on"),
)
"""Statements of sessions, and the setting without which they fail. racehound's own servers have it for all sessions."""

LAST_TO_WAIT_FAILS = "SET deadlock_timeout = '1ms'"
"""A session looks for a deadlock once, so long after it began to wait. If that is short, the last one to wait finds the cycle
and fails. racehound's lock-step sees to that, too."""

_SERVER_SETTINGS = (
    (re.compile(r"logical_(?:replication_)?slot|CREATE\s+SUBSCRIPTION|pg_logical_", re.IGNORECASE), "wal_level", "logical"),
    (re.compile(r"\bPREPARE\s+TRANSACTION\b", re.IGNORECASE), "max_prepared_transactions", "32"),
)
"""Statements, and the setting of the server without which they fail."""

_IN_RACEHOUND = re.compile(r"\bracehound\.(?=\w+\s*\()")
_EXTENSIONS = (
    (re.compile(r"\bpostgres_fdw\b", re.IGNORECASE), "postgres_fdw"),
    (re.compile(r"\bdblink\w*\s*\(", re.IGNORECASE), "dblink"),
    (re.compile(r"\b(?:bt_index_check|bt_index_parent_check|verify_heapam)\s*\(", re.IGNORECASE), "amcheck"),
)
"""Extensions that every working database has."""


@dataclasses.dataclass(frozen=True)
class Needs:
    """What has to be there before the setup of a scene."""

    statements: tuple[str, ...]
    """Run first, with names as the scene has them."""
    server: Mapping[str, str]
    """Settings of the server."""
    words: tuple[str, ...]
    """What else whoever runs the kit has to provide, a line each."""


def needs_of(statements: Iterable[str]) -> Needs:
    """What these statements need. They may still have variables."""
    whole = "\n".join(statements)
    first = [f"CREATE EXTENSION {extension}" for pattern, extension in _EXTENSIONS if pattern.search(whole)]
    first = [each for each in first if not re.search(rf"\b{each}\b", whole, re.IGNORECASE)]
    if re.search(rf"\b{OTHER_SCHEMA}\b", whole):
        first.append(f"CREATE SCHEMA {OTHER_SCHEMA}")
    if re.search(rf"{re.escape(OTHER_OWNER)}\b", whole):
        first.append(f"CREATE ROLE {OTHER_OWNER} SUPERUSER")
    server = {name: value for pattern, name, value in _SERVER_SETTINGS if pattern.search(whole)}
    words = tuple(need for variable, (_, need) in _VARIABLES.items() if variable in whole)
    return Needs(tuple(first), server, words)


def without_variables(sql: str) -> str:
    """A statement with values in place of the variables, except for the run's id, and with extensions where kits have them."""
    for variable, (value, _) in _VARIABLES.items():
        sql = sql.replace(variable, value)
    return _IN_RACEHOUND.sub("", sql)


def session_settings(statements: Iterable[str]) -> tuple[str, ...]:
    """The SET statements that a session needs before these statements and does not have among them."""
    texts = list(statements)
    whole = "\n".join(texts)
    wanted = (setting for pattern, setting in _SESSION_SETTINGS if any(pattern.search(text) for text in texts))
    return tuple(setting for setting in dict.fromkeys(wanted) if setting not in whole)
