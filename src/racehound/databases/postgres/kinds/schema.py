"""Schemas, extensions and languages: what has others inside or behind it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.routine import extra_argument
from racehound.databases.postgres.kinds.shared_operations import OTHER_SCHEMA, Commented, Recreated, SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes, reads
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Schema(SchemalessObject):
    """A schema with a copy of the base inside. Verified: the copy's groups are whole."""

    weight: ClassVar[int] = 15
    noun: ClassVar[str] = "SCHEMA"
    manipulations: ClassVar[Manipulations] = {
        "create_inside": ("create_table_inside", "create_function_inside", "drop_function_inside", "drop_table_inside"),
        "move_in_and_out": ("move_table_in", "move_table_out", "move_type_in", "move_type_out"),
        "write_copy": ("insert",) * 5,
        "grant_and_revoke": ("grant", "revoke") * 5,
    }

    @property
    def dependents_schema(self) -> str:
        return self.name

    @property
    def grantable(self) -> str:
        return f"SCHEMA {self.name}"

    @property
    def copy(self) -> str:
        """The copy of the base."""
        return f"{self.name}.{self.name}_table"

    def create_statements(self) -> Statements:
        base = self.base
        # A schema cannot depend on a schema, so the copy names the one below.
        column = base.column or f", c text DEFAULT ('{base.dependents_schema}'::regnamespace)::text"
        table = f"CREATE TABLE {self.name}_table ({rows.COLUMNS}{column}){base.using}{base.tablespace}"
        return (f"CREATE SCHEMA {self.name} {table}",)

    def prepare(self) -> Fragment:
        return super().prepare() + run(
            f"CREATE TABLE {self.name}_mover ({rows.COLUMNS})", f"CREATE TYPE {self.name}_moving AS (a text)"
        )

    @changes
    def create_table_inside(self) -> Fragment:
        return run(f"CREATE TABLE IF NOT EXISTS {self.name}.{self.name}_new ({rows.COLUMNS})")

    @changes
    def create_function_inside(self) -> Fragment:
        return run(f"CREATE OR REPLACE FUNCTION {self.name}.{self.name}_fn() RETURNS integer LANGUAGE sql RETURN 1")

    @changes
    def drop_function_inside(self) -> Fragment:
        return run(f"DROP FUNCTION {self.name}.{self.name}_fn()")

    @changes
    def drop_table_inside(self) -> Fragment:
        return run(f"DROP TABLE {self.name}.{self.name}_new CASCADE")

    @changes
    def move_table_in(self) -> Fragment:
        return run(f"ALTER TABLE {self.name}_mover SET SCHEMA {self.name}")

    @changes
    def move_table_out(self) -> Fragment:
        return run(f"ALTER TABLE {self.name}.{self.name}_mover SET SCHEMA public")

    @changes
    def move_type_in(self) -> Fragment:
        return run(f"ALTER TYPE {self.name}_moving SET SCHEMA {self.name}")

    @changes
    def move_type_out(self) -> Fragment:
        return run(f"ALTER TYPE {self.name}.{self.name}_moving SET SCHEMA public")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.copy))

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT ALL ON SCHEMA {self.name} TO PUBLIC")

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE ALL ON SCHEMA {self.name} FROM PUBLIC")

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.copy))


@dataclasses.dataclass(frozen=True)
class Extension(Commented, Recreated):
    """A contrib extension in the base's schema, and a table of its type that depends on the base. Verified: its type works.

    An extension's name is given by its files, so two objects might mean the same one.
    """

    extension: Literal["citext", "cube", "hstore", "seg"] = "citext"

    single: ClassVar[bool] = True
    weight: ClassVar[int] = 3
    noun: ClassVar[str] = "EXTENSION"

    _VALUES: ClassVar[dict[str, str]] = {"citext": "x", "cube": "(1)", "hstore": '"a"=>"1"', "seg": "1"}
    manipulations: ClassVar[Manipulations] = {
        "move_schema": ("move_schema", "move_schema_back"),
        "add_and_drop_member": ("add_member", "drop_member"),
        "update": ("update",),
    }

    @property
    def type(self) -> str:
        return self.qualified(self.extension)

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 its name is its files'
        return self.extension

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.supporting_table}",)

    def create_statements(self) -> Statements:
        table = self.create_supporting_table(f", {self.name}_c {self.type}")
        return f"CREATE EXTENSION {self.extension} SCHEMA {self.schema}", *table

    @changes
    def move_schema(self) -> Fragment:
        return run(f"ALTER EXTENSION {self.extension} SET SCHEMA {OTHER_SCHEMA}")

    @changes
    def move_schema_back(self) -> Fragment:
        return run(f"ALTER EXTENSION {self.extension} SET SCHEMA {self.schema}")

    @changes
    def add_member(self) -> Fragment:
        return run(f"ALTER EXTENSION {self.extension} ADD TABLE {self.supporting_table}")

    @changes
    def drop_member(self) -> Fragment:
        return run(f"ALTER EXTENSION {self.extension} DROP TABLE {self.supporting_table}")

    @changes
    def update(self) -> Fragment:
        return run(f"ALTER EXTENSION {self.extension} UPDATE")

    def verify(self) -> Fragment:
        value = self._VALUES[self.extension]
        return expect(f"SELECT count('{value}'::{self.type})", "1") + expect(rows.broken_groups(self.supporting_table))


@dataclasses.dataclass(frozen=True)
class Language(SchemalessObject):
    """PL/pgSQL under another name, and a function in it that depends on the base. Verified: the function returns what it must."""

    trusted: Literal[False, True] = False

    noun: ClassVar[str] = "LANGUAGE"
    manipulations: ClassVar[Manipulations] = {
        "replace_function": ("replace_function",) * 5,
        "call": ("verify",) * 10,
        "do_anonymous": ("do_anonymous",) * 5,
        "replace": ("replace",),
    }

    @property
    def language(self) -> str:
        return self.name

    @property
    def own_function(self) -> str:
        """The function in the language."""
        return self.qualified(f"{self.name}_fn")

    @property
    def function(self) -> str | None:
        return self.own_function if self.base.type or not self.base.expression else None

    @property
    def expression(self) -> str:
        return f"{self.own_function}('x')"

    @property
    def grantable(self) -> str | None:
        return f"LANGUAGE {self.name}" if self.trusted else None

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"FUNCTION {self.own_function}",)

    def create_statements(self) -> Statements:
        trusted = "TRUSTED " if self.trusted else ""
        handlers = "HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator"
        return f"CREATE {trusted}LANGUAGE {self.name} {handlers}", self._function()

    def _function(self, replace: str = "") -> str:
        signature = f"{self.own_function}(x text{extra_argument(self.base)}) RETURNS text"
        return f"CREATE {replace}FUNCTION {signature} LANGUAGE {self.name} IMMUTABLE AS 'BEGIN RETURN x || ''!''; END'"

    @changes
    def replace_function(self) -> Fragment:
        return run(self._function("OR REPLACE "))

    @reads
    def do_anonymous(self) -> Fragment:
        return run(f"DO LANGUAGE {self.name} 'BEGIN PERFORM 1; END'")

    @changes
    def replace(self) -> Fragment:
        return run(self.create_statements()[0].replace("CREATE ", "CREATE OR REPLACE ", 1))

    def verify(self) -> Fragment:
        return expect(f"SELECT {self.own_function}('x')", "x!")
