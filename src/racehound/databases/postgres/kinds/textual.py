"""What belongs to text: collations, conversions, text search configurations."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds.base import owner_statement
from racehound.databases.postgres.kinds.shared_operations import AsColumn, SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Collation(SchemaObject, AsColumn):
    """A collation that sorts as "C", used by a column of the base. Verified: it does."""

    source: Literal["copied", "defined"] = "defined"

    noun: ClassVar[str] = "COLLATION"
    manipulations: ClassVar[Manipulations] = {
        "refresh_version": ("refresh_version",),
        "sort": ("verify",) * 5,
    }

    @property
    def column_definition(self) -> str:
        return f"text COLLATE {self.ident}"

    @property
    def expression(self) -> str:
        return f"('x'::text COLLATE {self.ident})"

    @property
    def column(self) -> str:
        return f", c text COLLATE {self.ident}"

    def create_statements(self) -> Statements:
        definition = 'FROM "C"' if self.source == "copied" else "(PROVIDER = libc, LOCALE = 'C')"
        return f"CREATE COLLATION {self.ident} {definition}", *self.column_statements

    @changes
    def refresh_version(self) -> Fragment:
        return run(f"ALTER COLLATION {self.ident} REFRESH VERSION")

    def verify(self) -> Fragment:
        return expect(f"SELECT min(x COLLATE {self.ident}) FROM (VALUES ('b'), ('a'), ('B')) AS v (x)", "B")


@dataclasses.dataclass(frozen=True)
class Conversion(SchemaObject):
    """A conversion with a function of its own, beside a table that depends on the base. Verified: the function exists.

    Nothing in the catalog depends on a conversion, nor can one depend on more than its schema, owner and function.
    """

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "CONVERSION"
    manipulations: ClassVar[Manipulations] = {
        "drop_and_again": ("drop_if_exists", "create_conversion") * 3,
    }

    @property
    def own_function(self) -> str:
        """Its function."""
        return self.qualified(f"{self.name}_fn")

    @property
    def helpers(self) -> tuple[str, ...]:
        return f"TABLE {self.supporting_table}", f"FUNCTION {self.own_function}"

    def create_statements(self) -> Statements:
        signature = f"{self.own_function}(integer, integer, cstring, internal, integer, boolean) RETURNS integer"
        library = "'$libdir/utf8_and_iso8859_1', 'iso8859_1_to_utf8'"
        return (
            *self.create_supporting_table(),
            f"CREATE FUNCTION {signature} LANGUAGE c STRICT AS {library}",
            *owner_statement(self.base.role, f"FUNCTION {self.own_function}"),
            self._creating(),
        )

    def _creating(self) -> str:
        return f"CREATE CONVERSION {self.ident} FOR 'LATIN1' TO 'UTF8' FROM {self.own_function}"

    @destroys
    def drop_if_exists(self) -> Fragment:
        return run(self.drop_statement("IF EXISTS "))

    @creates
    def create_conversion(self) -> Fragment:
        return run(self._creating())

    def verify(self) -> Fragment:
        gone = "NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = c.conproc)"
        return expect(f"SELECT c.oid FROM pg_conversion AS c WHERE c.conname = '{self.name}' AND {gone}")


@dataclasses.dataclass(frozen=True)
class TextSearchConfig(SchemaObject, AsColumn):
    """A text search configuration with a dictionary of its own, used by a column of the base. Verified: it finds a word's lexeme.

    The mappings are replaced, never dropped, so that there is no moment at which a word has none.
    """

    noun: ClassVar[str] = "TEXT SEARCH CONFIGURATION"
    manipulations: ClassVar[Manipulations] = {
        "alter_mapping": ("use_dictionary", "use_simple"),
        "replace_dictionary": ("replace_simple", "replace_dictionary"),
        "alter_dictionary": ("set_dictionary_option", "reset_dictionary_option"),
    }

    @property
    def dictionary(self) -> str:
        """Its dictionary."""
        return self.qualified(f"{self.name}_dict")

    @property
    def column_definition(self) -> str:
        """A generated column goes with its expression, where one with a default would only lose that."""
        return f"tsvector GENERATED ALWAYS AS (to_tsvector('{self.ident}'::regconfig, b)) STORED"

    @property
    def expression(self) -> str:
        return f"to_tsvector('{self.ident}'::regconfig, 'x')"

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"TEXT SEARCH DICTIONARY {self.dictionary}"

    def create_statements(self) -> Statements:
        return (
            f"CREATE TEXT SEARCH DICTIONARY {self.dictionary} (TEMPLATE = pg_catalog.simple)",
            *owner_statement(self.base.role, f"TEXT SEARCH DICTIONARY {self.dictionary}"),
            f"CREATE TEXT SEARCH CONFIGURATION {self.ident} (COPY = pg_catalog.simple)",
            *self.column_statements,
        )

    def _altering(self, *actions: str) -> Fragment:
        return run(*(f"ALTER TEXT SEARCH CONFIGURATION {self.ident} {action}" for action in actions))

    @changes
    def use_dictionary(self) -> Fragment:
        return self._altering(f"ALTER MAPPING FOR asciiword, word WITH {self.dictionary}, simple")

    @changes
    def use_simple(self) -> Fragment:
        return self._altering("ALTER MAPPING FOR asciiword, word WITH simple")

    @changes
    def replace_simple(self) -> Fragment:
        return self._altering(f"ALTER MAPPING REPLACE simple WITH {self.dictionary}")

    @changes
    def replace_dictionary(self) -> Fragment:
        return self._altering(f"ALTER MAPPING REPLACE {self.dictionary} WITH simple")

    @changes
    def set_dictionary_option(self) -> Fragment:
        return run(f"ALTER TEXT SEARCH DICTIONARY {self.dictionary} (Accept = true)")

    @changes
    def reset_dictionary_option(self) -> Fragment:
        return run(f"ALTER TEXT SEARCH DICTIONARY {self.dictionary} (Accept)")

    def verify(self) -> Fragment:
        return expect(f"SELECT length(to_tsvector('{self.ident}'::regconfig, 'x'))", "1")
