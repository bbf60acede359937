"""Foreign servers, user mappings and foreign tables: postgres_fdw, from the working database to itself."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import PostgresKind, owner_statement
from racehound.databases.postgres.kinds.shared_operations import Commented, Moved, Owned, Recreated, Renamed, SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys, reads
from racehound.kinds.text import Statements, expect, run


def conninfo(database: str) -> str:
    """A connection string to a database of the same cluster.

    When a session waits for its remote one, and that for a lock of the first, the server sees no deadlock: hence the time limit.
    """
    return f"${{racehound.conninfo}} dbname={database} options=-clock_timeout=3000"


class Loopback(PostgresKind):
    """It reaches the working database through a foreign server, that of the object it refers to or one of its own."""

    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "loopback", "postgres_fdw"})
    weight: ClassVar[int] = 5

    @property
    def server_name(self) -> str:
        """The server."""
        return self.base.server or f"{self.name}_server"

    @property
    def server_statements(self) -> Statements:
        """The statements that make the server and a user mapping for everybody, none where the base has done that.

        CREATE SERVER takes its options one by one and no expressions, so a DO block takes the connection string apart.
        """
        if self.base.server:
            return ()
        option = "format('%s %L', substring(part FROM '^[^=]+'), substring(part FROM '=(.*)$'))"
        options = (
            f"SELECT string_agg({option}, ', ') FROM regexp_split_to_table('{conninfo('${racehound.database}')}', ' ') AS part "
            "WHERE part !~ '^(user|password)='"
        )
        server = f"CREATE SERVER {self.server_name} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (%s)"
        return (
            f"DO $do$BEGIN EXECUTE format('{server}', ({options})); END$do$",
            *owner_statement(self.base.role, f"SERVER {self.server_name}"),
            f"CREATE USER MAPPING FOR PUBLIC SERVER {self.server_name} OPTIONS (user '${{racehound.user}}')",
        )

    @property
    def source(self) -> str:
        """What the foreign table reads: the base, or a supporting table."""
        return self.base.relation or self.supporting_table

    @property
    def source_statements(self) -> Statements:
        """The statements that make the supporting table where one is needed."""
        return () if self.base.relation else self.create_supporting_table()

    @property
    def foreign_table(self) -> str:
        """The foreign table of what is none itself."""
        return self.qualified(f"{self.name}_foreign")

    def foreign_table_statement(self, table: str) -> str:
        """The statement that makes a foreign table.

        It depends on the base by a constraint that is always true, since a further column would be asked of the remote table.
        """
        schema, _, name = self.source.rpartition(".")
        expression = self.base.expression
        column = f", CONSTRAINT {self.name}_over CHECK (true OR ({expression})::text IS NULL)" if expression else ""
        options = f"schema_name '{schema or 'public'}', table_name '{name}'"
        return f"CREATE FOREIGN TABLE {table} ({rows.COLUMNS}{column}) SERVER {self.server_name} OPTIONS ({options})"

    @property
    def helpers(self) -> tuple[str, ...]:
        supporting_table = () if self.base.relation else (f"TABLE {self.supporting_table}",)
        return *supporting_table, *(() if self.base.server else (f"SERVER {self.server_name}",))


@dataclasses.dataclass(frozen=True)
class ForeignServer(Loopback, SchemalessObject):
    """A server with a user mapping for everybody and a foreign table onto the base. Verified: the table shows whole groups."""

    noun: ClassVar[str] = "SERVER"
    manipulations: ClassVar[Manipulations] = {
        "alter_options": ("add_option", "set_option", "drop_option"),
        "import_schema": ("import_schema", "drop_imported"),
        "alter_mapping": ("add_mapping_option", "drop_mapping_option"),
        "replace_foreign_table": ("replace_foreign_table",),
    }

    @property
    def server_name(self) -> str:
        return self.name

    @property
    def server(self) -> str:
        return self.name

    @property
    def type(self) -> str:
        return self.foreign_table

    @property
    def grantable(self) -> str:
        return f"FOREIGN SERVER {self.name}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.relation else (f"TABLE {self.supporting_table}",)

    @property
    def server_statements(self) -> Statements:
        """It is a server of its own also over another one."""
        return dataclasses.replace(self, refers_to=None).server_statements if self.base.server else super().server_statements

    def create_statements(self) -> Statements:
        return *self.source_statements, *self.server_statements, self.foreign_table_statement(self.foreign_table)

    def owner_statements(self) -> Statements:
        """The role has got it already."""
        return ()

    @changes
    def add_option(self) -> Fragment:
        return run(f"ALTER SERVER {self.name} VERSION '2' OPTIONS (ADD fetch_size '7')")

    @changes
    def set_option(self) -> Fragment:
        return run(f"ALTER SERVER {self.name} OPTIONS (SET fetch_size '9')")

    @changes
    def drop_option(self) -> Fragment:
        return run(f"ALTER SERVER {self.name} OPTIONS (DROP fetch_size)")

    @changes
    def import_schema(self) -> Fragment:
        schema, _, name = self.source.rpartition(".")
        into = f"{self.name}_imported"
        return run(
            f"DROP SCHEMA IF EXISTS {into} CASCADE",
            f"CREATE SCHEMA {into}",
            f"IMPORT FOREIGN SCHEMA {schema or 'public'} LIMIT TO ({name}) FROM SERVER {self.name} INTO {into}",
        )

    @changes
    def drop_imported(self) -> Fragment:
        return run(f"DROP SCHEMA {self.name}_imported CASCADE")

    @changes
    def add_mapping_option(self) -> Fragment:
        return run(f"ALTER USER MAPPING FOR PUBLIC SERVER {self.name} OPTIONS (ADD password_required 'false')")

    @changes
    def drop_mapping_option(self) -> Fragment:
        return run(f"ALTER USER MAPPING FOR PUBLIC SERVER {self.name} OPTIONS (DROP password_required)")

    @changes
    def replace_foreign_table(self) -> Fragment:
        return run(f"DROP FOREIGN TABLE IF EXISTS {self.foreign_table} CASCADE", self.foreign_table_statement(self.foreign_table))

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.foreign_table))


@dataclasses.dataclass(frozen=True)
class UserMapping(Loopback, Recreated):
    """A user mapping for the base's role, or for one of its own, and a foreign table onto the base through the same server.

    Verified: its server exists; the table shows whole groups.
    """

    can_be_referenced: ClassVar[bool] = False
    in_schema: ClassVar[bool] = False
    noun: ClassVar[str] = "USER MAPPING"
    manipulations: ClassVar[Manipulations] = {
        "alter_options": ("add_option", "set_option", "drop_option"),
        "drop_and_again": ("drop_if_exists", "create_mapping") * 3,
    }

    @property
    def user(self) -> str:
        """The role that is mapped."""
        return self.base.role or self.shared_name("_user")

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.shared_name('_user')}")

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 it has no name
        return f"FOR {self.user} SERVER {self.server_name}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"FOREIGN TABLE {self.foreign_table}"

    def drop_statement(self, if_exists: str = "") -> str:
        return f"DROP USER MAPPING {if_exists}{self.ident}"

    def _creating(self) -> str:
        return f"CREATE USER MAPPING {self.ident} OPTIONS (user '${{racehound.user}}')"

    def create_statements(self) -> Statements:
        return (
            *self.source_statements,
            *self.server_statements,
            self._creating(),
            self.foreign_table_statement(self.foreign_table),
        )

    @changes
    def add_option(self) -> Fragment:
        return run(f"ALTER USER MAPPING {self.ident} OPTIONS (ADD password 'x')")

    @changes
    def set_option(self) -> Fragment:
        return run(f"ALTER USER MAPPING {self.ident} OPTIONS (SET password 'y')")

    @changes
    def drop_option(self) -> Fragment:
        return run(f"ALTER USER MAPPING {self.ident} OPTIONS (DROP password)")

    @destroys
    def drop_if_exists(self) -> Fragment:
        return run(self.drop_statement("IF EXISTS "))

    @creates
    def create_mapping(self) -> Fragment:
        return run(self._creating())

    def verify(self) -> Fragment:
        gone = "NOT EXISTS (SELECT FROM pg_foreign_server AS s WHERE s.oid = m.umserver)"
        mapping = f"SELECT m.oid FROM pg_user_mapping AS m WHERE m.umuser = to_regrole('{self.user}') AND {gone}"
        return expect(mapping) + expect(rows.broken_groups(self.foreign_table))


@dataclasses.dataclass(frozen=True)
class ForeignTable(Loopback, Commented, Recreated, Moved, Renamed, Owned):
    """A foreign table onto the base. Verified: it shows whole groups.

    It is not compared with the base: the remote session has a snapshot of its own.
    """

    noun: ClassVar[str] = "FOREIGN TABLE"
    manipulations: ClassVar[Manipulations] = {
        "alter_options": ("add_option", "set_option", "drop_option"),
        "add_and_drop_column": ("add_column", "drop_column"),
        "add_and_validate_constraint": ("add_constraint", "validate_constraint", "drop_constraint"),
        "write": ("insert",) * 3 + ("read_unless_written",),
        "analyze": ("analyze",),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def grantable(self) -> str:
        return f"TABLE {self.ident}"

    def create_statements(self) -> Statements:
        return *self.source_statements, *self.server_statements, self.foreign_table_statement(self.ident)

    def _altering(self, *actions: str) -> Fragment:
        return run(*(f"ALTER FOREIGN TABLE {self.ident} {action}" for action in actions))

    @changes
    def add_option(self) -> Fragment:
        return self._altering("OPTIONS (ADD fetch_size '7')")

    @changes
    def set_option(self) -> Fragment:
        return self._altering("OPTIONS (SET fetch_size '9')")

    @changes
    def drop_option(self) -> Fragment:
        return self._altering("OPTIONS (DROP fetch_size)")

    @changes
    def add_column(self) -> Fragment:
        return self._altering(f"ADD COLUMN {self.name}_new integer")

    @changes
    def drop_column(self) -> Fragment:
        return self._altering(f"DROP COLUMN {self.name}_new CASCADE")

    @changes
    def add_constraint(self) -> Fragment:
        return self._altering(f"ADD CONSTRAINT {self.name}_check CHECK (a <> '~') NOT VALID")

    @changes
    def validate_constraint(self) -> Fragment:
        return self._altering(f"VALIDATE CONSTRAINT {self.name}_check")

    @changes
    def drop_constraint(self) -> Fragment:
        return self._altering(f"DROP CONSTRAINT {self.name}_check")

    @property
    def _is_writable(self) -> bool:
        return not self.base.relation or bool(self.base.table)

    @changes
    def insert(self) -> Fragment:
        """Through the foreign table where that leads to a table."""
        prefix = self.base.row_prefix if self.base.table else ""
        return run(rows.insert(self.ident, prefix)) if self._is_writable else ""

    @reads
    def read_unless_written(self) -> Fragment:
        return "" if self._is_writable else self.verify()

    @changes
    def analyze(self) -> Fragment:
        return run(f"ANALYZE {self.ident}")

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.ident))
