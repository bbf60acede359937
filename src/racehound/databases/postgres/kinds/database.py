"""Databases and tablespaces."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.lives import Global
from racehound.databases.postgres.kinds.role import Holding
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, manipulation


@dataclasses.dataclass(frozen=True)
class Database(Global, Holding):
    """A database that belongs to a role with privileges on the base. Verified: its owner exists."""

    cluster_wide: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False
    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 2
    noun: ClassVar[str] = "DATABASE"

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

    @manipulation
    def alter_settings(self) -> Fragment:
        return run(f"ALTER DATABASE {self.ident} SET work_mem = '1MB'", f"ALTER DATABASE {self.ident} RESET ALL")

    @manipulation
    def limit_connections(self) -> Fragment:
        return run(f"ALTER DATABASE {self.ident} CONNECTION LIMIT 0", f"ALTER DATABASE {self.ident} CONNECTION LIMIT -1")

    @manipulation
    def grant_and_revoke(self) -> Fragment:
        return (
            run(f"REVOKE CONNECT ON DATABASE {self.ident} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {self.ident} TO PUBLIC") * 3
        )

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

    @manipulation
    def recreate(self) -> Fragment:
        return run(*self.razing(), *self.building(), *self.adoption())

    @manipulation
    def move_in_and_out(self) -> Fragment:
        return run(
            f"ALTER TABLE {self.carrier} SET TABLESPACE pg_default",
            f"ALTER TABLE {self.carrier} SET TABLESPACE {self.ident}",
        )

    @manipulation
    def set_options(self) -> Fragment:
        return run(
            f"ALTER TABLESPACE {self.ident} SET (random_page_cost = 2)", f"ALTER TABLESPACE {self.ident} RESET (random_page_cost)"
        )

    @manipulation
    def create_inside(self) -> Fragment:
        table = self.inside(f"{self.name}_new")
        key = f"PRIMARY KEY (a, b) USING INDEX{self.tablespace}"
        return run(
            f"DROP TABLE IF EXISTS {table} CASCADE",
            f"CREATE TABLE {table} ({rows.COLUMNS}, {key}){self.tablespace}",
            rows.insert(table),
            f"DROP TABLE {table} CASCADE",
        )

    @manipulation
    def write_copy(self) -> Fragment:
        return run(*[rows.insert(self.carrier)] * 5)

    def verify(self) -> Fragment:
        return ask(rows.broken_groups(self.carrier))
