"""Views and materialized views."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class View(SchemaObject):
    """A view of the base.

    Verified: every group of rows is whole. It is not compared with its query: the base's name may belong to another table by now.
    """

    security_barrier: Literal[False, True] = False

    noun: ClassVar[str] = "VIEW"
    manipulations: ClassVar[Manipulations] = {
        "replace": ("replace",),
        "rename_column": ("rename_column", "rename_column_back"),
        "set_security": ("set_other_security", "restore_security"),
        "set_default": ("set_default", "drop_default"),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def grantable(self) -> str:
        return f"TABLE {self.ident}"

    def _creating(self, replace: str = "") -> str:
        barrier = str(self.security_barrier).lower()
        return f"CREATE {replace}VIEW {self.ident} WITH (security_barrier = {barrier}) AS {self.query}"

    def create_statements(self) -> Statements:
        return (self._creating(),)

    @changes
    def replace(self) -> Fragment:
        return run(self._creating("OR REPLACE "))

    @changes
    def rename_column(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} RENAME COLUMN b TO b_tmp")

    @changes
    def rename_column_back(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} RENAME COLUMN b_tmp TO b")

    @changes
    def set_other_security(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} SET (security_barrier = {str(not self.security_barrier).lower()})")

    @changes
    def restore_security(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} SET (security_barrier = {str(self.security_barrier).lower()})")

    @changes
    def set_default(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} ALTER COLUMN b SET DEFAULT 'x'")

    @changes
    def drop_default(self) -> Fragment:
        return run(f"ALTER VIEW {self.ident} ALTER COLUMN b DROP DEFAULT")

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.ident))


@dataclasses.dataclass(frozen=True)
class MaterializedView(SchemaObject):
    """A materialized view of the base, its rows numbered, with a unique index on the number.

    Verified: groups are whole and numbers have no gap, as in one snapshot of its query; heap and index are sound (amcheck).
    """

    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "amcheck"})
    noun: ClassVar[str] = "MATERIALIZED VIEW"
    manipulations: ClassVar[Manipulations] = {
        "refresh": ("refresh",),
        "refresh_concurrently": ("refresh_concurrently",),
        "refresh_with_no_data": ("refresh_with_no_data", "refresh"),
        "replace_unique_index": ("replace_unique_index",),
        "set_fillfactor": ("set_fillfactor", "vacuum_full"),
    }

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def grantable(self) -> str:
        return f"TABLE {self.ident}"

    @property
    def index(self) -> str:
        """The unique index, which is in the schema of the view."""
        return self.qualified(f"{self.name}_key")

    def create_statements(self) -> Statements:
        base = self.base
        numbered = f"SELECT row_number() OVER (ORDER BY a, b) AS n, * FROM ({self.query}) AS q"
        return (
            f"CREATE MATERIALIZED VIEW {self.ident}{base.using}{base.tablespace} AS {numbered}",
            f"CREATE UNIQUE INDEX {self.name}_key ON {self.ident} (n)",
        )

    @changes
    def refresh(self) -> Fragment:
        return run(f"REFRESH MATERIALIZED VIEW {self.ident}")

    @changes
    def refresh_concurrently(self) -> Fragment:
        return run(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {self.ident}")

    @changes
    def refresh_with_no_data(self) -> Fragment:
        return run(f"REFRESH MATERIALIZED VIEW {self.ident} WITH NO DATA")

    @changes
    def replace_unique_index(self) -> Fragment:
        return run(f"DROP INDEX IF EXISTS {self.index}", f"CREATE UNIQUE INDEX {self.name}_key ON {self.ident} (n)")

    @changes
    def set_fillfactor(self) -> Fragment:
        return run(f"ALTER MATERIALIZED VIEW {self.ident} SET (fillfactor = 50)")

    @changes
    def vacuum_full(self) -> Fragment:
        return run(f"VACUUM FULL {self.ident}")

    def verify(self) -> Fragment:
        heap_check = "" if self.base.using else expect(f"SELECT count(*) FROM racehound.verify_heapam('{self.ident}')", "0")
        return (
            expect(rows.broken_groups(self.ident))
            + expect(f"SELECT count(*) - coalesce(max(n), 0) FROM {self.ident}", "0")
            + heap_check
            + expect(f"SELECT racehound.bt_index_check('{self.index}'::regclass, true)", '""')
        )
