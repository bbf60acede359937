"""Reads the facts about an environment when a run begins, and changes its settings. Capabilities are tested, not guessed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from racehound.databases.materialize.session import MaterializeSession, literal, quoted
from racehound.errors import TargetError, UserError

_MANY = "1000000"
_LIMITS = (
    "max_tables",
    "max_sources",
    "max_sinks",
    "max_materialized_views",
    "max_objects_per_schema",
    "max_roles",
    "max_clusters",
    "max_replicas_per_cluster",
    "max_secrets",
    "max_schemas_per_database",
    "max_databases",
    "max_postgres_connections",
    "max_mysql_connections",
    "max_kafka_connections",
    "webhook_concurrent_request_limit",
)
_FEATURES = (
    "enable_alter_swap",
    "enable_alter_table_add_column",
    "enable_connection_validation_syntax",
    "enable_create_table_from_source",
    "enable_refresh_every_mvs",
    "enable_replacement_materialized_views",
    "enable_replica_targeted_materialized_views",
    "enable_load_generator_key_value",
)
_UNKNOWN_PARAMETER = "42704"

_NOWHERE = "racehound_nowhere"
"""The name of no object. A statement with it fails, and the error shows whether the server knows the statement."""
_PROBES = {
    "source-tables": f"CREATE TABLE {_NOWHERE} FROM SOURCE {_NOWHERE} (REFERENCE x)",
    "swap": f"ALTER SCHEMA {_NOWHERE} SWAP WITH {_NOWHERE}_2",
    "add-column": f"ALTER TABLE {_NOWHERE} ADD COLUMN c int",
    "refresh": f"CREATE MATERIALIZED VIEW {_NOWHERE} IN CLUSTER {_NOWHERE} WITH (REFRESH AT CREATION) AS SELECT 1",
    "replica-targeted": f"CREATE MATERIALIZED VIEW {_NOWHERE} IN CLUSTER quickstart REPLICA {_NOWHERE} AS SELECT 1",
    "replacement": f"CREATE REPLACEMENT MATERIALIZED VIEW {_NOWHERE} FOR {_NOWHERE} AS SELECT 1",
}
"""The statement that tests each capability."""
_KNOWN = re.compile(
    rf"unknown .*{_NOWHERE}|.*{_NOWHERE}.* (?:does not exist|unknown)|.*has no CLUSTER REPLICA named|.*{_NOWHERE}\"?$"
)
_TRANSACTION = (
    f"CREATE SOURCE {_NOWHERE} IN CLUSTER quickstart FROM LOAD GENERATOR AUCTION (TICK INTERVAL '1s')",
    f"CREATE TABLE {_NOWHERE}_t FROM SOURCE {_NOWHERE} (REFERENCE bids)",
)
_SIZES = """
SELECT size FROM mz_catalog.mz_cluster_replica_sizes WHERE processes = 1
ORDER BY credits_per_hour, workers, memory_bytes, size
"""
_REPLICAS = """
SELECT r.name FROM mz_catalog.mz_cluster_replicas AS r JOIN mz_catalog.mz_clusters AS c ON c.id = r.cluster_id
WHERE c.name = 'quickstart' ORDER BY r.name
"""


@dataclasses.dataclass(frozen=True)
class Environment:
    """Facts that were read from the environment when the run began."""

    release: str
    """E.g. `v0.147.0-dev.0`."""
    user: str
    sizes: tuple[str, ...]
    """Sizes of replicas with one process, the smallest first."""
    replicas: tuple[str, ...]
    """Names of the replicas of the cluster `quickstart`, which every environment has."""
    capabilities: frozenset[str]

    def variables(self) -> dict[str, str]:
        return {
            "racehound.user": self.user,
            "racehound.cluster-size": self.sizes[0],
            "racehound.other-cluster-size": self.sizes[1] if len(self.sizes) > 1 else self.sizes[0],
            "racehound.first-replica": self.replicas[0],
            "racehound.last-replica": self.replicas[-1],
        }


def environment(session: MaterializeSession) -> Environment:
    """Read the facts. UserError when the server is not Materialize, or its cluster `quickstart` has no replica."""
    release = release_of(session)
    replicas = tuple(name for (name,) in session.ask(_REPLICAS, limit_s=60.0))
    if not replicas:
        raise UserError("the cluster quickstart has no replica: ALTER CLUSTER quickstart SET (REPLICATION FACTOR 2)")
    return Environment(
        release=release,
        user=session.ask("SELECT current_user")[0][0],
        sizes=_allowed(session, [size for (size,) in session.ask(_SIZES, limit_s=60.0)]),
        replicas=replicas,
        capabilities=frozenset(filter(lambda name: _knows(session, _PROBES[name]), _PROBES)) | _transactional(session),
    )


def release_of(session: MaterializeSession) -> str:
    """The server's version, such as `v0.147.0`. UserError when it is not Materialize."""
    version = session.execute("SELECT mz_version()")
    if version.rows is None:
        raise UserError("the server is not Materialize: it has no function mz_version()")
    return (version.rows.cells[0][0] or "").split()[0]


