"""What runs leave in a cluster, known by the run's id, and how it is removed: after a run, between its plans, and by `clean`."""

from __future__ import annotations

import re
from collections.abc import Collection

from racehound.targets.session import Session

RUN_ID = re.compile(r"rh[0-9a-f]{8}")

_NAMED = """
SELECT 'database', datname FROM pg_database
UNION ALL SELECT 'role', rolname FROM pg_roles
UNION ALL SELECT 'tablespace', spcname FROM pg_tablespace
UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
ORDER BY 1, 2
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

_ROUNDS = 3
"""What is still in use at first (a session that is just ending) is dropped in a later round."""


def dead_runs(session: Session) -> dict[str, list[str]]:
    """The runs that left something in the cluster and have no session any more: their ids, and what they left."""
    outcome = session.execute(_NAMED)
    live_names = session.execute("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'racehound %'")
    live = {name.split()[1] for (name,) in (live_names.rows.cells if live_names.rows else []) if name and len(name.split()) > 1}
    found: dict[str, list[str]] = {}
    for sort, name in outcome.rows.cells if outcome.rows else []:
        run, mark, _ = (name or "").partition("_")
        if mark and RUN_ID.fullmatch(run) and run not in live:
            found.setdefault(run, []).append(f"{sort} {name}")
    return found


def remove_run(session: Session, run_id: str, keep: Collection[str] = ()) -> list[str]:
    """Drop what bears the run's id, but the database and the role that `keep` names.

    What could not be dropped is returned, with the server's reason.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(run_id)
    failures: list[str] = []
    for _ in range(_ROUNDS):
        failures = []
        outcome = session.execute(_DROPS.format(run=run_id, keep=f"{{{','.join(keep)}}}"))
        statements = [row[1] or "" for row in outcome.rows.cells] if outcome.rows else []
        for statement in statements:
            dropped = session.execute(statement)
            if dropped.error:
                failures.append(f"{statement}: {dropped.error.message}")
        if not statements:
            break
    return failures
