"""Schemas and databases."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import CONSTANT, MaterializeKind, unlike
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect_none, run
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys


class Namespace(MaterializeKind):
    """What others are made in. It holds a view of the base. Verified: the view equals its query."""

    manipulations: ClassVar[Manipulations] = {
        "create_and_drop_inside": ("drop_inside", "create_inside", "drop_created_inside") * TIMES,
        "comment": ("comment", "remove_comment"),
    }

    @property
    def view(self) -> str:
        """A view inside."""
        return f"{self.dependents_schema}.{self.name}_view"

    @property
    def dependents_schema(self) -> str:
        raise NotImplementedError

    def create_statements(self) -> Statements:
        return f"CREATE {self.noun} {self.ident}", f"CREATE VIEW {self.view} AS {self.query}"

    @property
    def _inside(self) -> str:
        """Another table inside."""
        return f"{self.dependents_schema}.{self.name}_new"

    @changes
    def drop_inside(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self._inside}")

    @changes
    def create_inside(self) -> Fragment:
        return run(f"CREATE TABLE {self._inside} (a TEXT)")

    @changes
    def drop_created_inside(self) -> Fragment:
        return run(f"DROP TABLE {self._inside}")

    @changes
    def comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS '{self.name}'")

    @changes
    def remove_comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS NULL")

    def verify(self) -> Fragment:
        return expect_none(unlike(f"SELECT * FROM {self.view}", self.query))


@dataclasses.dataclass(frozen=True)
class Schema(Namespace):
    """A schema with a view of the base, swapped and renamed. Verified: the view equals its query."""

    noun: ClassVar[str] = "SCHEMA"
    weight: ClassVar[int] = 8
    manipulations: ClassVar[Manipulations] = {
        "rename": ("drop_renamed", "rename", "rename_back"),
        "swap": ("swap",) * 2,
    }

    @property
    def database(self) -> str:
        """The database that it is made in, with a dot; empty for the session's own."""
        outer, dot, _ = self.base.dependents_schema.rpartition(".")
        return f"{outer}{dot}"

    def spelling(self, suffix: str = "") -> str:
        return f"{self.database}{self.name}{suffix}"

    @property
    def dependents_schema(self) -> str:
        return self.ident

    def create_statements(self) -> Statements:
        return *super().create_statements(), f"CREATE SCHEMA {self.spelling('_other')}"

    def removal_statements(self, if_exists: str = "") -> Statements:
        return tuple(f"DROP SCHEMA {if_exists}{self.spelling(suffix)} CASCADE" for suffix in ("", "_other"))

    @changes
    def drop_renamed(self) -> Fragment:
        return run(f"DROP SCHEMA IF EXISTS {self.spelling('_tmp')} CASCADE")

    @changes
    def rename(self) -> Fragment:
        return run(f"ALTER SCHEMA {self.spelling()} RENAME TO {self.name}_tmp")

    @changes
    def rename_back(self) -> Fragment:
        return run(f"ALTER SCHEMA {self.spelling('_tmp')} RENAME TO {self.name}")

    @changes
    def swap(self) -> Fragment:
        return run(f"ALTER SCHEMA {self.ident} SWAP WITH {self.name}_other")


@dataclasses.dataclass(frozen=True)
class Database(Namespace):
    """A database with a view of the base. Verified: the view equals its query."""

    noun: ClassVar[str] = "DATABASE"
    in_environment: ClassVar[bool] = True
    weight: ClassVar[int] = 5
    manipulations: ClassVar[Manipulations] = {
        "create_and_drop_schema": ("drop_schema", "create_schema", "create_view_in_schema", "drop_created_schema") * TIMES,
        "recreate": ("destroy_if_exists", "create_without_owner"),
    }

    @property
    def dependents_schema(self) -> str:
        return f"{self.ident}.public"

    @property
    def _schema(self) -> str:
        """Another schema inside."""
        return f"{self.ident}.{self.name}_schema"

    @changes
    def drop_schema(self) -> Fragment:
        return run(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")

    @changes
    def create_schema(self) -> Fragment:
        return run(f"CREATE SCHEMA {self._schema}")

    @changes
    def create_view_in_schema(self) -> Fragment:
        return run(f"CREATE VIEW {self._schema}.{self.name}_new AS {CONSTANT}")

    @changes
    def drop_created_schema(self) -> Fragment:
        return run(f"DROP SCHEMA {self._schema} CASCADE")

    @destroys
    def destroy_if_exists(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))

    @creates
    def create_without_owner(self) -> Fragment:
        return run(*self.create_statements())
