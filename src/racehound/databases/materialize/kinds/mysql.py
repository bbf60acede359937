"""A table of a MySQL, followed by its binary log."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.text import Statements, action
from racehound.databases.materialize.kinds.upstream import PASSWORD, UpstreamTable
from racehound.kinds.kind import Fragment, Manipulations, changes

DATABASE = "${racehound.mysql-database}"


class MySqlUpstreamTable(UpstreamTable):
    """Follows one table of a MySQL."""

    requires: ClassVar[frozenset[str]] = frozenset({"mysql"})

    @property
    def reference(self) -> str:
        return f"{DATABASE}.{self.table}"

    def upstream(self, *statements: str) -> Fragment:
        connected = action("mysql-connect name=mysql url=${racehound.mysql-url} password=${arg.mysql-root-password}")
        return connected + action("mysql-execute name=mysql", *statements)

    def prepare(self) -> Fragment:
        user = f"'{self.role_name}'@'%'"
        rights = "SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT"
        prepared = self.upstream(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
            f"DROP TABLE IF EXISTS {self.reference}",
            f"DROP USER IF EXISTS {user}",
            f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'",
            f"GRANT {rights} ON *.* TO {user}",
            f"CREATE TABLE {self.reference} (a TEXT, b TEXT)",
            f"INSERT INTO {self.reference} VALUES ('foo', 'bar')",
        )
        return prepared + self._preparing_target()

    def connecting(self) -> Statements:
        address = "HOST '${racehound.mysql-host}', PORT ${racehound.mysql-port}"
        return (
            f"CREATE CONNECTION {self.connection} TO MYSQL ({address}, USER {self.role_name}, PASSWORD SECRET {self.password})",
            f"DROP SOURCE IF EXISTS {self.source} CASCADE",
            f"CREATE SOURCE {self.source} IN CLUSTER {self.source_cluster} FROM MYSQL CONNECTION {self.connection}",
        )


@dataclasses.dataclass(frozen=True)
class MySqlSource(MySqlUpstreamTable):
    """A table of a MySQL. Verified: it has the rows that are there, by count and digest."""

    manipulations: ClassVar[Manipulations] = {
        "insert": ("insert",),
        "update": ("update",),
        "delete": ("delete",),
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @changes
    def update(self) -> Fragment:
        return self.upstream(f"UPDATE {self.reference} SET b = concat(b, 'bar')")