def _allowed(session: MaterializeSession, sizes: list[str]) -> tuple[str, ...]:
    """The sizes that the environment allows; an empty setting allows all. TargetError when there are none."""
    shown = session.execute("SHOW allowed_cluster_replica_sizes")
    text = (shown.rows.cells[0][0] or "") if shown.rows is not None and shown.rows.cells else ""
    allowed = [name.strip().strip('"') for name in text.split(",") if name.strip()]
    found = tuple(size for size in sizes if not allowed or size in allowed)
    if not found:
        raise TargetError("mz_catalog.mz_cluster_replica_sizes names no size for a replica of one process")
    return found


def _knows(session: MaterializeSession, probe: str) -> bool:
    outcome = session.execute(probe)
    return outcome.error is not None and bool(_KNOWN.match(outcome.error.message))


def _transactional(session: MaterializeSession) -> frozenset[str]:
    """The capability to create a source and a table of it in one transaction. A transaction that is rolled back tests it."""
    session.must("BEGIN")
    knows = all(session.execute(statement).ok for statement in _TRANSACTION)
    session.must("ROLLBACK")
    return frozenset({"transactional-sources"} if knows else ())


class Settings:
    """The settings of the environment that a run changes. They are restored at the end of the run."""

    def __init__(self, operator: MaterializeSession) -> None:
        """`operator`: a session of `mz_system`. The attribute may be replaced when this session is lost."""
        self.operator = operator
        self._before: dict[str, str] = {}

    def raise_all(self) -> None:
        """Raise the limits and enable the features that this release knows."""
        for name, value in {**dict.fromkeys(_LIMITS, _MANY), **dict.fromkeys(_FEATURES, "on")}.items():
            shown = self.operator.execute(f"SHOW {name}")
            if shown.rows is None:
                continue
            before = shown.rows.cells[0][0] or ""
            if before != value and self._set(name, value):
                self._before[name] = before

    @property
    def before(self) -> dict[str, str]:
        """The former values of the changed settings."""
        return dict(self._before)

    def restore(self) -> None:
        """Restore the changed settings."""
        restore(self.operator, self._before)
        self._before.clear()

    def _set(self, name: str, value: str) -> bool:
        outcome = self.operator.execute(f"ALTER SYSTEM SET {name} = {value}")
        if outcome.error is not None and outcome.error.sqlstate != _UNKNOWN_PARAMETER:
            raise TargetError(f"ALTER SYSTEM SET {name}: {outcome.error.message}")
        return outcome.ok


def restore(operator: MaterializeSession, before: Mapping[str, str]) -> None:
    """Set the settings to these values."""
    for name, value in before.items():
        operator.execute(f"ALTER SYSTEM SET {quoted(name)} = {literal(value)}")
