"""Views and materialized views."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import MaterializeKind, unlike
from racehound.databases.materialize.kinds.shared_operations import Named, Renamed
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect_none, run
from racehound.kinds.kind import Fragment, Manipulations, changes


class QueryRelation(MaterializeKind):
    """A relation that a query defines."""

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def constant(self) -> bool:
        return self.base.constant if self.base.relation else True

    @property
    def key(self) -> str:
        return self.base.key if self.base.relation else "a"

    @property
    def only_grows(self) -> bool:
        return self.base.only_grows if self.base.relation else True

    @property
    def time_advances(self) -> bool:
        return self.base.time_advances if self.base.relation else False

    @property
    def difference(self) -> str:
        return unlike(f"SELECT * FROM {self.ident}", self.query)


@dataclasses.dataclass(frozen=True)
class View(Renamed, QueryRelation):
    """A view of the base. Verified: it equals its query."""

    noun: ClassVar[str] = "VIEW"
    short: ClassVar[str] = "view"
    weight: ClassVar[int] = 16

    @property
    def sinkable(self) -> bool:
        return False

    def create_statements(self) -> Statements:
        return (f"CREATE VIEW {self.ident} AS {self.query}",)

    def verify(self) -> Fragment:
        return expect_none(self.difference)


class MaterializedRelation(QueryRelation):
    """A materialized view, its rows the work of every replica of its cluster."""

    noun: ClassVar[str] = "MATERIALIZED VIEW"
    short: ClassVar[str] = "mv"

    @property
    def options(self) -> str:
        """What stands between name and query."""
        return self.in_cluster

    def create_statements(self) -> Statements:
        return (f"CREATE MATERIALIZED VIEW {self.ident} {self.options}AS {self.query}",)

    def on_every_replica(self, query: str) -> Fragment:
        """The query answered by any replica, then by the first and by the last of the session's cluster: never a row."""
        return (
            expect_none(query)
            + run("SET cluster_replica = ${racehound.first-replica}")
            + expect_none(query)
            + run("SET cluster_replica = ${racehound.last-replica}")
            + expect_none(query)
            + run("RESET cluster_replica")
        )

    def verify(self) -> Fragment:
        return self.on_every_replica(self.difference)


@dataclasses.dataclass(frozen=True)
class MaterializedView(MaterializedRelation, Renamed):
    """A materialized view of the base. Verified: it equals its query at one moment, read from every replica."""

    weight: ClassVar[int] = 32


@dataclasses.dataclass(frozen=True)
class RefreshedView(MaterializedRelation, Renamed):
    """A materialized view that is brought up to date on commit, at intervals or once.

    Verified: of what only grows it holds a part, and all of it where it is brought up to date on commit.
    """

    refresh: Literal["ON COMMIT", "AT CREATION", "AT CREATION, REFRESH EVERY '1 second'", "EVERY '2 seconds'"] = "ON COMMIT"

    requires: ClassVar[frozenset[str]] = frozenset({"refresh"})
    weight: ClassVar[int] = 4

    @property
    def options(self) -> str:
        return f"{self.in_cluster}WITH (REFRESH {self.refresh}) "

    @property
    def constant(self) -> bool:
        return self.refresh == "ON COMMIT" and super().constant

    @property
    def difference(self) -> str:
        if self.refresh == "ON COMMIT":
            return super().difference
        surplus = f"SELECT * FROM {self.ident} EXCEPT ALL {self.query}"
        return surplus if self.base.only_grows else f"SELECT * FROM {self.ident} WHERE false"

    @property
    def only_grows(self) -> bool:
        return self.refresh == "ON COMMIT" and super().only_grows

    @property
    def time_advances(self) -> bool:
        return self.refresh == "ON COMMIT" and super().time_advances


@dataclasses.dataclass(frozen=True)
class ReplicaView(MaterializedRelation, Renamed):
    """A materialized view that one replica of the cluster alone works for. Verified: it equals its query at one moment."""

    requires: ClassVar[frozenset[str]] = frozenset({"replica-targeted"})
    weight: ClassVar[int] = 4

    @property
    def options(self) -> str:
        return "IN CLUSTER quickstart REPLICA ${racehound.first-replica} "


@dataclasses.dataclass(frozen=True)
class ReplacedView(MaterializedRelation, Named):
    """A materialized view that is replaced by another one of the same query. Verified: it equals its query at one moment."""

    requires: ClassVar[frozenset[str]] = frozenset({"replacement"})
    weight: ClassVar[int] = 8
    manipulations: ClassVar[Manipulations] = {
        "replace": ("create_replacement", "apply_replacement") * TIMES,
        "prepare_and_drop": ("create_replacement", "drop_replacement") * TIMES,
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @property
    def replacement(self) -> str:
        """The one that is to take its place."""
        return self.qualified(f"{self.name}_new")

    @changes
    def create_replacement(self) -> Fragment:
        return run(
            f"DROP MATERIALIZED VIEW IF EXISTS {self.replacement} CASCADE",
            f"CREATE REPLACEMENT MATERIALIZED VIEW {self.replacement} FOR {self.ident} AS {self.query}",
        )

    @changes
    def apply_replacement(self) -> Fragment:
        return run(f"ALTER MATERIALIZED VIEW {self.ident} APPLY REPLACEMENT {self.replacement}")

    @changes
    def drop_replacement(self) -> Fragment:
        return run(f"DROP MATERIALIZED VIEW {self.replacement}")
