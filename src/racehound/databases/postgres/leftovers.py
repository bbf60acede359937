"""Removes the objects of a run from a cluster, recognised by the run's id: after a run, between its plans, and by `clean`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection

from racehound.data.object_names import RUN_ID
from racehound.databases.postgres.cleanup import SUBSCRIPTIONS
from racehound.databases.postgres.shared_catalogs import broken_rows, remove_rows
from racehound.errors import TargetError
from racehound.session import Outcome, Session
from racehound.wire.session import LibpqSession

_NAMED = """
SELECT 'database', datname FROM pg_database
UNION ALL SELECT 'role', rolname FROM pg_roles
UNION ALL SELECT 'tablespace', spcname FROM pg_tablespace
UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
ORDER BY 1, 2
"""

_HELD = """
SELECT datname FROM pg_database WHERE datname ~ '^{run}_' AND NOT datname = ANY ('{keep}')
  AND (oid IN (SELECT subdbid FROM pg_subscription) OR datname IN (SELECT database FROM pg_prepared_xacts))
"""
"""Databases with subscriptions or prepared transactions: a session in the database must remove these before it can be dropped."""

_IS_HELD = """
SELECT datname FROM pg_database WHERE datname = '{database}'
  AND (oid IN (SELECT subdbid FROM pg_subscription) OR datname IN (SELECT database FROM pg_prepared_xacts))
"""

_BLOCKING = f"""
SELECT 10, format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL {SUBSCRIPTIONS} ORDER BY 1, 2
"""

_DROPS = """
SELECT 1, format('SELECT pg_terminate_backend(%s)', pid) FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND datname ~ '^{run}_' AND NOT datname = ANY ('{keep}')
UNION ALL SELECT 2, format('SELECT pg_terminate_backend(%s)', active_pid) FROM pg_replication_slots
  WHERE slot_name ~ '^{run}_' AND active
UNION ALL SELECT 3, format('SELECT pg_drop_replication_slot(%L)', slot_name) FROM pg_replication_slots
  WHERE slot_name ~ '^{run}_' OR database ~ '^{run}_'
UNION ALL SELECT 4, format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database
  WHERE datname ~ '^{run}_' AND NOT datname = ANY ('{keep}') AND datistemplate
UNION ALL SELECT 5, format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database
  WHERE datname ~ '^{run}_' AND NOT datname = ANY ('{keep}')
UNION ALL SELECT 6, format('DROP TABLESPACE IF EXISTS %I', spcname) FROM pg_tablespace WHERE spcname ~ '^{run}_'
UNION ALL SELECT 7, format('DROP OWNED BY %I CASCADE', rolname) FROM pg_roles
  WHERE rolname ~ '^{run}_' AND NOT rolname = ANY ('{keep}')
UNION ALL SELECT 8, format('DROP ROLE IF EXISTS %I', rolname) FROM pg_roles
  WHERE rolname ~ '^{run}_' AND NOT rolname = ANY ('{keep}')
ORDER BY 1, 2
"""

_PAUSES_S = (0.0, 0.0, 0.1, 0.4)
"""Pauses before each round. An object that is still in use by an ending session is dropped in a later round."""


def dead_runs(session: Session, ended: str | None = None) -> dict[str, list[str]]:
    """The runs that have objects in the cluster but no session: their ids, and the sort and name of each object.

    `ended`: only this run, which is over though sessions of it may still be there, as after a loss of its connections.
    """
    outcome = session.execute(_NAMED)
    live_names = session.execute("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'racehound %'")
    live = {name.split()[1] for (name,) in (live_names.rows.cells if live_names.rows else []) if name and len(name.split()) > 1}
    found: dict[str, list[str]] = {}
    for sort, name in outcome.rows.cells if outcome.rows else []:
        run, mark, _ = (name or "").partition("_")
        if mark and RUN_ID.fullmatch(run) and (run == ended if ended else run not in live):
            found.setdefault(run, []).append(f"{sort} {name}")
    return found


def remove_run(session: Session, run_id: str, connect: Callable[[str], LibpqSession], keep: Collection[str] = ()) -> list[str]:
    """Drop the objects whose names begin with the run's id, except the databases and the role in `keep`.

    `connect` opens a session in another database of the server. Returns a line with the server's reason for each failed drop.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(run_id)
    kept = f"{{{','.join(keep)}}}"
    failures: list[str] = []
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        failures = []
        for database in _column(session.execute(_HELD.format(run=run_id, keep=kept)), 0):
            failures += _remove_blocking(database, connect)
        statements = _column(session.execute(_DROPS.format(run=run_id, keep=kept)), 1)
        failures += _execute(session, statements)
        if not statements:
            break
    return failures


def remove_noted_rows(session: Session, run_id: str, noted_rows: Collection[str], *, dry_run: bool = False) -> list[str]:
    """Remove the rows of shared catalogs that a run has noted as left by it (`shared_catalogs`). Returns a line for each."""
    if dry_run:
        removed = [row.statement for row in broken_rows(session) if row.statement in noted_rows]
    else:
        removed = remove_rows(session, noted_rows) if noted_rows else []
    return [f"a row that run {run_id} left: {statement}" for statement in removed]


_SLOTS = "SELECT format('SELECT pg_drop_replication_slot(%L)', slot_name) FROM pg_replication_slots WHERE database = '{database}'"


def remove_database(session: Session, database: str, connect: Callable[[str], LibpqSession]) -> list[str]:
    """Drop one database of a run, with its subscriptions, slots and prepared transactions, and end the sessions in it.

    Returns a line with the server's reason for each failed statement.
    """
    exists = session.execute(f"SELECT FROM pg_database WHERE datname = '{database}'")
    if exists.rows is None or not exists.rows.cells:
        return []
    failures = _remove_blocking(database, connect) if _column(session.execute(_IS_HELD.format(database=database)), 0) else []
    drops = [*_column(session.execute(_SLOTS.format(database=database)), 0), f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"]
    return failures + _execute(session, drops)


def _remove_blocking(database: str, connect: Callable[[str], LibpqSession]) -> list[str]:
    """Remove what prevents a database from being dropped. Returns a line for each statement that failed."""
    try:
        inside = connect(database)
    except TargetError as error:
        return [f"{database}: {error}"]
    with contextlib.closing(inside):
        return _execute(inside, _column(inside.execute(_BLOCKING), 1))


def _execute(session: Session, statements: Collection[str]) -> list[str]:
    """Run all statements. Returns a line with the server's reason for each that failed."""
    outcomes = [(statement, session.execute(statement)) for statement in statements]
    return [f"{statement}: {outcome.error.message}" for statement, outcome in outcomes if outcome.error]


def _column(outcome: Outcome, number: int) -> list[str]:
    return [row[number] or "" for row in outcome.rows.cells] if outcome.rows else []
