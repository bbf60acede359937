"""Sequences and identity columns."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import Commented, OnTable, Recreated, Renamed, SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Sequence(SchemaObject, OnTable):
    """A sequence owned by a column of the base. Verified: the values that one statement draws are distinct.

    RESTART waits for that statement's lock, and gives the sequence another file, whereupon sessions forget what they cached.
    """

    cache: Literal[1, 20] = 1

    in_schema: ClassVar[bool] = True
    noun: ClassVar[str] = "SEQUENCE"
    manipulations: ClassVar[Manipulations] = {
        "move_schema": ("free", "move_schema", "move_schema_back", "bind"),
        "change_owner": ("free", "change_owner", "restore_owner", "bind"),
        "draw": ("draw",) * 10,
        "restart": ("restart",),
        "alter_type": ("make_integer", "make_bigint"),
        "bind_and_free": ("free", "bind"),
    }

    @property
    def expression(self) -> str:
        return f"'{self.ident}'::regclass::text"

    @property
    def column(self) -> str:
        return f", c bigint DEFAULT nextval('{self.ident}'::regclass)"

    @property
    def grantable(self) -> str:
        return f"SEQUENCE {self.ident}"

    def create_statements(self) -> Statements:
        bound = "" if self._owner else f" OWNED BY {self.on}.a"
        return *self.table_statements, f"CREATE SEQUENCE {self.ident} CACHE {self.cache}{bound}"

    def owner_statements(self) -> Statements:
        """A sequence and its table must have the same owner, before they are bound."""
        return (*self.owned_by(self._owner), self._bind) if self._owner else ()

    @property
    def _owner(self) -> str | None:
        """The owner of its table, where it is not the session's user."""
        return self.base.role or self.base.table_owner

    @changes
    def restore_owner(self) -> Fragment:
        return run(*self.owned_by(self._owner or "SESSION_USER"))

    @property
    def _bind(self) -> str:
        return f"ALTER SEQUENCE {self.ident} OWNED BY {self.on}.a"

    @changes
    def free(self) -> Fragment:
        return run(f"ALTER SEQUENCE {self.ident} OWNED BY NONE")

    @changes
    def bind(self) -> Fragment:
        return run(self._bind)

    @changes
    def draw(self) -> Fragment:
        return expect(f"SELECT count(nextval('{self.ident}')) FROM generate_series(1, 10)", "10")

    @changes
    def restart(self) -> Fragment:
        return run(f"ALTER SEQUENCE {self.ident} RESTART")

    @changes
    def make_integer(self) -> Fragment:
        return run(f"ALTER SEQUENCE {self.ident} AS integer")

    @changes
    def make_bigint(self) -> Fragment:
        return run(f"ALTER SEQUENCE {self.ident} AS bigint")

    def verify(self) -> Fragment:
        drawn = f"SELECT nextval('{self.ident}') AS v FROM generate_series(1, 10)"
        return expect(f"SELECT count(v) - count(DISTINCT v) FROM ({drawn}) AS drawn", "0")


@dataclasses.dataclass(frozen=True)
class IdentityColumn(Commented, Recreated, Renamed, OnTable):
    """An identity column of the base. Verified: its values are distinct, and its sequence belongs to it.

    A table with children takes no identity column in most releases, so over a partitioned base it has a supporting table.
    """

    generated: Literal["ALWAYS", "BY DEFAULT"] = "ALWAYS"

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "COLUMN"
    manipulations: ClassVar[Manipulations] = {
        "insert": ("insert",) * 10,
        "set_generated": ("set_other_generated", "restore_generated"),
        "alter_sequence": ("set_increment", "restore_increment"),
        "alter_type": ("make_integer", "make_bigint"),
    }

    @property
    def _uses_base(self) -> bool:
        return bool(self.base.extensible) and not self.base.parent

    @property
    def on(self) -> str:
        return self.base.table if self.base.table and self._uses_base else self.supporting_table

    @property
    def row_prefix(self) -> str:
        return self.base.row_prefix if self._uses_base else ""

    @property
    def only(self) -> str:
        return f"ONLY {self.on}"

    @property
    def table_statements(self) -> Statements:
        return () if self._uses_base else self.create_supporting_table()

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self._uses_base else (f"TABLE {self.supporting_table}",)

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 the table has one, it has none
        return f"{self.on}.{self.bare_name(suffix)}"

    def renaming(self, old: str, new: str) -> str:
        return f"ALTER TABLE {self.on} RENAME COLUMN {self.bare_name(old)} TO {self.bare_name(new)}"

    def create_statements(self) -> Statements:
        column = f"{self.name} bigint GENERATED {self.generated} AS IDENTITY"
        return *self.table_statements, f"ALTER TABLE {self.on} ADD COLUMN {column}"

    def drop_statement(self, if_exists: str = "") -> str:
        return f"ALTER TABLE {if_exists}{self.on} DROP COLUMN {if_exists}{self.name} CASCADE"

    def _altering(self, action: str) -> str:
        return f"ALTER TABLE {self.on} ALTER COLUMN {self.name} {action}"

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    @changes
    def set_other_generated(self) -> Fragment:
        other = "BY DEFAULT" if self.generated == "ALWAYS" else "ALWAYS"
        return run(self._altering(f"SET GENERATED {other}"))

    @changes
    def restore_generated(self) -> Fragment:
        return run(self._altering(f"SET GENERATED {self.generated}"))

    @changes
    def set_increment(self) -> Fragment:
        """Without a restart, so that values stay distinct."""
        return run(self._altering("SET INCREMENT BY 2 SET CACHE 20"))

    @changes
    def restore_increment(self) -> Fragment:
        return run(self._altering("SET INCREMENT BY 1 SET CACHE 1"))

    @changes
    def make_integer(self) -> Fragment:
        return run(self._altering("TYPE integer"))

    @changes
    def make_bigint(self) -> Fragment:
        return run(self._altering("TYPE bigint"))

    def verify(self) -> Fragment:
        orphaned = (
            f"SELECT c.attrelid FROM pg_attribute AS c WHERE c.attrelid = to_regclass('{self.on}') AND c.attname = '{self.name}' "
            "AND c.attidentity <> '' AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.refclassid = 'pg_class'::regclass "
            "AND d.refobjid = c.attrelid AND d.refobjsubid = c.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i')"
        )
        return expect(f"SELECT count({self.name}) - count(DISTINCT {self.name}) FROM {self.only}", "0") + expect(orphaned)
