"""Foreign keys."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import owner_statement
from racehound.databases.postgres.kinds.constraint import attempt
from racehound.databases.postgres.kinds.shared_operations import Commented, Recreated, Renamed
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class ForeignKey(Commented, Recreated, Renamed):
    """A foreign key to the base or to a supporting table, whose columns (a, b) it makes unique where they are not.

    Verified: no orphan row while the constraint exists, valid; it has its four triggers.
    """

    on_delete: Literal["NO ACTION", "CASCADE", "SET NULL"] = "CASCADE"

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "CONSTRAINT"
    manipulations: ClassVar[Manipulations] = {
        "drop_and_validate": ("drop_if_exists", "add_not_valid", "validate"),
        "alter_deferrability": ("make_deferrable", "insert_referencing", "make_not_deferrable"),
        "write_both_sides": ("insert_referencing", "insert_referenced", "delete_inserted") * 5,
        "delete_referenced": ("insert_referencing", "delete_referenced"),
        "orphan": ("orphan",),
    }

    @property
    def referenced(self) -> str:
        """The table whose rows are referenced."""
        return self.base.table or self.supporting_table

    @property
    def referencing(self) -> str:
        """The table whose rows reference them. Unlogged: such a one may reference any table that is not temporary."""
        return self.qualified(f"{self.name}_child")

    @property
    def only(self) -> str:
        """The referenced rows: those of inheriting tables are not, those of partitions are."""
        return self.referenced if self.base.parent else f"ONLY {self.referenced}"

    @property
    def initial_key(self) -> str:
        """A key that the referenced table has from the beginning."""
        return f"{self.base.row_prefix}0" if self.base.table else "0"

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 the table has one, it has none
        return f"{self.bare_name(suffix)} ON {self.referencing}"

    def renaming(self, old: str, new: str) -> str:
        return f"ALTER TABLE {self.referencing} RENAME CONSTRAINT {self.bare_name(old)} TO {self.bare_name(new)}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.table else (f"TABLE {self.supporting_table}",)

    def removal_statements(self, if_exists: str = "") -> Statements:
        key = (
            ()
            if self.base.unique
            else (f"ALTER TABLE IF EXISTS {self.referenced} DROP CONSTRAINT IF EXISTS {self.name}_key CASCADE",)
        )
        return f"DROP TABLE {if_exists}{self.referencing} CASCADE", *key, *super().removal_statements()[1:]

    def create_statements(self) -> Statements:
        key = () if self.base.unique else (f"ALTER TABLE {self.referenced} ADD CONSTRAINT {self.name}_key UNIQUE (a, b)",)
        return (
            *(() if self.base.table else self.create_supporting_table()),
            *key,
            f"CREATE UNLOGGED TABLE {self.referencing} ({rows.COLUMNS})",
            *owner_statement(self.base.role, f"TABLE {self.referencing}"),
            self._adding(),
        )

    def _adding(self, how: str = "") -> str:
        actions = f"ON DELETE {self.on_delete} ON UPDATE CASCADE"
        references = f"FOREIGN KEY (a, b) REFERENCES {self.referenced} (a, b) {actions}{how}"
        return f"ALTER TABLE {self.referencing} ADD CONSTRAINT {self.name} {references}"

    @destroys
    def drop_if_exists(self) -> Fragment:
        return run(f"ALTER TABLE {self.referencing} DROP CONSTRAINT IF EXISTS {self.name}")

    @creates
    def add_not_valid(self) -> Fragment:
        return run(self._adding("" if self.base.parent else " NOT VALID"))

    @changes
    def validate(self) -> Fragment:
        return run(f"ALTER TABLE {self.referencing} VALIDATE CONSTRAINT {self.name}")

    def _altering(self, deferrability: str) -> Fragment:
        return run(f"ALTER TABLE {self.referencing} ALTER CONSTRAINT {self.name} {deferrability}")

    @changes
    def make_deferrable(self) -> Fragment:
        return self._altering("DEFERRABLE INITIALLY DEFERRED")

    @changes
    def make_not_deferrable(self) -> Fragment:
        return self._altering("NOT DEFERRABLE")

    @changes
    def insert_referencing(self) -> Fragment:
        """A whole group of rows that reference a whole group, as far as that is there."""
        return run(f"INSERT INTO {self.referencing} (a, b) SELECT a, b FROM {self.only} WHERE a = '{self.initial_key}'")

    @changes
    def insert_referenced(self) -> Fragment:
        return run(rows.insert(self.referenced, self.base.row_prefix))

    @changes
    def delete_inserted(self) -> Fragment:
        return run(f"DELETE FROM {self.only} WHERE a LIKE '%.%.%'")

    @changes
    def delete_referenced(self) -> Fragment:
        """With NO ACTION the rows are still referenced, unless others removed those that do."""
        again = rows.fill(self.referenced, prefix=self.initial_key.removesuffix("0"))
        gone = f"DELETE FROM {self.only} WHERE a = '{self.initial_key}'"
        return attempt(f"{gone}; {again}", "foreign_key_violation")

    @changes
    def orphan(self) -> Fragment:
        orphans = (
            f"INSERT INTO {self.referencing} (a, b) SELECT 'nobody', 'b' || i FROM generate_series(0, {rows.GROUP - 1}) AS i"
        )
        return attempt(orphans, "foreign_key_violation")

    def verify(self) -> Fragment:
        return self._verify_orphans() + expect(rows.broken_groups(self.referencing)) + self._verify_triggers()

    def _verify_orphans(self) -> Fragment:
        """The constraint is asked for by the tables that the statement reads, since both names may belong to others by now."""
        constraint = (
            f"SELECT FROM pg_constraint AS k WHERE k.conrelid = c.tableoid AND k.confrelid = '{self.referenced}'::regclass "
            f"AND k.conname = '{self.name}' AND k.convalidated"
        )
        return expect(
            f"SELECT c.a, c.b FROM {self.referencing} AS c WHERE c.a IS NOT NULL AND c.b IS NOT NULL AND EXISTS ({constraint}) "
            f"AND NOT EXISTS (SELECT FROM {self.only} AS p WHERE p.a = c.a AND p.b = c.b)"
        )

    def _verify_triggers(self) -> Fragment:
        """Partitioned tables have further constraints and triggers, differently in each release."""
        if self.base.parent:
            return ""
        return expect(
            f"SELECT k.oid FROM pg_constraint AS k WHERE k.conname = '{self.name}' AND k.contype = 'f' "
            "AND (SELECT count(*) FROM pg_trigger AS t WHERE t.tgconstraint = k.oid) <> 4"
        )
