"""Indexes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import Commented, OnTable, Recreated, Renamed
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys
from racehound.kinds.text import Statements, expect, run

_KEYS = {
    "btree": "{a}",
    "hash": "{a}",
    "gin": "(ARRAY[{a}])",
    "gist": "(int4range(0, length({a})))",
    "brin": "{a}",
}
_CONDITIONS = {
    "btree": "{key} >= ''",
    "hash": "{key} = '0'",
    "gin": "{key} @> ARRAY['0'::text]",
    "gist": "{key} && int4range(0, 1000)",
    "brin": "{key} >= ''",
}
"""What each method can answer, of rows that every table has."""
_OPTIONS = {
    "btree": ("fillfactor = 50", "fillfactor"),
    "hash": ("fillfactor = 50", "fillfactor"),
    "gin": ("fastupdate = off", "fastupdate"),
    "gist": ("fillfactor = 50", "fillfactor"),
    "brin": ("autosummarize = on", "autosummarize"),
}


@dataclasses.dataclass(frozen=True)
class Index(Commented, Recreated, Renamed, OnTable):
    """An index on the base. `unique` falls back to `plain` where the method has no unique indexes.

    Verified: the index and the table give the same count in one snapshot; a B-tree holds every row (amcheck); relhasindex is true
    where there is an index; only a ready and live index is valid.
    """

    method: Literal["btree", "hash", "gin", "gist", "brin"] = "btree"
    variety: Literal["plain", "unique", "expression", "partial"] = "plain"
    concurrently: Literal[False, True] = False

    can_be_referenced: ClassVar[bool] = False
    in_schema: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "amcheck"})
    weight: ClassVar[int] = 15
    noun: ClassVar[str] = "INDEX"
    manipulations: ClassVar[Manipulations] = {
        "reindex": ("reindex",),
        "reindex_concurrently": ("reindex_concurrently",),
        "alter": ("reindex_partitioned", "set_option", "reset_option"),
        "drop_concurrently_and_again": ("drop_concurrently", "create_concurrently"),
        "update_table": ("update_table",) * 10,
        "insert_into_table": ("insert_into_table",) * 10,
    }

    @property
    def is_partitioned(self) -> bool:
        """Concurrent building and dropping, options and amcheck know no partitioned index."""
        return self.base.parent is not None

    def create_statements(self) -> Statements:
        return *self.table_statements, self._creating(concurrently=self.concurrently)

    def clear(self) -> Fragment:
        """A concurrent build that fails leaves an invalid index."""
        return run(*self.removal_statements("IF EXISTS ")) if self.concurrently else super().clear()

    def _creating(self, *, concurrently: bool) -> str:
        unique = "UNIQUE " if self.variety == "unique" and self.method == "btree" else ""
        how = "CONCURRENTLY " if concurrently and not self.is_partitioned else ""
        columns = "a, b" if unique else self._key("a")
        where = " WHERE b <> ''" if self.variety == "partial" else ""
        return f"CREATE {unique}INDEX {how}{self.name} ON {self.on} USING {self.method} ({columns}){self.base.tablespace}{where}"

    def _key(self, column: str) -> str:
        if self.variety == "expression":
            column = f"({self.base.function or 'lower'}({column}))"
        return _KEYS[self.method].format(a=column)

    def _condition(self, column: str) -> str:
        partial = " AND b <> ''" if self.variety == "partial" else ""
        return _CONDITIONS[self.method].format(key=self._key(column)) + partial

    @changes
    def reindex(self) -> Fragment:
        return run(f"REINDEX INDEX {self.ident}")

    @changes
    def reindex_concurrently(self) -> Fragment:
        return run(f"REINDEX INDEX CONCURRENTLY {self.ident}")

    @changes
    def reindex_partitioned(self) -> Fragment:
        return run(f"REINDEX TABLE {self.on}") if self.is_partitioned else ""

    @changes
    def set_option(self) -> Fragment:
        setting, _ = _OPTIONS[self.method]
        return "" if self.is_partitioned else run(f"ALTER INDEX {self.ident} SET ({setting})")

    @changes
    def reset_option(self) -> Fragment:
        _, name = _OPTIONS[self.method]
        return "" if self.is_partitioned else run(f"ALTER INDEX {self.ident} RESET ({name})")

    @destroys
    def drop_concurrently(self) -> Fragment:
        how = "" if self.is_partitioned else "CONCURRENTLY "
        return run(f"DROP INDEX {how}IF EXISTS {self.ident}")

    @creates
    def create_concurrently(self) -> Fragment:
        return run(self._creating(concurrently=True))

    @changes
    def update_table(self) -> Fragment:
        """New versions on the same page, which an index that is being built must not miss."""
        return run(rows.update(self.on, self.initial_key))

    @changes
    def insert_into_table(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    def verify(self) -> Fragment:
        tree_check = expect(f"SELECT racehound.bt_index_check('{self.ident}'::regclass, true)", '""')
        has_tree = self.method == "btree" and not self.is_partitioned
        return self._verify_answer() + self._verify_flags() + (tree_check if has_tree else "")

    def _verify_answer(self) -> Fragment:
        """Both counts in one statement, so in one snapshot. No index serves the condition on `a || ''`, nor gives a ctid."""
        by_index = f"SELECT count(*) FROM {self.on} WHERE {self._condition('a')}"
        unindexed = self._condition("(a || '')")
        by_table = f"SELECT count(ctid) FROM {self.on} WHERE {unindexed}"
        return run("SET enable_seqscan = off") + expect(f"SELECT ({by_index}) - ({by_table})", "0") + run("RESET enable_seqscan")

    def _verify_flags(self) -> Fragment:
        """relhasindex is set in place, before the row of pg_index can be seen; it may outlive the index, never the reverse."""
        this = f"i.indexrelid = '{self.ident}'::regclass"
        forgotten = f"SELECT t.oid FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid WHERE {this} AND NOT t.relhasindex"
        inconsistent = (
            f"SELECT i.indexrelid FROM pg_index AS i WHERE {this} AND i.indisvalid AND NOT (i.indisready AND i.indislive)"
        )
        return expect(forgotten) + expect(inconsistent)
