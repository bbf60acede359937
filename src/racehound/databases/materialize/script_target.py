"""Prepares Materialize for testdrive scripts: gives them variables with its addresses, and resets it before each script.

The ports are those in Materialize's documentation. The reset removes the same objects as that of Materialize's own testdrive, so
that its public scripts find the state that they expect.
"""

from __future__ import annotations

import dataclasses

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize.session import quoted
from racehound.errors import TargetError
from racehound.session import Outcome, Session
from racehound.testdrive.rows import to_text
from racehound.testdrive.state import error_text

HTTP_PORT = 6876
INTERNAL_SQL_PORT = 6877
INTERNAL_HTTP_PORT = 6878
PASSWORD_SQL_PORT = 6880
SASL_SQL_PORT = 6881

_KEPT = "testdrive_no_reset_"
"""Databases and clusters with this prefix are not dropped, by a convention of the public scripts."""
_UNSAFE = ("unsafe_enable_unsafe_functions", "enable_unsafe_functions")
_UNKNOWN_PARAMETER = "42704"
_CANNOT_CHANGE_NOW = "55P02"
_IDLE_CLUSTERS = """
SELECT name FROM mz_catalog.mz_clusters WHERE id LIKE 'u%' AND owner_id LIKE 'u%' AND id NOT IN (
    SELECT cluster_id FROM (
        SELECT cluster_id, id FROM mz_catalog.mz_sources
        UNION ALL SELECT cluster_id, id FROM mz_catalog.mz_sinks
        UNION ALL SELECT cluster_id, id FROM mz_catalog.mz_materialized_views
        UNION ALL SELECT cluster_id, id FROM mz_catalog.mz_indexes
    ) AS objects WHERE cluster_id IS NOT NULL AND id LIKE 'u%'
)"""


@dataclasses.dataclass(frozen=True)
class ScriptTarget:
    """The addresses for users and for operators, and the user of the scripts."""

    host: str
    port: int
    user: str
    internal_host: str
    internal_port: int = INTERNAL_SQL_PORT

    @property
    def operator_url(self) -> str:
        """The URL for the user mz_system, which has all privileges. The internal port needs no password."""
        return f"postgres://mz_system:materialize@{self.internal_host}:{self.internal_port}/materialize"


def environment_id(session: Session) -> str | None:
    """The id of the environment; None when the server is not Materialize."""
    rows = session.execute("SELECT mz_environment_id()").rows
    return rows.cells[0][0] if rows is not None else None


def variables(endpoint: ScriptTarget, environment: str | None, services: ServiceAddresses) -> dict[str, str]:
    """Variables with the target's addresses. Without an environment id, only those that exist for any server."""
    found = {
        "sql-addr": f"{endpoint.host}:{endpoint.port}",
        "http-addr": _without_scheme(services.http),
        "internal-http-addr": _without_scheme(services.internal_http),
        "user": endpoint.user,
    }
    if environment is not None:
        found |= {
            "internal-sql-addr": f"{endpoint.internal_host}:{endpoint.internal_port}",
            "password-sql-addr": f"{endpoint.host}:{PASSWORD_SQL_PORT}",
            "sasl-sql-addr": f"{endpoint.host}:{SASL_SQL_PORT}",
            "environment-id": environment,
        }
    return {f"testdrive.materialize-{name}": value for name, value in found.items() if value}


def _without_scheme(url: str | None) -> str:
    return (url or "").partition("://")[2].rstrip("/")


def reset(session: Session, user: str) -> None:
    """Drop all databases, idle clusters and roles of users, and recreate the database `materialize` for this user.

    `session` is one of mz_system. TargetError for the first statement that fails.
    """
    _must(session, "ALTER SYSTEM RESET ALL")
    _allow_unsafe_functions(session)
    for name in _names(session, "SHOW DATABASES"):
        _must(session, f"DROP DATABASE {quoted(name)}")
    for name in _names(session, _IDLE_CLUSTERS):
        _must(session, f"DROP CLUSTER {quoted(name)}")
    _must(session, "CREATE DATABASE materialize")
    for name in _names(session, "SELECT name FROM mz_roles"):
        if name != user and not name.startswith("mz_"):
            _must(session, f"DROP ROLE {quoted(name)}")
    for privilege in _privileges(quoted(user)):
        _must(session, privilege)


def _allow_unsafe_functions(session: Session) -> None:
    """Enable unsafe functions, which many scripts need. A server in safe mode refuses. Older releases use another name for it."""
    for name in _UNSAFE:
        outcome = session.execute(f"ALTER SYSTEM SET {name} = on")
        if outcome.error is None or outcome.error.sqlstate == _CANNOT_CHANGE_NOW:
            return
        if outcome.error.sqlstate != _UNKNOWN_PARAMETER:
            raise _refused(f"ALTER SYSTEM SET {name}", outcome)


def _privileges(user: str) -> tuple[str, ...]:
    return (
        f"GRANT ALL PRIVILEGES ON SYSTEM TO {user}",
        "GRANT USAGE ON DATABASE materialize TO PUBLIC",
        f"GRANT ALL PRIVILEGES ON DATABASE materialize TO {user}",
        f"GRANT ALL PRIVILEGES ON SCHEMA materialize.public TO {user}",
        "GRANT USAGE ON CLUSTER quickstart TO PUBLIC",
        f"GRANT ALL PRIVILEGES ON CLUSTER quickstart TO {user}",
    )


def _names(session: Session, query: str) -> list[str]:
    rows = to_text(_must(session, query).rows)
    return [row[0] for row in rows if not row[0].startswith(_KEPT)]


def _must(session: Session, sql: str) -> Outcome:
    outcome = session.execute(sql)
    if not outcome.ok:
        raise _refused(sql, outcome)
    return outcome


def _refused(sql: str, outcome: Outcome) -> TargetError:
    return TargetError(f"cannot reset Materialize (--no-reset leaves it as it is): {sql.strip()}: {error_text(outcome)}")
