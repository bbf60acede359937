"""Databases and tablespaces."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.lives import Global
from racehound.databases.postgres.kinds.role import Holding
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, Manipulations, changes


@dataclasses.dataclass(frozen=True)
class Database(Global, Holding):
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
        return self.shared("_owner")

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.other_owner} SUPERUSER")

    def building(self) -> Statements:
        owner = f"OWNER {self.base.role or self.other_owner}"
        created = f"CREATE DATABASE {self.ident} TEMPLATE template0 {owner}{self.base.tablespace}"
        return *self.holding(self.other_owner), created

    def adoption(self) -> Statements:
        """It is born with its owner."""
        return ()

    def dropping(self, maybe: str = "") -> str:
        return f"DROP DATABASE {maybe}{self.ident} WITH (FORCE)"

    def razing(self, maybe: str = "") -> Statements:
        if maybe:
            return super().razing(maybe)
        member = (f"REVOKE {self.base.role} FROM {self.other_owner}",) if self.base.role else ()
        dropping, *helpers = super().razing()
        return dropping, f"REVOKE ALL ON {self.held} FROM {self.other_owner}", *member, *helpers

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
        return ask(f"SELECT d.oid FROM pg_database AS d WHERE d.datname = '{self.ident}' AND {unknown}")


@dataclasses.dataclass(frozen=True)
class Tablespace(Global):
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
        return self.carrier

    @property
    def grantable(self) -> str:
        return f"TABLESPACE {self.ident}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.carrier}",)

    def building(self) -> Statements:
        return (
            "SET allow_in_place_tablespaces = on",
            f"CREATE TABLESPACE {self.ident} LOCATION ''",
            *self.carrying(tablespace=self.tablespace),
        )

    def dropping(self, maybe: str = "") -> str:
        return f"DROP TABLESPACE {maybe}{self.ident}"

    def _emptying(self) -> Statements:
        things = ("TABLE", "INDEX", "MATERIALIZED VIEW")
        return tuple(f"ALTER {thing} ALL IN TABLESPACE {self.ident} SET TABLESPACE pg_default" for thing in things)

    def razing(self, maybe: str = "") -> Statements:
        """It has no CASCADE: what stands on it moves away first."""
        dropping, *helpers = super().razing(maybe)
        return *helpers, *(() if maybe else self._emptying()), dropping

    @changes
    def move_table_out(self) -> Fragment:
        return run(f"ALTER TABLE {self.carrier} SET TABLESPACE pg_default")

    @changes
    def move_table_in(self) -> Fragment:
        return run(f"ALTER TABLE {self.carrier} SET TABLESPACE {self.ident}")

    @changes
    def set_option(self) -> Fragment:
        return run(f"ALTER TABLESPACE {self.ident} SET (random_page_cost = 2)")

    @changes
    def reset_option(self) -> Fragment:
        return run(f"ALTER TABLESPACE {self.ident} RESET (random_page_cost)")

    @property
    def _other_table(self) -> str:
        return self.inside(f"{self.name}_new")

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
        return run(rows.insert(self.carrier))

    def verify(self) -> Fragment:
        return ask(rows.broken_groups(self.carrier))
