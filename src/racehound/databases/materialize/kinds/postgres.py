"""A table of another PostgreSQL, followed by logical replication."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.text import Statements, action
from racehound.databases.materialize.kinds.upstream import PASSWORD, UpstreamTable
from racehound.kinds.kind import Fragment, Manipulations, changes


class PostgresUpstreamTable(UpstreamTable):
    """Follows one table of another PostgreSQL."""

    requires: ClassVar[frozenset[str]] = frozenset({"postgres"})

    @property
    def reference(self) -> str:
        return self.table

    def upstream(self, *statements: str) -> Fragment:
        return action("postgres-execute connection=${racehound.postgres-url}", *statements)

    def _preparing_upstream(self) -> Fragment:
        return self.upstream(
            f"DROP PUBLICATION IF EXISTS {self.source}",
            f"DROP TABLE IF EXISTS {self.table}",
            f"DROP ROLE IF EXISTS {self.role_name}",
            f"CREATE ROLE {self.role_name} LOGIN SUPERUSER REPLICATION PASSWORD '{PASSWORD}'",
            f"CREATE TABLE {self.table} (a TEXT, b TEXT)",
            f"ALTER TABLE {self.table} REPLICA IDENTITY FULL",
            f"INSERT INTO {self.table} VALUES ('foo', 'bar')",
            f"CREATE PUBLICATION {self.source} FOR TABLE {self.table}",
        )

    def connecting(self) -> Statements:
        address = "HOST '${racehound.postgres-host}', PORT ${racehound.postgres-port}"
        login = f"DATABASE ${{racehound.postgres-database}}, USER {self.role_name}, PASSWORD SECRET {self.password}"
        publication = f"FROM POSTGRES CONNECTION {self.connection} (PUBLICATION '{self.source}')"
        return (
            f"CREATE CONNECTION {self.connection} FOR POSTGRES {address}, {login}",
            f"DROP SOURCE IF EXISTS {self.source} CASCADE",
            f"CREATE SOURCE {self.source} IN CLUSTER {self.source_cluster} {publication}",
        )

    def prepare(self) -> Fragment:
        return self._preparing_upstream() + self._preparing_target()


@dataclasses.dataclass(frozen=True)
class PostgresSource(PostgresUpstreamTable):
    """A table of another PostgreSQL. Verified: it has the rows that are there, by count and digest."""

    manipulations: ClassVar[Manipulations] = {
        "insert": ("insert",),
        "update": ("update",),
        "delete": ("delete",),
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @changes
    def update(self) -> Fragment:
        return self.upstream(f"UPDATE {self.reference} SET b = b || 'bar'")
