"""What many kinds share: the operations that come with a name, an owner or a schema, and the ways to be built over a table."""

from __future__ import annotations

from typing import ClassVar

from racehound.databases.postgres.kinds.base import PostgresKind
from racehound.kinds.kind import Fragment, Manipulations, changes, destroys
from racehound.kinds.text import Statements, run

OTHER_OWNER = "${racehound.run}_owner"
OTHER_SCHEMA = "racehound_elsewhere"
"""A role and a schema that the target keeps for all objects. If each object had a schema of its own, the server would discard
every cached plan, those of the catalog oracle included, in every repetition."""


class Commented(PostgresKind):
    """It can have a comment."""

    manipulations: ClassVar[Manipulations] = {
        "comment": ("comment", "remove_comment"),
    }

    @changes
    def comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS '{self.name}'")

    @changes
    def remove_comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS NULL")


class Recreated(PostgresKind):
    """It can be dropped together with its dependents, and made again. Meanwhile others may be creating dependents."""

    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy_if_exists", "create"),
    }

    @destroys
    def destroy_if_exists(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))


class Renamed(PostgresKind):
    """It can be renamed."""

    manipulations: ClassVar[Manipulations] = {
        "rename": ("rename", "rename_back"),
    }

    def renaming(self, old: str, new: str) -> str:
        """The statement that renames it from one suffix of its name to the other."""
        return f"ALTER {self.noun} {self.spelling(old)} RENAME TO {self.bare_name(new)}"

    @changes
    def rename(self) -> Fragment:
        return run(self.renaming("", "_tmp"))

    @changes
    def rename_back(self) -> Fragment:
        return run(self.renaming("_tmp", ""))


class Owned(PostgresKind):
    """It has an owner."""

    manipulations: ClassVar[Manipulations] = {
        "change_owner": ("change_owner", "restore_owner"),
    }

    @property
    def other_owner(self) -> str:
        """A role that owns it for a while: the target's, a superuser, since not all objects may be owned by others."""
        return OTHER_OWNER

    def owner_statements(self) -> Statements:
        return self.owned_by(self.base.role) if self.base.role else ()

    def owned_by(self, role: str) -> Statements:
        """The statement that makes a role its owner."""
        return (f"ALTER {self.noun} {self.ident} OWNER TO {role}",)

    @changes
    def change_owner(self) -> Fragment:
        return run(*self.owned_by(self.other_owner))

    @changes
    def restore_owner(self) -> Fragment:
        return run(*self.owned_by(self.base.role or "SESSION_USER"))


class Moved(PostgresKind):
    """It can move to another schema."""

    manipulations: ClassVar[Manipulations] = {
        "move_schema": ("move_schema", "move_schema_back"),
    }

    @property
    def other_schema(self) -> str:
        """The schema that it moves to and comes back from: the target's."""
        return OTHER_SCHEMA

    def moving(self, old: str, new: str) -> str:
        """The statement that moves it from one schema to the other."""
        return f"ALTER {self.noun} {self.spelling(schema=old)} SET SCHEMA {new}"

    @changes
    def move_schema(self) -> Fragment:
        return run(self.moving(self.schema, self.other_schema))

    @changes
    def move_schema_back(self) -> Fragment:
        return run(self.moving(self.other_schema, self.schema))


class SchemalessObject(Commented, Recreated, Renamed, Owned):
    """What has a name and an owner, but no schema."""

    in_schema: ClassVar[bool] = False


class SchemaObject(Commented, Recreated, Moved, Renamed, Owned):
    """What has a name, an owner and a schema."""


class OnTable(PostgresKind):
    """It is built over a table: that of the object it refers to, or a supporting table."""

    in_schema: ClassVar[bool] = False

    @property
    def on(self) -> str:
        """The table."""
        return self.base.table or self.supporting_table

    @property
    def only(self) -> str:
        """The table without those that inherit from it; with its partitions, since these are the table."""
        return self.on if self.base.parent else f"ONLY {self.on}"

    @property
    def row_prefix(self) -> str:
        return self.base.row_prefix if self.base.table else ""

    @property
    def initial_key(self) -> str:
        """A key that the table has from the beginning."""
        return f"{self.row_prefix}0"

    @property
    def table_statements(self) -> Statements:
        """The statements that make the supporting table where one is needed."""
        return () if self.base.table else self.create_supporting_table()

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.table else (f"TABLE {self.supporting_table}",)


class NamedOnTable(Commented, Recreated, Renamed, OnTable):
    """What has a name of its own on each table: a trigger, a rule, a policy."""

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 the table has one, it has none
        return f"{self.bare_name(suffix)} ON {self.on}"


class AsColumn(PostgresKind):
    """It is used by a column of the table of the object it refers to, or else of a supporting table."""

    @property
    def column_definition(self) -> str:
        """The definition of the column, without its name."""
        raise NotImplementedError

    @property
    def extended_table(self) -> str | None:
        """The table of the object it refers to, if that can take the column."""
        return self.base.extensible

    @property
    def column_statements(self) -> Statements:
        """The statements that make the column."""
        column = f"{self.name}_c {self.column_definition}"
        if self.extended_table:
            return (f"ALTER TABLE {self.extended_table} ADD COLUMN {column}",)
        return self.create_supporting_table(f", {column}")

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.extended_table else (f"TABLE {self.supporting_table}",)
