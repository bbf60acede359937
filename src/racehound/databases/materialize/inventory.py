"""The names of a run's objects in an environment, by name space, and the privileges on its items and schemas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from racehound.databases.materialize.session import MaterializeSession, literal

_LIMIT_S = 60.0
_NAMES = """
SELECT CASE o.type WHEN 'type' THEN 'type' ELSE 'item' END, d.name || '.' || s.name || '.' || o.name
  FROM mz_catalog.mz_objects AS o JOIN mz_catalog.mz_schemas AS s ON s.id = o.schema_id
  JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id
  WHERE d.name LIKE {run}
UNION ALL
SELECT 'schema', d.name || '.' || s.name FROM mz_catalog.mz_schemas AS s
  JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id WHERE d.name LIKE {run}
UNION ALL SELECT 'database', name FROM mz_catalog.mz_databases WHERE name LIKE {run}
UNION ALL SELECT 'cluster', name FROM mz_catalog.mz_clusters WHERE name LIKE {run}
UNION ALL SELECT 'role', name FROM mz_catalog.mz_roles WHERE name LIKE {run}
"""
_PRIVILEGES = "SHOW PRIVILEGES"
"""It returns grantor, grantee, database, schema, name, sort of object and privilege for all objects of the environment."""


def inventory(session: MaterializeSession, run_id: str) -> Mapping[str, frozenset[str]]:
    """Full names by space: `item`, `type`, `schema`, `database`, `cluster`, `role`, and `right` (`NAME PRIVILEGE ROLE`).

    TargetError when they cannot be read.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for space, name in session.ask(_NAMES.format(run=literal(f"{run_id}\\_%")), _LIMIT_S):
        found[space].add(name)
    for _, grantee, database, schema, name, sort, privilege in session.ask(_PRIVILEGES, _LIMIT_S):
        if database.startswith(f"{run_id}_") and name and (schema or sort == "schema"):
            container = f"{database}.{schema}" if schema else database
            found["right"].add(f"{container}.{name} {privilege} {grantee}")
    return {space: frozenset(names) for space, names in found.items()}
