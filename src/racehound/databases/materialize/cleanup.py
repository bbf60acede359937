"""Drops the objects that a repetition left in the working database, and in the environment under the run's names."""

from __future__ import annotations

from racehound.databases.materialize.session import MaterializeSession, literal, quoted
from racehound.errors import TargetError

SCHEMA = "public"
_LIMIT_S = 60.0
_ROUNDS = 3
"""After one object was dropped, another one may be dropped that could not be before."""

_LEFT = """
SELECT 'schema', s.name FROM mz_catalog.mz_schemas AS s JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id
  WHERE d.name = {database} AND s.name <> 'public'
UNION ALL
SELECT 'object', o.name FROM mz_catalog.mz_objects AS o JOIN mz_catalog.mz_schemas AS s ON s.id = o.schema_id
  JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id WHERE d.name = {database} AND s.name = 'public'
UNION ALL
SELECT 'database', name FROM mz_catalog.mz_databases WHERE name LIKE {others} AND name <> {database}
UNION ALL
SELECT 'cluster', name FROM mz_catalog.mz_clusters WHERE name LIKE {others}
UNION ALL
SELECT 'role', name FROM mz_catalog.mz_roles WHERE name LIKE {others}
"""
_ORDER = ("schema", "object", "database", "cluster", "role")


class EnvironmentCleaner:
    """Drops leftovers from one environment. `session`: the run's user in the working database. `operator`: may drop roles."""

    def __init__(self, session: MaterializeSession, operator: MaterializeSession, run_id: str, database: str) -> None:
        self._session = session
        self._operator = operator
        self._database = database
        self._query = _LEFT.format(database=literal(database), others=literal(f"{run_id}\\_%"))

    def leftovers(self) -> list[tuple[str, str]]:
        """Sort and name of the run's objects, in the order in which they can be dropped. TargetError."""
        found = [(sort, name) for sort, name in self._session.ask(self._query, _LIMIT_S)]
        return sorted(set(found), key=lambda each: (_ORDER.index(each[0]), each[1]))

    def drop_leftovers(self) -> bool:
        """Drop all leftovers; False when some remain, or cannot be read."""
        for _ in range(_ROUNDS):
            try:
                left = self.leftovers()
            except TargetError:
                return False
            if not left:
                return True
            self._drop(left)
        return False

    def _drop(self, left: list[tuple[str, str]]) -> None:
        """Try to drop leftovers. To drop the schema takes half as long as to drop its objects one by one."""
        if any(sort == "object" for sort, _ in left):
            self._session.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            self._session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        for sort, name in left:
            if sort == "role":
                self._operator.execute(f"DROP OWNED BY {quoted(name)} CASCADE")
                self._operator.execute(f"DROP ROLE IF EXISTS {quoted(name)}")
            elif sort != "object":
                self._session.execute(f"DROP {sort.upper()} IF EXISTS {quoted(name)} CASCADE")


def remove_run(operator: MaterializeSession, run_id: str) -> list[str]:
    """Drop all objects of the run, with its working databases. Returns a line with the server's reason for each failed drop."""
    query = " UNION ALL ".join(
        f"SELECT {literal(noun)}, name FROM mz_catalog.mz_{noun.lower()}s WHERE name LIKE {literal(run_id + '_%')}"
        for noun in ("DATABASE", "CLUSTER", "ROLE")
    )
    failures = []
    for noun, name in sorted(operator.ask(query, _LIMIT_S), key=lambda each: ("DATABASE", "CLUSTER", "ROLE").index(each[0])):
        if noun == "ROLE":
            operator.execute(f"DROP OWNED BY {quoted(name)} CASCADE")
        cascade = "" if noun == "ROLE" else " CASCADE"
        outcome = operator.execute(f"DROP {noun} IF EXISTS {quoted(name)}{cascade}")
        if outcome.error:
            failures.append(f"{noun.lower()} {name}: {outcome.error.message}")
    return failures
