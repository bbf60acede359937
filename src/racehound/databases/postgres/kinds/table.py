"""Tables."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import PostgresKind, owner_statement
from racehound.databases.postgres.kinds.shared_operations import SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes, reads
from racehound.kinds.text import Statements, expect, run

_LOOPS = 5
_OTHER_SCANS = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")
"""Settings of the planner for all scans of a table but a bitmap scan."""


class TableLike(PostgresKind):
    """What tables and partitions do alike."""

    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "amcheck"})
    manipulations: ClassVar[Manipulations] = {
        "insert": ("insert",) * _LOOPS,
        "update": ("update",) * _LOOPS,
        "move": ("move_rows",) * _LOOPS,
        "delete": ("insert", "delete_inserted"),
        "vacuum": ("vacuum",),
        "vacuum_full": ("vacuum_full",),
        "cluster": ("create_cluster_index", "cluster", "drop_cluster_index"),
        "analyze": ("analyze",),
        "add_and_validate_constraint": ("add_constraint", "validate_constraint", "drop_constraint"),
        "grant_and_revoke": ("grant", "revoke") * _LOOPS,
        "count_by_bitmap_scan": ("allow_bitmap_scans_only", *("count",) * _LOOPS, "allow_all_scans"),
    }

    @property
    def hot_key(self) -> str:
        """The key of a group near the end of the table, where new versions of rows find no room on their own page."""
        return f"{self.row_prefix}0"

    @property
    def heap(self) -> str:
        """A relation of it that has storage."""
        return self.ident

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.ident, self.row_prefix))

    @changes
    def update(self) -> Fragment:
        return run(rows.update(self.ident, self.hot_key))

    @changes
    def move_rows(self) -> Fragment:
        return run(rows.move(self.ident, f"{self.row_prefix}0"))

    @changes
    def delete_inserted(self) -> Fragment:
        return run(rows.delete_inserted(self.ident))

    @changes
    def vacuum(self) -> Fragment:
        return run(f"VACUUM {self.heap}")

    @changes
    def vacuum_full(self) -> Fragment:
        return run(f"VACUUM FULL {self.heap}")

    @changes
    def create_cluster_index(self) -> Fragment:
        return run(f"CREATE INDEX IF NOT EXISTS {self.name}_cluster ON {self.heap} (a)")

    @changes
    def cluster(self) -> Fragment:
        return run(f"CLUSTER {self.heap} USING {self.name}_cluster")

    @changes
    def drop_cluster_index(self) -> Fragment:
        return run(f"DROP INDEX {self.qualified(f'{self.name}_cluster')}")

    @changes
    def analyze(self) -> Fragment:
        return run(f"ANALYZE {self.ident}")

    @changes
    def add_constraint(self) -> Fragment:
        return run(f"ALTER TABLE {self.ident} ADD CONSTRAINT {self.name}_check CHECK (a IS DISTINCT FROM '~') NOT VALID")

    @changes
    def validate_constraint(self) -> Fragment:
        return run(f"ALTER TABLE {self.ident} VALIDATE CONSTRAINT {self.name}_check")

    @changes
    def drop_constraint(self) -> Fragment:
        return run(f"ALTER TABLE {self.ident} DROP CONSTRAINT {self.name}_check")

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT SELECT ON {self.ident} TO PUBLIC")

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE SELECT ON {self.ident} FROM PUBLIC")

    @reads
    def allow_bitmap_scans_only(self) -> Fragment:
        return run(*(f"SET {name} = off" for name in _OTHER_SCANS))

    @reads
    def count(self) -> Fragment:
        """The count needs no column: a bitmap scan may then believe the visibility map and skip the pages."""
        return expect(f"SELECT count(*) % {rows.GROUP} FROM {self.ident} WHERE a >= ''", "0")

    @reads
    def allow_all_scans(self) -> Fragment:
        return run(*(f"RESET {name}" for name in _OTHER_SCANS))

    def verify_rows(self) -> Fragment:
        """The same by a scan of the table and, if it has an index, by the index; a reader without rights to it sees neither."""
        by_index = f"SELECT count(*) % {rows.GROUP} FROM {self.ident} WHERE a >= ''"
        return (
            expect(rows.broken_groups(self.ident))
            + run("SET enable_seqscan = off")
            + expect(by_index, "0")
            + run("RESET enable_seqscan")
        )


@dataclasses.dataclass(frozen=True)
class Table(TableLike, SchemaObject):
    """A text table. Verified: every group of rows is whole, by table and by index; the heap is sound (amcheck)."""

    rows: Literal[10, 50, 1000, 10000] = 10
    storage: Literal["heap", "unlogged", "partitioned", "inherits"] = "heap"
    fillfactor: Literal[50, 100] = 100

    noun: ClassVar[str] = "TABLE"
    manipulations: ClassVar[Manipulations] = {
        "truncate": ("truncate",),
        "add_and_drop_column": ("add_column", "drop_column"),
        "alter_column_type": ("make_varchar", "make_text"),
        "set_logged_and_unlogged": ("set_other_persistence", "restore_persistence"),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def table(self) -> str:
        return self.ident

    @property
    def heritable(self) -> str | None:
        return None if self.storage == "partitioned" else self.ident

    @property
    def parent(self) -> str | None:
        return self.ident if self.storage == "partitioned" else None

    @property
    def publishable(self) -> str | None:
        return None if self.storage == "unlogged" else self.ident

    @property
    def hot_key(self) -> str:
        return str(self.rows // rows.GROUP - 1)

    @property
    def heap(self) -> str:
        return self.qualified(f"{self.name}_low") if self.storage == "partitioned" else self.ident

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.ancestor}",) if self.storage == "inherits" and not self.base.heritable else ()

    @property
    def ancestor(self) -> str:
        """The table that it inherits from."""
        return self.base.heritable or self.qualified(f"{self.name}_ancestor")

    def create_statements(self) -> Statements:
        variant = {"partitioned": self._partitioned, "inherits": self._inheriting}.get(self.storage, self._plain)
        return *variant(), rows.fill(self.ident, self.rows)

    @property
    def _storage(self) -> str:
        return f"{self.base.using} WITH (fillfactor = {self.fillfactor}){self.base.tablespace}"

    def _plain(self) -> Statements:
        unlogged = "UNLOGGED " if self.storage == "unlogged" else ""
        return (f"CREATE {unlogged}TABLE {self.ident} ({rows.COLUMNS}{self.base.column}){self._storage}",)

    def _partitioned(self) -> Statements:
        """Keys begin with a digit; all beyond `a` is left to Partition objects. Only its partitions have an access method."""
        low, high = self.heap, self.qualified(f"{self.name}_high")
        return (
            f"CREATE TABLE {self.ident} ({rows.COLUMNS}{self.base.column}) PARTITION BY RANGE (a){self.base.tablespace}",
            f"CREATE TABLE {low} PARTITION OF {self.ident} FOR VALUES FROM (MINVALUE) TO ('5'){self._storage}",
            f"CREATE TABLE {high} PARTITION OF {self.ident} FOR VALUES FROM ('5') TO ('a'){self._storage}",
        )

    def _inheriting(self) -> Statements:
        own = () if self.base.heritable else (f"CREATE TABLE {self.ancestor} ({rows.COLUMNS}{self.base.column})",)
        given = () if self.base.heritable else owner_statement(self.base.role, f"TABLE {self.ancestor}")
        return *own, *given, f"CREATE TABLE {self.ident} () INHERITS ({self.ancestor}){self._storage}"

    @changes
    def truncate(self) -> Fragment:
        """Together with its initial rows, without which it is not what others expect."""
        return run(f"TRUNCATE {self.ident} CASCADE", rows.fill(self.ident, self.rows))

    @changes
    def add_column(self) -> Fragment:
        return run(f"ALTER TABLE {self.ident} ADD COLUMN {self.name}_new integer DEFAULT 7")

    @changes
    def drop_column(self) -> Fragment:
        return run(f"ALTER TABLE {self.ident} DROP COLUMN {self.name}_new CASCADE")

    def _altering_type(self, type_: str) -> Fragment:
        """Of column b, where it was defined: a is the key of partitions."""
        altered = self.ancestor if self.storage == "inherits" else self.ident
        return run(f"ALTER TABLE {altered} ALTER COLUMN b TYPE {type_}")

    @changes
    def make_varchar(self) -> Fragment:
        return self._altering_type("varchar(1000)")

    @changes
    def make_text(self) -> Fragment:
        return self._altering_type("text")

    @changes
    def set_other_persistence(self) -> Fragment:
        return run(f"ALTER TABLE {self.heap} SET {'LOGGED' if self.storage == 'unlogged' else 'UNLOGGED'}")

    @changes
    def restore_persistence(self) -> Fragment:
        return run(f"ALTER TABLE {self.heap} SET {'UNLOGGED' if self.storage == 'unlogged' else 'LOGGED'}")

    def verify(self) -> Fragment:
        # amcheck knows no other access method than heap.
        heap_check = "" if self.base.using else expect(f"SELECT count(*) FROM racehound.verify_heapam('{self.heap}')", "0")
        return self.verify_rows() + heap_check
