"""Databases and tablespaces."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.role import PrivilegeHolder
from racehound.databases.postgres.kinds.shared_operations import SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Database(SchemalessObject, PrivilegeHolder):
    """A database that belongs to a role with privileges on the base. Verified: its owner exists."""

    cluster_wide: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False
    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 2
    noun: ClassVar[str] = "DATABASE"
    manipulations: ClassVar[Manipulations] = {
        "alter_settings": ("set_work_mem", "reset_settings"),
        "limit_connections": ("forbid_connections", "allow_connections"),
        "grant_and_revoke": ("revoke", "grant") * 3,
    }

    @property
    def other_owner(self) -> str:
        """Of its own: it is given privileges, which nobody else shall take away."""
        return self.shared_name("_owner")

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.other_owner} SUPERUSER")

    def create_statements(self) -> Statements:
        owner = f"OWNER {self.base.role or self.other_owner}"
        created = f"CREATE DATABASE {self.ident} TEMPLATE template0 {owner}{self.base.tablespace}"
        return *self.privilege_statements(self.other_owner), created

    def owner_statements(self) -> Statements:
        """CREATE DATABASE names its owner already."""
        return ()

    def drop_statement(self, if_exists: str = "") -> str:
        return f"DROP DATABASE {if_exists}{self.ident} WITH (FORCE)"

    def removal_statements(self, if_exists: str = "") -> Statements:
        if if_exists:
            return super().removal_statements(if_exists)
        member = (f"REVOKE {self.base.role} FROM {self.other_owner}",) if self.base.role else ()
        drop_statement, *helpers = super().removal_statements()
        return drop_statement, f"REVOKE ALL ON {self.grant_target} FROM {self.other_owner}", *member, *helpers

    def _altering(self, action: str) -> Fragment:
        return run(f"ALTER DATABASE {self.ident} {action}")

    @changes
    def set_work_mem(self) -> Fragment:
        return self._altering("SET work_mem = '1MB'")

    @changes
    def reset_settings(self) -> Fragment:
        return self._altering("RESET ALL")

    @changes
    def forbid_connections(self) -> Fragment:
        return self._altering("CONNECTION LIMIT 0")

    @changes
    def allow_connections(self) -> Fragment:
        return self._altering("CONNECTION LIMIT -1")

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE CONNECT ON DATABASE {self.ident} FROM PUBLIC")

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT CONNECT ON DATABASE {self.ident} TO PUBLIC")

    def verify(self) -> Fragment:
        unknown = "NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = d.datdba)"
        return expect(f"SELECT d.oid FROM pg_database AS d WHERE d.datname = '{self.ident}' AND {unknown}")


@dataclasses.dataclass(frozen=True)
class Tablespace(SchemalessObject):
    """A tablespace in the data directory, with a copy of the base in it. Verified: the copy's groups are whole."""

    cluster_wide: ClassVar[bool] = True
    since: ClassVar[int] = 15
    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 8
    noun: ClassVar[str] = "TABLESPACE"
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy", "create"),
        "move_in_and_out": ("move_table_out", "move_table_in"),
        "set_options": ("set_option", "reset_option"),
        "create_inside": ("create_inside", "insert_inside", "drop_inside"),
        "write_copy": ("insert",) * 5,
    }

    @property
    def tablespace(self) -> str:
        return f" TABLESPACE {self.ident}"

    @property
    def relation(self) -> str:
        return self.supporting_table

    @property
    def grantable(self) -> str:
        return f"TABLESPACE {self.ident}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.supporting_table}",)

    def create_statements(self) -> Statements:
        return (
            "SET allow_in_place_tablespaces = on",
            f"CREATE TABLESPACE {self.ident} LOCATION ''",
            *self.create_supporting_table(tablespace=self.tablespace),
        )

    def drop_statement(self, if_exists: str = "") -> str:
        return f"DROP TABLESPACE {if_exists}{self.ident}"

    def _emptying(self) -> Statements:
        things = ("TABLE", "INDEX", "MATERIALIZED VIEW")
        return tuple(f"ALTER {thing} ALL IN TABLESPACE {self.ident} SET TABLESPACE pg_default" for thing in things)

    def removal_statements(self, if_exists: str = "") -> Statements:
        """DROP TABLESPACE has no CASCADE: what is stored in it is moved away first."""
        drop_statement, *helpers = super().removal_statements(if_exists)
        return *helpers, *(() if if_exists else self._emptying()), drop_statement

    @changes
    def move_table_out(self) -> Fragment:
        return run(f"ALTER TABLE {self.supporting_table} SET TABLESPACE pg_default")

    @changes
    def move_table_in(self) -> Fragment:
        return run(f"ALTER TABLE {self.supporting_table} SET TABLESPACE {self.ident}")

    @changes
    def set_option(self) -> Fragment:
        return run(f"ALTER TABLESPACE {self.ident} SET (random_page_cost = 2)")

    @changes
    def reset_option(self) -> Fragment:
        return run(f"ALTER TABLESPACE {self.ident} RESET (random_page_cost)")

    @property
    def _other_table(self) -> str:
        return self.qualified(f"{self.name}_new")

    @changes
    def create_inside(self) -> Fragment:
        key = f"PRIMARY KEY (a, b) USING INDEX{self.tablespace}"
        return run(
            f"DROP TABLE IF EXISTS {self._other_table} CASCADE",
            f"CREATE TABLE {self._other_table} ({rows.COLUMNS}, {key}){self.tablespace}",
        )

    @changes
    def insert_inside(self) -> Fragment:
        return run(rows.insert(self._other_table))

    @changes
    def drop_inside(self) -> Fragment:
        return run(f"DROP TABLE {self._other_table} CASCADE")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.supporting_table))

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.supporting_table))
