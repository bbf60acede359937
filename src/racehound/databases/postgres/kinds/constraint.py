"""Constraints of one table: UNIQUE, CHECK, NOT NULL.

Each verifies that no row violates it while it exists: whether it does, as far as the row's own table is concerned, is read in the
same snapshot as the rows. Violations are attempted by the kinds themselves; where the constraint is gone meanwhile, they succeed.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import Commented, OnTable, Recreated, Renamed
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys
from racehound.kinds.text import Statements, expect, run


def attempt(statement: str, condition: str) -> Fragment:
    """Run a statement of which PL/pgSQL's `condition` may come."""
    body = f"BEGIN {statement}; EXCEPTION WHEN {condition} THEN NULL; END"
    return run(f"DO $attempt${body}$attempt$")


class Constraint(Commented, Recreated, Renamed, OnTable):
    """A constraint that ALTER TABLE adds."""

    noun: ClassVar[str] = "CONSTRAINT"
    can_be_referenced: ClassVar[bool] = False
    manipulations: ClassVar[Manipulations] = {
        "drop_and_again": ("drop_if_exists", "add"),
        "insert": ("insert",) * 10,
    }

    @property
    def definition(self) -> str:
        """What stands after the constraint's name."""
        raise NotImplementedError

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 the table has one, it has none
        return f"{self.bare_name(suffix)} ON {self.on}"

    def renaming(self, old: str, new: str) -> str:
        return f"ALTER TABLE {self.on} RENAME CONSTRAINT {self.bare_name(old)} TO {self.bare_name(new)}"

    def adding(self) -> str:
        """The statement that adds it to the table."""
        return f"ALTER TABLE {self.on} ADD CONSTRAINT {self.name} {self.definition}"

    def drop_statement(self, if_exists: str = "") -> str:
        return f"ALTER TABLE {if_exists}{self.on} DROP CONSTRAINT {if_exists}{self.name} CASCADE"

    def create_statements(self) -> Statements:
        return *self.table_statements, self.adding()

    @property
    def holds(self) -> str:
        """Whether a row of the table, called t, is in a table that has the constraint, valid."""
        return (
            f"EXISTS (SELECT FROM pg_constraint AS k WHERE k.conname = '{self.name}' AND k.convalidated AND k.conrelid IN "
            "(t.tableoid, (SELECT i.inhparent FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhrelid "
            "WHERE p.oid = t.tableoid AND p.relispartition)))"
        )

    @destroys
    def drop_if_exists(self) -> Fragment:
        return run(self.drop_statement("IF EXISTS "))

    @creates
    def add(self) -> Fragment:
        return run(self.adding())

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))


@dataclasses.dataclass(frozen=True)
class UniqueConstraint(Constraint):
    """UNIQUE (a, b) on the base. Verified: no duplicate while it exists; its index holds every row (amcheck)."""

    deferrable: Literal[False, True] = False

    can_be_referenced: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "amcheck"})
    manipulations: ClassVar[Manipulations] = {
        "duplicate": ("duplicate",),
        "update_keys": ("update_key",) * 10,
    }

    @property
    def relation(self) -> str:
        return self.on

    @property
    def table(self) -> str:
        return self.on

    @property
    def extensible(self) -> str | None:
        return self.base.extensible if self.base.table else self.on

    @property
    def heritable(self) -> str | None:
        return self.base.heritable if self.base.table else self.on

    @property
    def parent(self) -> str | None:
        return self.base.parent

    @property
    def publishable(self) -> str | None:
        return self.base.publishable if self.base.table else self.on

    @property
    def unique(self) -> str | None:
        return None if self.deferrable else self.on

    @property
    def definition(self) -> str:
        return "UNIQUE (a, b)" + (" DEFERRABLE INITIALLY DEFERRED" if self.deferrable else "")

    @changes
    def duplicate(self) -> Fragment:
        again = f"INSERT INTO {self.on} (a, b) SELECT a, b FROM {self.only} WHERE a = '{self.initial_key}'"
        at_once = "SET CONSTRAINTS ALL IMMEDIATE; " if self.deferrable else ""
        return attempt(f"{at_once}{again}", "unique_violation")

    @changes
    def update_key(self) -> Fragment:
        return run(rows.update(self.on, self.initial_key))

    def verify(self) -> Fragment:
        duplicates = (
            f"SELECT t.a, t.b FROM {self.only} AS t WHERE t.a IS NOT NULL AND t.b IS NOT NULL AND {self.holds} "
            "GROUP BY t.a, t.b HAVING count(*) > 1"
        )
        index = self.qualified(self.name)
        tree_check = expect(f"SELECT racehound.bt_index_check('{index}'::regclass, true)", '""')
        return expect(duplicates) + ("" if self.base.parent else tree_check)


