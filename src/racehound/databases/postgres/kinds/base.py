"""What PostgreSQL's kinds have in common: names, what an object offers to its dependents, and how it uses the object below.

The dependents of an object are the objects that are built over it. Each property of what it offers them has a default, so that
every kind works over every kind that can be referenced, and over none. A dependent uses as many properties as make sense, so that
its creation records a dependency in the catalog. A kind that needs a table, over an object that is none, makes a table of its own
that depends on that object: the supporting table.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.kinds.kind import Fragment, Kind
from racehound.kinds.text import Statements, run


@dataclasses.dataclass(frozen=True)
class PostgresKind(Kind):
    """An object of a PostgreSQL cluster. Subclasses say how it is built; create, destroy and recreate follow from that."""

    refers_to: PostgresKind | None = None

    requires: ClassVar[frozenset[str]] = frozenset({"superuser"})
    """Capabilities of the server without which the kind makes no sense, as the target names them."""
    since: ClassVar[int] = 14
    """The first major release that has the kind."""
    noun: ClassVar[str] = ""
    """What SQL calls it: `TABLE`, `TEXT SEARCH CONFIGURATION`."""
    in_schema: ClassVar[bool] = True
    """Whether it is in a schema."""
    in_cluster: ClassVar[bool] = False
    """Whether all databases of the cluster share its name."""

    # What it offers to its dependents.

    @property
    def dependents_schema(self) -> str:
        """The schema in which dependents create themselves."""
        return self.base.dependents_schema if self.refers_to else "public"

    @property
    def relation(self) -> str | None:
        """Something to select text columns a and b from, in groups of ten."""
        return None

    @property
    def table(self) -> str | None:
        """A text table that can be written to, indexed, constrained and triggered."""
        return None

    @property
    def extensible(self) -> str | None:
        """A table that takes further columns."""
        return self.table

    @property
    def heritable(self) -> str | None:
        """A table that others can inherit from."""
        return None

    @property
    def parent(self) -> str | None:
        """A table partitioned by `RANGE (a)` with room for more partitions; when set, it is also `table`."""
        return None

    @property
    def publishable(self) -> str | None:
        """A table that can be published."""
        return self.table

    @property
    def unique(self) -> str | None:
        """A table whose columns (a, b) are a key that others can reference."""
        return None

    @property
    def row_prefix(self) -> str:
        """What the keys of rows in `table` begin with."""
        return ""

    @property
    def type(self) -> str | None:
        """A type that columns and arguments can have."""
        return self.relation

    @property
    def function(self) -> str | None:
        """An immutable function that takes one text and returns text, never NULL for a text."""
        return None

    @property
    def expression(self) -> str | None:
        """An expression without variables that depends on the object and can be cast to text."""
        if self.function:
            return f"{self.function}('x')"
        return f"NULL::{self.type}" if self.type else None

    @property
    def column(self) -> str:
        """The definition of a column `c` that depends on the object, with a comma before it; empty where there is none."""
        if self.type:
            return f", c {self.type}"
        return f", c text DEFAULT ({self.expression})::text" if self.expression else ""

    @property
    def role(self) -> str | None:
        """A role that can own and be granted."""
        return None

    @property
    def table_owner(self) -> str | None:
        """The role that owns `table`, where it is not the session's user."""
        return self.base.table_owner if self.table == self.base.table else self.base.role

    @property
    def server(self) -> str | None:
        """A foreign server."""
        return None

    @property
    def language(self) -> str | None:
        """A language that takes PL/pgSQL text."""
        return None

    @property
    def using(self) -> str:
        """The USING clause of a table in its access method."""
        return ""

    @property
    def tablespace(self) -> str:
        """The TABLESPACE clause of what is stored in it."""
        return ""

    @property
    def grantable(self) -> str | None:
        """What GRANT ALL ON takes."""
        return f"TABLE {self.table}" if self.table else None

    # Names.

    @property
    def base(self) -> PostgresKind:
        """The object that this one is built over, or `NO_BASE`."""
        return self.refers_to or NO_BASE

    @property
    def schema(self) -> str:
        """The schema in which it creates itself and its helpers."""
        return self.base.dependents_schema

    def qualified(self, name: str, schema: str | None = None) -> str:
        """A name as statements spell it that work wherever the search path is the default one."""
        schema = schema or self.schema
        return name if schema == "public" else f"{schema}.{name}"

    def shared_name(self, suffix: str = "") -> str:
        """The name of something that all databases of the cluster share, the object itself or a helper."""
        return f"${{racehound.run}}_{self.name}{suffix}"

    def bare_name(self, suffix: str = "") -> str:
        """The object's name, or the name it bears for a while, as after RENAME TO."""
        return self.shared_name(suffix) if self.in_cluster else f"{self.name}{suffix}"

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:
        """The object as ALTER, DROP and COMMENT spell it after its noun, while it has another name or schema."""
        return self.qualified(self.bare_name(suffix), schema) if self.in_schema else self.bare_name(suffix)

    @property
    def ident(self) -> str:
        """The object in its normal state, as SQL spells it after its noun."""
        return self.spelling()

    # Its operations.

    @property
    def helpers(self) -> tuple[str, ...]:
        """What else it makes, noun and name, the first made first."""
        return ()

    def create_statements(self) -> Statements:
        """The statements that make it."""
        raise NotImplementedError

    def owner_statements(self) -> Statements:
        """The statements that give it to the role that it is built over."""
        return ()

    def drop_statement(self, if_exists: str = "") -> str:
        """The statement that drops the object without its helpers; `if_exists` is empty or `IF EXISTS `."""
        return f"DROP {self.noun} {if_exists}{self.ident} CASCADE"

    def removal_statements(self, if_exists: str = "") -> Statements:
        """The statements that remove it and its helpers."""
        return self.drop_statement(if_exists), *(drop_helper(helper) for helper in reversed(self.helpers))

    def create(self) -> Fragment:
        return run(*self.create_statements(), *self.owner_statements())

    def clear(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS ")) if len(self.create_statements() + self.owner_statements()) > 1 else ""

    def destroy(self) -> Fragment:
        return run(*self.removal_statements())

    # The supporting table.

    @property
    def supporting_table(self) -> str:
        """The name of a table of its own that depends on the object it refers to."""
        return self.qualified(f"{self.name}_table")

    def create_supporting_table(self, columns: str = "", using: str = "", tablespace: str = "") -> Statements:
        """The statements that make the supporting table, with further columns (a comma before each) and other clauses."""
        base = self.base
        stored = f"{using or base.using}{tablespace or base.tablespace}"
        create = f"CREATE TABLE {self.supporting_table} ({rows.COLUMNS}{base.column}{columns}){stored}"
        return create, rows.fill(self.supporting_table), *owner_statement(base.role, f"TABLE {self.supporting_table}")

    @property
    def query(self) -> str:
        """A SELECT of text columns a and b, in groups of ten, that depends on the object it refers to."""
        base = self.base
        if base.relation:
            return f"SELECT a, b FROM {base.relation}"
        also = f", {base.expression} AS c" if base.expression else ""
        return f"SELECT 'x'::text AS a, 'b' || i AS b{also} FROM generate_series(0, {rows.GROUP - 1}) AS i"


def drop_helper(helper: str) -> str:
    """A helper may have gone with what it stood on."""
    noun, _, name = helper.rpartition(" ")
    return f"DROP {noun} IF EXISTS {name} CASCADE"


def owner_statement(role: str | None, thing: str) -> Statements:
    """The statement that makes a role the owner of a thing (noun and name); none without a role."""
    return (f"ALTER {thing} OWNER TO {role}",) if role else ()


class _NoBase(PostgresKind):
    """Nothing, over which nothing is built."""

    @property
    def table_owner(self) -> str | None:
        return None


NO_BASE = _NoBase("")
"""The base of an object that is built over none."""
