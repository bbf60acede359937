"""Sources that are restarted, made anew and given further tables while what they read goes on: each in a cluster of its own."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.cluster import SIZE
from racehound.databases.materialize.kinds.kafka import UpsertSource
from racehound.databases.materialize.kinds.mysql import MySqlUpstreamTable
from racehound.databases.materialize.kinds.postgres import PostgresUpstreamTable
from racehound.databases.materialize.kinds.text import TRUE, expect, retried, run
from racehound.databases.materialize.kinds.upstream import UpstreamTable
from racehound.kinds.kind import Fragment, Manipulations, changes, reads

_TIMES = 2


class OwnCluster(MaterializeKind):
    """Its source works in a cluster that nothing else works in."""

    manipulations: ClassVar[Manipulations] = {}
    weight: ClassVar[int] = 12

    @property
    def source_cluster(self) -> str:
        return self.shared_name("_cluster")

    @property
    def second(self) -> str:
        """Another table of the source."""
        return self.qualified(f"{self.name}_second")

    def _making_cluster(self) -> Fragment:
        cluster = self.source_cluster
        return run(f"DROP CLUSTER IF EXISTS {cluster} CASCADE", f"CREATE CLUSTER {cluster} ({SIZE}, REPLICATION FACTOR 1)")

    @changes
    def stop_cluster(self) -> Fragment:
        return run(f"ALTER CLUSTER {self.source_cluster} SET (REPLICATION FACTOR 0)")

    @changes
    def start_cluster(self) -> Fragment:
        return run(f"ALTER CLUSTER {self.source_cluster} SET (REPLICATION FACTOR 1)")


class RestartedUpstreamTable(OwnCluster, UpstreamTable):
    """Follows a table of another database."""

    manipulations: ClassVar[Manipulations] = {
        "restart": ("insert", "stop_cluster", "start_cluster") * _TIMES,
        "add_table": (*("insert", "create_second", "insert", "compare_tables") * _TIMES, "drop_second"),
        "recreate_source": ("recreate_source",),
    }

    def prepare(self) -> Fragment:
        return self._making_cluster() + super().prepare()

    @changes
    def create_second(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self.second}", self.table_of_source(self.second))

    @reads
    def compare_tables(self) -> Fragment:
        """In the end both have the same rows."""
        counts = " = ".join(f"(SELECT count(*) FROM {name} WHERE a = 'foo')" for name in (self.second, self.ident))
        return retried(expect(f"SELECT {counts}", TRUE))

    @changes
    def drop_second(self) -> Fragment:
        return run(f"DROP TABLE {self.second}")

    @changes
    def recreate_source(self) -> Fragment:
        """It is dropped as soon as it is there, and made once more."""
        _, *making = self.connecting()
        return run(*making, *making, *self.create_statements())


@dataclasses.dataclass(frozen=True)
class RestartedPostgresSource(RestartedUpstreamTable, PostgresUpstreamTable):
    """A table of another PostgreSQL whose source is restarted and made anew. Verified: as PostgresSource."""

    requires: ClassVar[frozenset[str]] = frozenset({"postgres"})


@dataclasses.dataclass(frozen=True)
class RestartedMySqlSource(RestartedUpstreamTable, MySqlUpstreamTable):
    """A table of a MySQL whose source is restarted and made anew. Verified: as MySqlSource."""

    requires: ClassVar[frozenset[str]] = frozenset({"mysql"})


@dataclasses.dataclass(frozen=True)
class RestartedUpsertSource(OwnCluster, UpsertSource):
    """A topic as a table whose source is restarted and has two tables. Verified: as UpsertSource."""

    manipulations: ClassVar[Manipulations] = {
        "restart": ("recreate_table", "stop_cluster", "start_cluster") * _TIMES,
        "add_table": ("create_both_tables", "verify_second", "drop_second"),
        "recreate_source": ("recreate_source",),
    }

    def prepare(self) -> Fragment:
        return self._making_cluster() + super().prepare()

    @changes
    def recreate_table(self) -> Fragment:
        """Then the cluster is stopped while the records are being read."""
        return run(f"DROP TABLE IF EXISTS {self.ident} CASCADE", *self.create_statements())

    @changes
    def create_both_tables(self) -> Fragment:
        """Two tables begin to read at the same time."""
        tables = (self.ident, self.second)
        return run(*(f"DROP TABLE IF EXISTS {name} CASCADE" for name in tables), *map(self.table_of_source, tables))

    @reads
    def verify_second(self) -> Fragment:
        return self.verify_table(self.second)

    @changes
    def drop_second(self) -> Fragment:
        return run(f"DROP TABLE {self.second} CASCADE")

    @changes
    def recreate_source(self) -> Fragment:
        """It is dropped as soon as it is there, and made once more."""
        return run(*self.connecting_source, *self.connecting_source, *self.create_statements())
