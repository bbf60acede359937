"""Schemas and databases."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import CONSTANT, MaterializeKind, unlike
from racehound.databases.materialize.kinds.text import TIMES, Statements, none_of, run
from racehound.kinds.kind import Fragment, manipulation


class Namespace(MaterializeKind):
    """What others are made in. It holds a view of the base. Verified: the view equals its query."""

    @property
    def view(self) -> str:
        """A view inside."""
        return f"{self.home}.{self.name}_view"

    @property
    def home(self) -> str:
        raise NotImplementedError

    def building(self) -> Statements:
        return f"CREATE {self.noun} {self.ident}", f"CREATE VIEW {self.view} AS {self.query}"

    @manipulation
    def create_and_drop_inside(self) -> Fragment:
        table = f"{self.home}.{self.name}_new"
        return run(f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} (a TEXT)", f"DROP TABLE {table}") * TIMES

    @manipulation
    def comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS '{self.name}'", f"COMMENT ON {self.noun} {self.ident} IS NULL")

    def verify(self) -> Fragment:
        return none_of(unlike(f"SELECT * FROM {self.view}", self.query))


@dataclasses.dataclass(frozen=True)
class Schema(Namespace):
    """A schema with a view of the base, swapped and renamed. Verified: the view equals its query."""

    noun: ClassVar[str] = "SCHEMA"
    weight: ClassVar[int] = 8

    @property
    def database(self) -> str:
        """The database that it is made in, with a dot; empty for the session's own."""
        outer, dot, _ = self.base.home.rpartition(".")
        return f"{outer}{dot}"

    def spelling(self, suffix: str = "") -> str:
        return f"{self.database}{self.name}{suffix}"

    @property
    def home(self) -> str:
        return self.ident

    def building(self) -> Statements:
        return *super().building(), f"CREATE SCHEMA {self.spelling('_other')}"

    def razing(self, maybe: str = "") -> Statements:
        return tuple(f"DROP SCHEMA {maybe}{self.spelling(suffix)} CASCADE" for suffix in ("", "_other"))

    @manipulation
    def rename(self) -> Fragment:
        return run(
            f"DROP SCHEMA IF EXISTS {self.spelling('_tmp')} CASCADE",
            f"ALTER SCHEMA {self.spelling()} RENAME TO {self.name}_tmp",
            f"ALTER SCHEMA {self.spelling('_tmp')} RENAME TO {self.name}",
        )

    @manipulation
    def swap(self) -> Fragment:
        return run(*[f"ALTER SCHEMA {self.ident} SWAP WITH {self.name}_other"] * 2)


@dataclasses.dataclass(frozen=True)
class Database(Namespace):
    """A database with a view of the base. Verified: the view equals its query."""

    noun: ClassVar[str] = "DATABASE"
    in_environment: ClassVar[bool] = True
    weight: ClassVar[int] = 5

    @property
    def home(self) -> str:
        return f"{self.ident}.public"

    @manipulation
    def create_and_drop_schema(self) -> Fragment:
        schema = f"{self.ident}.{self.name}_schema"
        return (
            run(
                f"DROP SCHEMA IF EXISTS {schema} CASCADE",
                f"CREATE SCHEMA {schema}",
                f"CREATE VIEW {schema}.{self.name}_new AS {CONSTANT}",
                f"DROP SCHEMA {schema} CASCADE",
            )
            * TIMES
        )

    @manipulation
    def recreate(self) -> Fragment:
        return run(*self.razing("IF EXISTS "), *self.building())
