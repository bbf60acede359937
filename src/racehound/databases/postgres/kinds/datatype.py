"""Types: enums, composites, domains, ranges. Each is used by a column of the base, or of a supporting table."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds.shared_operations import AsColumn, SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes, reads
from racehound.kinds.text import Statements, expect, run


class DataType(SchemaObject, AsColumn):
    """A type of its own."""

    noun: ClassVar[str] = "TYPE"

    @property
    def type(self) -> str:
        return self.ident

    @property
    def column_definition(self) -> str:
        return self.ident

    @property
    def grantable(self) -> str:
        return f"{self.noun} {self.ident}"

    @property
    def definition(self) -> str:
        """What stands after the type's name."""
        raise NotImplementedError

    def create_statements(self) -> Statements:
        return f"CREATE {self.noun} {self.ident} {self.definition}", *self.column_statements

    @property
    def oid(self) -> str:
        """Its OID, as a constant of a query."""
        return f"'{self.ident}'::regtype"


@dataclasses.dataclass(frozen=True)
class EnumType(DataType):
    """An enum. Verified: neither two labels nor two places in its order are the same."""

    manipulations: ClassVar[Manipulations] = {
        "add_value": ("add_value_before", "add_value_after", "add_value_at_end"),
        "rename_value": ("rename_value", "rename_value_back"),
    }

    @property
    def definition(self) -> str:
        return "AS ENUM ('a', 'b', 'c')"

    def _adding(self, value: str) -> Fragment:
        """A value cannot be removed; adding it again does nothing."""
        return run(f"ALTER TYPE {self.ident} ADD VALUE IF NOT EXISTS {value}")

    @changes
    def add_value_before(self) -> Fragment:
        return self._adding("'aa' BEFORE 'b'")

    @changes
    def add_value_after(self) -> Fragment:
        return self._adding("'ab' AFTER 'aa'")

    @changes
    def add_value_at_end(self) -> Fragment:
        return self._adding("'d'")

    @changes
    def rename_value(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} RENAME VALUE 'a' TO 'z'")

    @changes
    def rename_value_back(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} RENAME VALUE 'z' TO 'a'")

    def verify(self) -> Fragment:
        return "".join(
            expect(f"SELECT {what} FROM pg_enum WHERE enumtypid = {self.oid} GROUP BY {what} HAVING count(*) > 1")
            for what in ("enumlabel", "enumsortorder")
        )


class TypeOverBaseType(DataType):
    """A type that contains the base's. It always has a supporting table, as no table has a column that contains its row type."""

    @property
    def extended_table(self) -> None:
        return None


@dataclasses.dataclass(frozen=True)
class CompositeType(TypeOverBaseType):
    """A row type with an attribute of the base's type. Verified: it has as many attributes as it says."""

    manipulations: ClassVar[Manipulations] = {
        "add_and_drop_attribute": ("add_attribute", "drop_attribute"),
        "rename_attribute": ("rename_attribute", "rename_attribute_back"),
    }

    @property
    def definition(self) -> str:
        of_base = f", c {self.base.type}" if self.base.type else ""
        return f"AS (a text, b text{of_base})"

    @changes
    def add_attribute(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} ADD ATTRIBUTE {self.name}_new text CASCADE")

    @changes
    def drop_attribute(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} DROP ATTRIBUTE {self.name}_new CASCADE")

    @changes
    def rename_attribute(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} RENAME ATTRIBUTE b TO b_tmp CASCADE")

    @changes
    def rename_attribute_back(self) -> Fragment:
        return run(f"ALTER TYPE {self.ident} RENAME ATTRIBUTE b_tmp TO b CASCADE")

    def verify(self) -> Fragment:
        there = "SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0"
        return expect(
            "SELECT c.oid FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid "
            f"WHERE t.oid = {self.oid} AND c.relnatts <> ({there})"
        )


@dataclasses.dataclass(frozen=True)
class Domain(TypeOverBaseType):
    """A domain over the base's type, or over text. Verified: NULL, which every constraint lets pass, can be cast to it."""

    noun: ClassVar[str] = "DOMAIN"
    manipulations: ClassVar[Manipulations] = {
        "add_and_validate_constraint": ("add_constraint", "validate_constraint", "drop_constraint"),
        "rename_constraint": ("rename_constraint", "rename_constraint_back"),
        "set_default": ("set_default", "drop_default"),
    }

    @property
    def definition(self) -> str:
        return f"AS {self.base.type or 'text'} CONSTRAINT {self.name}_short CHECK (length(VALUE::text) < 1000)"

    def _altering(self, action: str) -> Fragment:
        return run(f"ALTER DOMAIN {self.ident} {action}")

    @changes
    def add_constraint(self) -> Fragment:
        return self._altering(f"ADD CONSTRAINT {self.name}_check CHECK (VALUE::text <> '~') NOT VALID")

    @changes
    def validate_constraint(self) -> Fragment:
        return self._altering(f"VALIDATE CONSTRAINT {self.name}_check")

    @changes
    def drop_constraint(self) -> Fragment:
        return self._altering(f"DROP CONSTRAINT {self.name}_check")

    @changes
    def rename_constraint(self) -> Fragment:
        return self._altering(f"RENAME CONSTRAINT {self.name}_short TO {self.name}_tmp")

    @changes
    def rename_constraint_back(self) -> Fragment:
        return self._altering(f"RENAME CONSTRAINT {self.name}_tmp TO {self.name}_short")

    @changes
    def set_default(self) -> Fragment:
        return self._altering("SET DEFAULT NULL")

    @changes
    def drop_default(self) -> Fragment:
        return self._altering("DROP DEFAULT")

    def verify(self) -> Fragment:
        return expect(f"SELECT count(NULL::{self.ident})", "0")


@dataclasses.dataclass(frozen=True)
class RangeType(TypeOverBaseType):
    """A range over the base's type, or over text, with its multirange. Verified: the two belong together."""

    collated: Literal[False, True] = False
    manipulations: ClassVar[Manipulations] = {
        "rename_multirange": ("rename_multirange", "rename_multirange_back"),
        "use_values": ("use_values",),
    }

    @property
    def multirange(self) -> str:
        """The multirange type, which does not move with the range."""
        return self.qualified(f"{self.name}_multi")

    @property
    def definition(self) -> str:
        collation = ', collation = "C"' if self.collated and not self.base.type else ""
        return f"AS RANGE (subtype = {self.base.type or 'text'}{collation}, multirange_type_name = {self.multirange})"

    @changes
    def rename_multirange(self) -> Fragment:
        return run(f"ALTER TYPE {self.multirange} RENAME TO {self.name}_multi_tmp")

    @changes
    def rename_multirange_back(self) -> Fragment:
        return run(f"ALTER TYPE {self.qualified(f'{self.name}_multi_tmp')} RENAME TO {self.name}_multi")

    @reads
    def use_values(self) -> Fragment:
        return expect(f"SELECT count(i) FROM (SELECT '{{}}'::{self.multirange} AS i FROM generate_series(1, 10)) AS used", "10")

    def verify(self) -> Fragment:
        pair = (
            "SELECT FROM pg_range AS r JOIN pg_type AS m ON m.oid = r.rngmultitypid AND m.typtype = 'm' WHERE r.rngtypid = t.oid"
        )
        return expect(f"SELECT t.oid FROM pg_type AS t WHERE t.oid = {self.oid} AND t.typtype = 'r' AND NOT EXISTS ({pair})")
