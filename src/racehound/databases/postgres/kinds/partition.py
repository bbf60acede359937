"""Partitions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import owner_statement
from racehound.databases.postgres.kinds.shared_operations import SchemaObject
from racehound.databases.postgres.kinds.table import TableLike
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Partition(TableLike, SchemaObject):
    """A partition of the base, or of a partitioned table of its own. Its keys begin with its name and a dot.

    Verified: every row satisfies its bound, attached or not; relispartition and pg_inherits agree; groups are whole; the heap is
    sound (amcheck).
    """

    noun: ClassVar[str] = "TABLE"
    manipulations: ClassVar[Manipulations] = {
        "detach": ("detach", "attach"),
        "detach_concurrently": ("detach_concurrently", "attach"),
        "insert_through_parent": ("insert_through_parent",) * 10,
        "split": (
            "drop_part",
            "detach",
            "create_part",
            "move_rows_to_part",
            "attach_without_part",
            "detach",
            "detach_part",
            "move_rows_back",
            "drop_detached_part",
            "attach",
        ),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def table(self) -> str:
        return self.ident

    @property
    def extensible(self) -> None:
        """A partition gets its columns from its parent."""

    @property
    def row_prefix(self) -> str:
        return f"{self.name}."

    @property
    def of(self) -> str:
        """The partitioned table."""
        return self.base.parent or self.qualified(f"{self.name}_parent")

    @property
    def bounds(self) -> str:
        """In "C", `/` is the character after the dot, so the range holds the prefix's keys and no others."""
        return f"FOR VALUES FROM ('{self.name}.') TO ('{self.name}/')"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.parent else (f"TABLE {self.of}",)

    def create_statements(self) -> Statements:
        base = self.base
        parent = (
            f"CREATE TABLE {self.of} ({rows.COLUMNS}{base.column}) PARTITION BY RANGE (a){base.tablespace}",
            *owner_statement(base.role, f"TABLE {self.of}"),
        )
        return (
            *(() if base.parent else parent),
            f"CREATE TABLE {self.ident} PARTITION OF {self.of} {self.bounds}{base.using}{base.tablespace}",
            rows.fill(self.ident, prefix=self.row_prefix),
        )

    @changes
    def attach(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} ATTACH PARTITION {self.ident} {self.bounds}")

    @changes
    def detach(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} DETACH PARTITION {self.ident}")

    @changes
    def detach_concurrently(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} DETACH PARTITION {self.ident} CONCURRENTLY")

    @changes
    def insert_through_parent(self) -> Fragment:
        return run(rows.insert(self.of, self.row_prefix))

    @property
    def _part(self) -> str:
        """A partition that the first group gets for itself for a while."""
        return self.qualified(f"{self.name}_part")

    @property
    def _middle(self) -> str:
        return f"'{self.name}.0/'"

    @changes
    def drop_part(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self._part}")

    @changes
    def create_part(self) -> Fragment:
        bounds = f"FOR VALUES FROM ('{self.name}.') TO ({self._middle})"
        return run(f"CREATE TABLE {self._part} PARTITION OF {self.of} {bounds}")

    @changes
    def move_rows_to_part(self) -> Fragment:
        moved = f"DELETE FROM {self.ident} WHERE a = '{self.name}.0' RETURNING a, b"
        return run(f"WITH moved AS ({moved}) INSERT INTO {self.of} (a, b) SELECT a, b FROM moved")

    @changes
    def attach_without_part(self) -> Fragment:
        bounds = f"FOR VALUES FROM ({self._middle}) TO ('{self.name}/')"
        return run(f"ALTER TABLE {self.of} ATTACH PARTITION {self.ident} {bounds}")

    @changes
    def detach_part(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} DETACH PARTITION {self._part}")

    @changes
    def move_rows_back(self) -> Fragment:
        back = f"DELETE FROM {self._part} RETURNING a, b"
        return run(f"WITH back AS ({back}) INSERT INTO {self.ident} (a, b) SELECT a, b FROM back")

    @changes
    def drop_detached_part(self) -> Fragment:
        return run(f"DROP TABLE {self._part} CASCADE")

    def verify(self) -> Fragment:
        heap_check = "" if self.base.using else expect(f"SELECT count(*) FROM racehound.verify_heapam('{self.ident}')", "0")
        return self.verify_rows() + self._verify_bound() + heap_check

    def _verify_bound(self) -> Fragment:
        """It never inherits otherwise, so it is in pg_inherits if and only if it is a partition."""
        outside = f"SELECT a FROM {self.ident} WHERE a < '{self.name}.' OR a >= '{self.name}/'"
        disagreeing = (
            "SELECT c.oid FROM pg_class AS c WHERE c.oid = "
            f"'{self.ident}'::regclass AND c.relispartition <> EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)"
        )
        return expect(outside) + expect(disagreeing)
