"""What PostgreSQL's kinds have in common: names, facets, and how an object uses the one it refers to.

Facets are what an object offers to those built over it. Each has a default, so that every kind works over every referable kind
and over none. A dependent uses as many as make sense, so that its creation records a dependency in the catalog; a kind that needs
a table, over an object that is none, makes one of its own that depends on that object: the carrier.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.text import Statements, run
from racehound.kinds.kind import Fragment, Kind


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
    """Whether it lives in a schema."""
    in_cluster: ClassVar[bool] = False
    """Whether all databases of the cluster share its name."""

    # Facets: what it offers to those built over it.

    @property
    def home(self) -> str:
        """The schema in which dependents create themselves."""
        return self.base.home if self.refers_to else "public"

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
        """The object that this one is built over, or one without any facet."""
        return self.refers_to or ROOT

    @property
    def schema(self) -> str:
        """The schema in which it creates itself and its helpers."""
        return self.base.home

    def inside(self, name: str, schema: str | None = None) -> str:
        """A name as statements spell it that work wherever the search path is the default one."""
        schema = schema or self.schema
        return name if schema == "public" else f"{schema}.{name}"

    def shared(self, suffix: str = "") -> str:
        """The name of something that all databases of the cluster share, the object itself or a helper."""
        return f"${{racehound.run}}_{self.name}{suffix}"

    def label(self, suffix: str = "") -> str:
        """The object's name, or the name it bears for a while, as after RENAME TO."""
        return self.shared(suffix) if self.in_cluster else f"{self.name}{suffix}"

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:
        """The object as ALTER, DROP and COMMENT spell it after its noun, while it has another name or schema."""
        return self.inside(self.label(suffix), schema) if self.in_schema else self.label(suffix)

    @property
    def ident(self) -> str:
        """The object in its normal state, as SQL spells it after its noun."""
        return self.spelling()

    # Its life.

    @property
    def helpers(self) -> tuple[str, ...]:
        """What else it makes, noun and name, the first made first."""
        return ()

    def building(self) -> Statements:
        """The statements that make it."""
        raise NotImplementedError

    def adoption(self) -> Statements:
        """The statements that give it to the role that it is built over."""
        return ()

    def dropping(self, maybe: str = "") -> str:
        """The statement that drops the object without its helpers; `maybe` is empty or `IF EXISTS `."""
        return f"DROP {self.noun} {maybe}{self.ident} CASCADE"

    def razing(self, maybe: str = "") -> Statements:
        """The statements that remove it and its helpers."""
        return self.dropping(maybe), *(drop_helper(helper) for helper in reversed(self.helpers))

    def create(self) -> Fragment:
        return run(*self.building(), *self.adoption())

    def clear(self) -> Fragment:
        return run(*self.razing("IF EXISTS ")) if len(self.building() + self.adoption()) > 1 else ""

    def destroy(self) -> Fragment:
        return run(*self.razing())

    # The carrier.

    @property
    def carrier(self) -> str:
        """The name of a table of its own that depends on the object it refers to."""
        return self.inside(f"{self.name}_table")

    def carrying(self, columns: str = "", using: str = "", tablespace: str = "") -> Statements:
        """The statements that make the carrier, with further columns (a comma before each) and other clauses if given."""
        base = self.base
        stored = f"{using or base.using}{tablespace or base.tablespace}"
        create = f"CREATE TABLE {self.carrier} ({rows.COLUMNS}{base.column}{columns}){stored}"
        return create, rows.fill(self.carrier), *given_to(base.role, f"TABLE {self.carrier}")

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


def given_to(role: str | None, thing: str) -> Statements:
    """The statement that makes a role the owner of a thing (noun and name); none without a role."""
    return (f"ALTER {thing} OWNER TO {role}",) if role else ()


ROOT = PostgresKind("")
"""What an object stands on that refers to none."""
