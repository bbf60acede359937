"""What Materialize's kinds have in common: names, what an object offers to its dependents, and how it uses the object below.

The dependents of an object are the objects that are built over it. Each property of what it offers them has a default, so that
every kind works over every kind that can be referenced, and over none. Over an object that is no relation, dependents take what
else it offers: its cluster, schema or ownership.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.text import Statements, expect_none, run
from racehound.kinds.kind import Fragment, Kind

CLUSTER = "quickstart"
"""The cluster that every environment has."""
SCHEMA = "public"
CONSTANT = "SELECT 'foo' AS a, 'bar' AS b"
"""What relations hold that are built over none."""


@dataclasses.dataclass(frozen=True)
class MaterializeKind(Kind):
    """An object of an environment. Subclasses say how it is built; create, clear and destroy follow from that.

    Relations that are built over relations have the greatest weights, since only operations of objects that are built over each
    other conflict.
    """

    refers_to: MaterializeKind | None = None

    rarely_idle: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset()
    """Services and features without which the kind makes no sense, as the target names them."""
    noun: ClassVar[str] = ""
    """What SQL calls it: `TABLE`, `MATERIALIZED VIEW`."""
    in_environment: ClassVar[bool] = False
    """Whether all databases share its name: then it begins with the run's id."""

    # What it offers to its dependents.

    @property
    def relation(self) -> str | None:
        """Something to select from."""
        return None

    @property
    def columns(self) -> str:
        """What to select from it: all, unless it gets further columns while it exists."""
        return "*"

    @property
    def key(self) -> str:
        """A column of the relation that an index can have as its key."""
        return "a"

    @property
    def only_grows(self) -> bool:
        """Whether no row of the relation ever changes or goes."""
        return True

    @property
    def constant(self) -> bool:
        """Whether the relation holds the one row `foo`, `bar` and nothing else, always."""
        return False

    @property
    def time_advances(self) -> bool:
        """Whether the relation's time goes on, so that who follows it hears of it for ever."""
        return True

    @property
    def difference(self) -> str | None:
        """A query for the rows by which the relation differs from what it is defined as; none, in any snapshot."""
        return None

    @property
    def sinkable(self) -> bool:
        """Whether sinks can be made from the relation itself: something stores it, and all its columns can be encoded."""
        return True

    @property
    def cluster(self) -> str:
        """The cluster that does the work of dependents."""
        return self.base.cluster if self.refers_to else CLUSTER

    @property
    def dependents_schema(self) -> str:
        """The schema in which dependents create themselves."""
        return self.base.dependents_schema if self.refers_to else SCHEMA

    @property
    def role(self) -> str | None:
        """A role that dependents shall belong to."""
        return None

    @property
    def secret(self) -> str | None:
        """A secret that connections can name."""
        return None

    @property
    def kafka(self) -> str:
        """The connection to Kafka that dependents use."""
        return self.base.kafka if self.refers_to else "kafka_conn"

    # Names.

    @property
    def base(self) -> MaterializeKind:
        """The object that this one is built over, or one that offers nothing."""
        return self.refers_to or NO_BASE

    def qualified(self, name: str) -> str:
        """A name of the schema that this object is in, as statements spell it whose search path is the default one."""
        dependents_schema = self.base.dependents_schema
        return name if dependents_schema == SCHEMA else f"{dependents_schema}.{name}"

    @property
    def place(self) -> tuple[str, str]:
        """The database and the schema that this object is in."""
        database, _, schema = self.base.dependents_schema.rpartition(".")
        return database or "${racehound.database}", schema

    def shared_name(self, suffix: str = "") -> str:
        """The name of something that all databases share, the object itself or a helper."""
        return f"${{racehound.run}}_{self.name}{suffix}"

    def bare_name(self, suffix: str = "") -> str:
        """The object's name, or the name that it bears for a while, as after RENAME TO."""
        return self.shared_name(suffix) if self.in_environment else f"{self.name}{suffix}"

    def spelling(self, suffix: str = "") -> str:
        """The object as statements spell it after its noun, while its name has that suffix."""
        return self.bare_name(suffix) if self.in_environment else self.qualified(self.bare_name(suffix))

    @property
    def ident(self) -> str:
        """The object in its normal state, as SQL spells it."""
        return self.spelling()

    # Its operations.

    @property
    def query(self) -> str:
        """A SELECT from the object it refers to, or of a constant where that is no relation."""
        return f"SELECT {self.base.columns} FROM {self.base.relation}" if self.base.relation else CONSTANT

    @property
    def in_cluster(self) -> str:
        """The clause of what goes to the session's cluster without it: empty unless the object refers to a cluster."""
        return "" if self.base.cluster == CLUSTER else f"IN CLUSTER {self.base.cluster} "

    def create_statements(self) -> Statements:
        """The statements that make it."""
        raise NotImplementedError

    def owner_statements(self) -> Statements:
        """The statement that gives it to the role that it is built over."""
        return (f"ALTER {self.noun} {self.ident} OWNER TO {self.base.role}",) if self.base.role else ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        """The statements that remove it and its helpers; `if_exists` is empty or `IF EXISTS `."""
        return (f"DROP {self.noun} {if_exists}{self.ident} CASCADE",)

    def create(self) -> Fragment:
        return run(*self.create_statements(), *self.owner_statements())

    def clear(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS ")) if len(self.create_statements() + self.owner_statements()) > 1 else ""

    def destroy(self) -> Fragment:
        return run(*self.removal_statements())

    def verify_catalog(self) -> Fragment:
        """No two items of the database have its name in one schema, none has an owner or a schema that nobody knows."""
        named = f"o.name = '{self.name}' AND o.type = '{self.noun.lower().replace(' ', '-')}'"
        return expect_none(
            "SELECT o.name, count(*) FROM mz_catalog.mz_objects AS o "
            "JOIN mz_catalog.mz_schemas AS s ON s.id = o.schema_id JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id "
            f"WHERE d.name = '${{racehound.database}}' AND {named} GROUP BY s.id, o.name HAVING count(*) > 1"
        ) + expect_none(
            f"SELECT o.id FROM mz_catalog.mz_objects AS o WHERE {named} AND (o.owner_id NOT IN "
            "(SELECT id FROM mz_catalog.mz_roles) OR o.schema_id NOT IN (SELECT id FROM mz_catalog.mz_schemas))"
        )


def unlike(one: str, other: str) -> str:
    """A query for the rows that one of two queries returns and the other does not, as often; both see the same moment."""
    return f"({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})"


NO_BASE = MaterializeKind("")
"""What objects are built over that refer to none."""