@dataclasses.dataclass(frozen=True)
class CheckConstraint(Constraint):
    """A CHECK on the base, by its function where it is one. Verified: no row violates it while it exists, valid."""

    not_valid: Literal[False, True] = False
    manipulations: ClassVar[Manipulations] = {
        "validate": ("drop_if_exists", "add_not_valid", "validate"),
        "violate": ("violate",),
    }

    @property
    def condition(self) -> str:
        """True of every row that is written, but for `attempt`."""
        return f"{self.base.function or 'lower'}(a) IS NOT NULL AND a <> '{self.row_prefix}-'"

    @property
    def definition(self) -> str:
        return f"CHECK ({self.condition})" + (" NOT VALID" if self.not_valid else "")

    @creates
    def add_not_valid(self) -> Fragment:
        return run(f"ALTER TABLE {self.on} ADD CONSTRAINT {self.name} CHECK ({self.condition}) NOT VALID")

    @changes
    def validate(self) -> Fragment:
        return run(f"ALTER TABLE {self.on} VALIDATE CONSTRAINT {self.name}")

    @changes
    def violate(self) -> Fragment:
        bad = f"INSERT INTO {self.on} (a, b) SELECT '{self.row_prefix}-', 'b' || i FROM generate_series(0, {rows.GROUP - 1}) AS i"
        return attempt(bad, "check_violation")

    def verify(self) -> Fragment:
        return expect(f"SELECT t.a FROM {self.on} AS t WHERE t.a = '{self.row_prefix}-' AND {self.holds}")


@dataclasses.dataclass(frozen=True)
class NotNull(Commented, Recreated, OnTable):
    """NOT NULL on a column of the base. Verified: no NULL in the column while it is marked so."""

    marked: Literal["a", "b"] = "b"

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "COLUMN"
    manipulations: ClassVar[Manipulations] = {
        "drop_and_again": ("drop", "set"),
        "set_by_valid_check": ("drop", "add_check", "validate_check", "set", "drop_check"),
        "violate": ("violate",),
    }

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 the constraint's name is the server's
        return f"{self.on}.{self.marked}"

    def _altering(self, action: str, if_exists: str = "") -> str:
        return f"ALTER TABLE {if_exists}{self.on} ALTER COLUMN {self.marked} {action} NOT NULL"

    def create_statements(self) -> Statements:
        return *self.table_statements, self._altering("SET")

    def drop_statement(self, if_exists: str = "") -> str:
        return self._altering("DROP", if_exists)

    @destroys
    def drop(self) -> Fragment:
        return run(self._altering("DROP"))

    @creates
    def set(self) -> Fragment:
        return run(self._altering("SET"))

    @changes
    def add_check(self) -> Fragment:
        check = f"{self.name}_check"
        return run(
            f"ALTER TABLE {self.on} DROP CONSTRAINT IF EXISTS {check}",
            f"ALTER TABLE {self.on} ADD CONSTRAINT {check} CHECK ({self.marked} IS NOT NULL) NOT VALID",
        )

    @changes
    def validate_check(self) -> Fragment:
        """A valid CHECK spares SET NOT NULL its scan of the table: the server believes the constraint."""
        return run(f"ALTER TABLE {self.on} VALIDATE CONSTRAINT {self.name}_check")

    @changes
    def drop_check(self) -> Fragment:
        return run(f"ALTER TABLE {self.on} DROP CONSTRAINT {self.name}_check")

    @changes
    def violate(self) -> Fragment:
        values = "NULL, 'b' || i" if self.marked == "a" else f"'{self.row_prefix}' || '0', NULL"
        bad = f"INSERT INTO {self.on} (a, b) SELECT {values} FROM generate_series(0, {rows.GROUP - 1}) AS i"
        # A partition refuses a NULL key as a violation of its bound.
        return attempt(bad, "not_null_violation OR check_violation")

    def verify(self) -> Fragment:
        marked = (
            "EXISTS (SELECT FROM pg_attribute AS c "
            f"WHERE c.attrelid = t.tableoid AND c.attname = '{self.marked}' AND c.attnotnull)"
        )
        # Of IS NULL on such a column the planner knows the answer without a look at the rows.
        return expect(f"SELECT t.a FROM {self.on} AS t WHERE num_nulls(t.{self.marked}) > 0 AND {marked}")
