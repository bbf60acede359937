"""Clusters and their replicas."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind, unlike
from racehound.databases.materialize.kinds.text import Statements, expect_none, run
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys

SIZE = "SIZE '${racehound.cluster-size}'"


class WorkingCluster(MaterializeKind):
    """It works for a materialized view of the base. Verified: that equals its query at one moment."""

    noun: ClassVar[str] = "CLUSTER"
    in_environment: ClassVar[bool] = True

    @property
    def view(self) -> str:
        """The materialized view."""
        return self.qualified(f"{self.name}_mv")

    @property
    def working(self) -> Statements:
        """What gives it work; the work is looked at from the base's cluster."""
        return (
            f"CREATE MATERIALIZED VIEW {self.view} IN CLUSTER {self.ident} AS {self.query}",
            f"CREATE DEFAULT INDEX {self.in_cluster}ON {self.view}",
        )

    def verify(self) -> Fragment:
        return expect_none(unlike(f"SELECT * FROM {self.view}", self.query))


@dataclasses.dataclass(frozen=True)
class Cluster(WorkingCluster):
    """A managed cluster, and another one without replicas to swap with. Verified: its materialized view equals its query."""

    weight: ClassVar[int] = 26
    manipulations: ClassVar[Manipulations] = {
        "replicate": ("use_two_replicas", "use_one_replica"),
        "resize": ("resize", "resize_back"),
        "stop_and_start": ("stop", "use_one_replica"),
        "rename": ("drop_renamed", "rename", "rename_back"),
        "swap": ("swap",) * 2,
        "recreate": ("destroy_if_exists", "create_without_owner"),
    }

    @property
    def cluster(self) -> str:
        return self.ident

    @property
    def other(self) -> str:
        return self.shared_name("_other")

    def create_statements(self) -> Statements:
        return (
            f"CREATE CLUSTER {self.ident} ({SIZE}, REPLICATION FACTOR 1)",
            f"CREATE CLUSTER {self.other} ({SIZE}, REPLICATION FACTOR 0)",
            *self.working,
        )

    def removal_statements(self, if_exists: str = "") -> Statements:
        return tuple(f"DROP CLUSTER {if_exists}{name} CASCADE" for name in (self.ident, self.other))

    def _setting(self, *options: str) -> Fragment:
        return run(*(f"ALTER CLUSTER {self.ident} SET ({option})" for option in options))

    @changes
    def use_two_replicas(self) -> Fragment:
        return self._setting("REPLICATION FACTOR 2")

    @changes
    def use_one_replica(self) -> Fragment:
        return self._setting("REPLICATION FACTOR 1")

    @changes
    def stop(self) -> Fragment:
        return self._setting("REPLICATION FACTOR 0")

    @changes
    def resize(self) -> Fragment:
        return self._setting("SIZE '${racehound.other-cluster-size}'")

    @changes
    def resize_back(self) -> Fragment:
        return self._setting(SIZE)

    @changes
    def drop_renamed(self) -> Fragment:
        return run(f"DROP CLUSTER IF EXISTS {self.shared_name('_tmp')} CASCADE")

    @changes
    def rename(self) -> Fragment:
        return run(f"ALTER CLUSTER {self.ident} RENAME TO {self.shared_name('_tmp')}")

    @changes
    def rename_back(self) -> Fragment:
        return run(f"ALTER CLUSTER {self.shared_name('_tmp')} RENAME TO {self.ident}")

    @changes
    def swap(self) -> Fragment:
        return run(f"ALTER CLUSTER {self.ident} SWAP WITH {self.other}")

    @destroys
    def destroy_if_exists(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))

    @creates
    def create_without_owner(self) -> Fragment:
        return run(*self.create_statements())


@dataclasses.dataclass(frozen=True)
class ClusterReplica(WorkingCluster):
    """A second replica of an unmanaged cluster, which comes and goes. Verified: the cluster's view equals its query."""

    can_be_referenced: ClassVar[bool] = False
    weight: ClassVar[int] = 4
    manipulations: ClassVar[Manipulations] = {
        "drop_and_create": ("drop_replica", "create_replica"),
        "rename": ("rename", "rename_back"),
    }

    @property
    def replica(self) -> str:
        return f"{self.ident}.{self.name}_r2"

    def create_statements(self) -> Statements:
        return (
            f"CREATE CLUSTER {self.ident} REPLICAS (r1 ({SIZE}))",
            *self.working,
            f"CREATE CLUSTER REPLICA {self.replica} {SIZE}",
        )

    @changes
    def drop_replica(self) -> Fragment:
        return run(f"DROP CLUSTER REPLICA IF EXISTS {self.replica}")

    @changes
    def create_replica(self) -> Fragment:
        return run(f"CREATE CLUSTER REPLICA {self.replica} {SIZE}")

    @changes
    def rename(self) -> Fragment:
        return run(f"ALTER CLUSTER REPLICA {self.replica} RENAME TO {self.name}_r3")

    @changes
    def rename_back(self) -> Fragment:
        return run(f"ALTER CLUSTER REPLICA {self.ident}.{self.name}_r3 RENAME TO {self.name}_r2")
