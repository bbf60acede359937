"""Searches for leaks: backends, locks, transactions, slots and temporary objects that remain when all sessions are at rest.

One query reads the server's statistics views and `pg_locks` (PostgreSQL documentation, "The Cumulative Statistics System" and
"pg_locks"). It covers the database that the session is connected to, with its slots and prepared transactions.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from racehound.errors import TargetError
from racehound.session import Session


class Leak(msgspec.Struct, frozen=True):
    """Something that a session has left."""

    sort: str
    """`backend`, `lock`, `open transaction`, `prepared transaction`, `replication slot` or `temporary object`."""
    name: str
    """A process id, the name of a transaction or slot, or a schema and object."""
    detail: str
    """What the server's views show of it."""


_LEAKS = """
WITH here AS (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
     activity AS (SELECT a.* FROM pg_catalog.pg_stat_activity a, here
                  WHERE a.datid = here.oid AND a.pid <> pg_catalog.pg_backend_pid() AND NOT a.pid = ANY ($3)
                  AND a.backend_type IN ('client backend', 'parallel worker', 'walsender'))
SELECT 'backend', a.pid::text, pg_catalog.concat_ws(', ', a.backend_type, a.application_name, a.state, a.query)
FROM activity a WHERE NOT a.pid = ANY ($1)
UNION ALL
SELECT 'open transaction', a.pid::text, pg_catalog.concat_ws(', ', a.state, a.query)
FROM activity a WHERE a.pid = ANY ($1) AND a.state LIKE 'idle in transaction%'
UNION ALL
SELECT 'lock', l.pid::text, pg_catalog.concat_ws(', ', l.locktype, l.mode, l.relation::text, l.classid::text, l.objid::text)
FROM pg_catalog.pg_locks l JOIN activity a ON a.pid = l.pid
WHERE a.pid = ANY ($1) AND a.state = 'idle' AND l.locktype <> 'virtualxid'
UNION ALL
SELECT 'prepared transaction', p.gid, pg_catalog.concat_ws(', ', p.owner, p.database)
FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database()
UNION ALL
SELECT 'replication slot', s.slot_name, pg_catalog.concat_ws(', ', s.slot_type, s.plugin, s.database, 'active ' || s.active)
FROM pg_catalog.pg_replication_slots s
WHERE (s.database = pg_catalog.current_database() OR s.database IS NULL) AND NOT s.slot_name = ANY ($2)
UNION ALL
SELECT 'temporary object', n.nspname || '.' || c.relname, 'relkind ' || c.relkind::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname ~ '^pg_temp_[0-9]+$' AND c.relkind <> 'i'
UNION ALL
SELECT 'temporary object', n.nspname || '.' || t.typname, 'typtype ' || t.typtype::text
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname ~ '^pg_temp_[0-9]+$' AND t.typrelid = 0 AND t.typinput <> 'pg_catalog.array_in'::regproc
UNION ALL
SELECT 'temporary object', n.nspname || '.' || p.proname, 'function'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname ~ '^pg_temp_[0-9]+$'
ORDER BY 1, 2, 3"""


_STATEMENT = "racehound_leaks"
_NOT_PREPARED = "26000"
"""invalid_sql_statement_name"""


def find_leaks(
    session: Session, own_pids: Collection[int], allowed_slots: Collection[str] = (), ignored_pids: Collection[int] = ()
) -> list[Leak]:
    """All leaks in the session's database.

    `own_pids`: backends of racehound's own sessions. They may be idle, but must hold no locks, transactions or temporary objects,
    since they have done DISCARD. `allowed_slots`: slots that may remain. `ignored_pids`: backends that are not checked, such as
    other observers. The query is prepared when the session first runs it. Raises TargetError if the server does not answer.
    """
    pids, ignored = (",".join(map(str, numbers)) for numbers in (own_pids, ignored_pids))
    slots = ",".join("'" + name.replace("'", "''") + "'" for name in allowed_slots)
    execute = f"EXECUTE {_STATEMENT} (ARRAY[{pids}]::int[], ARRAY[{slots}]::name[], ARRAY[{ignored}]::int[])"
    outcome = session.execute(execute)
    if outcome.error is not None and outcome.error.sqlstate == _NOT_PREPARED:
        session.execute(f"PREPARE {_STATEMENT} (int[], name[], int[]) AS {_LEAKS}")
        outcome = session.execute(execute)
    if outcome.rows is None:
        reason = outcome.error.message if outcome.error else outcome.status
        raise TargetError(f"the query for leaks failed: {reason}")
    return [Leak(*(cell or "" for cell in row)) for row in outcome.rows.cells]
