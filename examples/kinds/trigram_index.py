"""A trigram index, which the extension pg_trgm brings: the kind of `trigram_index.td` once more, in Python."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import Commented, OnTable, Recreated, Renamed
from racehound.kinds.kind import Fragment, Manipulations, changes, reads
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class PythonTrigramIndex(Commented, Recreated, Renamed, OnTable):
    """A trigram index on the base. Verified: the index and the table find the same rows."""

    fastupdate: Literal["on", "off"] = "on"

    noun: ClassVar[str] = "INDEX"
    in_schema: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "pg_trgm"})
    manipulations: ClassVar[Manipulations] = {
        "reindex": ("reindex",),
        "set_options": ("delay_updates", "update_at_once"),
        "write": ("insert", "update", "search"),
    }

    def prepare(self) -> Fragment:
        return run("CREATE EXTENSION IF NOT EXISTS pg_trgm")

    def create_statements(self) -> Statements:
        options = f"WITH (fastupdate = {self.fastupdate})"
        return *self.table_statements, f"CREATE INDEX {self.name} ON {self.on} USING gin (b gin_trgm_ops) {options}"

    @changes
    def reindex(self) -> Fragment:
        return run(f"REINDEX INDEX {self.ident}")

    @changes
    def delay_updates(self) -> Fragment:
        return run(f"ALTER INDEX {self.ident} SET (fastupdate = on)")

    @changes
    def update_at_once(self) -> Fragment:
        return run(f"ALTER INDEX {self.ident} SET (fastupdate = off)")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    @changes
    def update(self) -> Fragment:
        return run(rows.update(self.on, self.initial_key))

    @reads
    def search(self) -> Fragment:
        return expect(f"SELECT count(*) % {rows.GROUP} FROM {self.on} WHERE b LIKE '%b%'", "0")

    def verify(self) -> Fragment:
        """Both counts are made by one statement, so from one snapshot. No index serves the condition on `b || ''`."""
        by_index = f"SELECT count(*) FROM {self.on} WHERE b LIKE '%b%'"
        by_table = f"SELECT count(*) FROM {self.on} WHERE (b || '') LIKE '%b%'"
        return run("SET enable_seqscan = off") + expect(f"SELECT ({by_index}) - ({by_table})", "0") + run("RESET enable_seqscan")
