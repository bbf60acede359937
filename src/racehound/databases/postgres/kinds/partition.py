"""Partitions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import given_to
from racehound.databases.postgres.kinds.lives import Local
from racehound.databases.postgres.kinds.table import Tabular
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, manipulation


@dataclasses.dataclass(frozen=True)
class Partition(Tabular, Local):
    """A partition of the base, or of a partitioned table of its own. Its keys begin with its name and a dot.

    Verified: every row satisfies its bound, attached or not; relispartition and pg_inherits agree; groups are whole; the heap is
    sound (amcheck).
    """

    noun: ClassVar[str] = "TABLE"

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
        return self.base.parent or self.inside(f"{self.name}_parent")

    @property
    def bounds(self) -> str:
        """In "C", `/` is the character after the dot, so the range holds the prefix's keys and no others."""
        return f"FOR VALUES FROM ('{self.name}.') TO ('{self.name}/')"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.parent else (f"TABLE {self.of}",)

    def building(self) -> Statements:
        base = self.base
        parent = (
            f"CREATE TABLE {self.of} ({rows.COLUMNS}{base.column}) PARTITION BY RANGE (a){base.tablespace}",
            *given_to(base.role, f"TABLE {self.of}"),
        )
        return (
            *(() if base.parent else parent),
            f"CREATE TABLE {self.ident} PARTITION OF {self.of} {self.bounds}{base.using}{base.tablespace}",
            rows.fill(self.ident, prefix=self.row_prefix),
        )

    @property
    def _attach(self) -> str:
        return f"ALTER TABLE {self.of} ATTACH PARTITION {self.ident} {self.bounds}"

    @manipulation
    def detach(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} DETACH PARTITION {self.ident}", self._attach)

    @manipulation
    def detach_concurrently(self) -> Fragment:
        return run(f"ALTER TABLE {self.of} DETACH PARTITION {self.ident} CONCURRENTLY", self._attach)

    @manipulation
    def insert_through_parent(self) -> Fragment:
        return run(*[rows.insert(self.of, self.row_prefix)] * 10)

    @manipulation
    def split(self) -> Fragment:
        """The first group gets a partition of its own for a while."""
        middle = f"'{self.name}.0/'"
        part = self.inside(f"{self.name}_part")
        moved = f"DELETE FROM {self.ident} WHERE a = '{self.name}.0' RETURNING a, b"
        back = f"DELETE FROM {part} RETURNING a, b"
        return run(
            f"DROP TABLE IF EXISTS {part}",
            f"ALTER TABLE {self.of} DETACH PARTITION {self.ident}",
            f"CREATE TABLE {part} PARTITION OF {self.of} FOR VALUES FROM ('{self.name}.') TO ({middle})",
            f"WITH moved AS ({moved}) INSERT INTO {self.of} (a, b) SELECT a, b FROM moved",
            f"ALTER TABLE {self.of} ATTACH PARTITION {self.ident} FOR VALUES FROM ({middle}) TO ('{self.name}/')",
            f"ALTER TABLE {self.of} DETACH PARTITION {self.ident}",
            f"ALTER TABLE {self.of} DETACH PARTITION {part}",
            f"WITH back AS ({back}) INSERT INTO {self.ident} (a, b) SELECT a, b FROM back",
            f"DROP TABLE {part} CASCADE",
            self._attach,
        )

    def verify(self) -> Fragment:
        heap_check = "" if self.base.using else ask(f"SELECT count(*) FROM racehound.verify_heapam('{self.ident}')", "0")
        return self.verify_rows() + self._verify_bound() + heap_check

    def _verify_bound(self) -> Fragment:
        """It never inherits otherwise, so it is in pg_inherits if and only if it is a partition."""
        outside = f"SELECT a FROM {self.ident} WHERE a < '{self.name}.' OR a >= '{self.name}/'"
        disagreeing = (
            "SELECT c.oid FROM pg_class AS c WHERE c.oid = "
            f"'{self.ident}'::regclass AND c.relispartition <> EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)"
        )
        return ask(outside) + ask(disagreeing)
