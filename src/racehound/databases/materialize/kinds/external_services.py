"""Kinds that need services which racehound cannot run: they are there to be asked for where somebody else runs them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import CONSTANT
from racehound.databases.materialize.kinds.shared_operations import Named
from racehound.databases.materialize.kinds.text import Statements, action, expect, run
from racehound.kinds.kind import Fragment, Manipulations, changes


@dataclasses.dataclass(frozen=True)
class SqlServerSource(Named):
    """A table of a SQL Server, followed by its change data capture. Verified: it has the row that is there."""

    # A SQL Server comes as a container only, which wants 2 GB of memory: none of the services.
    enabled: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset({"sql-server"})
    noun: ClassVar[str] = "TABLE"
    short: ClassVar[str] = "table"
    manipulations: ClassVar[Manipulations] = {
        "insert_and_delete": ("insert_and_delete",),
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @property
    def relation(self) -> str:
        return self.ident

    def upstream(self, *statements: str) -> Fragment:
        connected = action("sql-server-connect name=sql-server", r"\${racehound.sql-server}")
        return connected + action("sql-server-execute name=sql-server split-lines=true", *statements)

    @property
    def table(self) -> str:
        return f"{self.name}_table"

    def prepare(self) -> Fragment:
        capture = f"@source_schema = 'dbo', @source_name = '{self.table}', @role_name = NULL, @supports_net_changes = 0"
        prepared = self.upstream(
            f"DROP TABLE IF EXISTS {self.table}",
            f"CREATE TABLE {self.table} (a VARCHAR(1024), b VARCHAR(1024))",
            f"EXEC sys.sp_cdc_enable_table {capture}",
            f"INSERT INTO {self.table} VALUES ('foo', 'bar')",
        )
        address = "HOST '${racehound.sql-server-host}', PORT ${racehound.sql-server-port}"
        login = f"DATABASE ${{racehound.sql-server-database}}, USER 'sa', PASSWORD SECRET {self.name}_pass"
        return prepared + run(
            f"DROP SECRET IF EXISTS {self.name}_pass CASCADE",
            f"CREATE SECRET {self.name}_pass AS '${{racehound.sql-server-password}}'",
            f"CREATE CONNECTION {self.name}_conn TO SQL SERVER ({address}, {login})",
            f"CREATE SOURCE {self.name}_source IN CLUSTER quickstart FROM SQL SERVER CONNECTION {self.name}_conn",
        )

    def create_statements(self) -> Statements:
        return (f"CREATE TABLE {self.ident} FROM SOURCE {self.name}_source (REFERENCE dbo.{self.table})",)

    @changes
    def insert_and_delete(self) -> Fragment:
        return self.upstream(f"INSERT INTO {self.table} VALUES ('new', 'bar')", f"DELETE FROM {self.table} WHERE a = 'new'")

    def verify(self) -> Fragment:
        return expect(f"SELECT a, b FROM {self.ident} WHERE a <> 'new'", "foo bar")


@dataclasses.dataclass(frozen=True)
class IcebergSink(Named):
    """A sink of the base into an Iceberg table. Verified: the catalog knows it once."""

    # It needs an Iceberg REST catalog over S3 that the target reaches: none of the services.
    enabled: ClassVar[bool] = False
    mode: Literal["APPEND", "UPSERT"] = "UPSERT"

    requires: ClassVar[frozenset[str]] = frozenset({"iceberg"})
    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "SINK"
    short: ClassVar[str] = "sink"
    manipulations: ClassVar[Manipulations] = {
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @property
    def upstream(self) -> str:
        return self.qualified(f"{self.name}_mv")

    def create_statements(self) -> Statements:
        key = " KEY (a) NOT ENFORCED" if self.mode == "UPSERT" else ""
        table = f"(NAMESPACE '${{racehound.run}}', TABLE '{self.name}')"
        into = f"ICEBERG CATALOG CONNECTION ${{racehound.iceberg-connection}} {table}"
        how = f"USING AWS CONNECTION ${{racehound.aws-connection}}{key} MODE {self.mode} WITH (COMMIT INTERVAL = '1s')"
        return (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.upstream} AS {CONSTANT}",
            f"CREATE SINK {self.ident} IN CLUSTER {self.base.cluster} FROM {self.upstream} INTO {into} {how}",
        )

    def clear(self) -> Fragment:
        return ""

    def verify(self) -> Fragment:
        return self.verify_catalog()
