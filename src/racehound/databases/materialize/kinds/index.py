"""Indexes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import MaterializeKind, unlike
from racehound.databases.materialize.kinds.shared_operations import Renamed
from racehound.databases.materialize.kinds.text import Statements, expect_none
from racehound.kinds.kind import Fragment


class IndexLike(MaterializeKind):
    """It is built over a relation, and what is read through it must be what the relation's own query says."""

    noun: ClassVar[str] = "INDEX"
    can_be_referenced: ClassVar[bool] = False

    @property
    def index(self) -> str:
        """Its name without a schema."""
        return self.name

    @property
    def compared(self) -> str | None:
        """A query for the rows by which an answer from the index differs from one without it."""
        return self.base.difference

    def verify(self) -> Fragment:
        """No index of that name is in another cluster (which may have another name just now) or on what there is not."""
        dependents_schema = (
            "JOIN mz_catalog.mz_relations AS r ON r.id = i.on_id JOIN mz_catalog.mz_schemas AS s ON s.id = r.schema_id JOIN "
            "mz_catalog.mz_databases AS d ON d.id = s.database_id LEFT JOIN mz_catalog.mz_clusters AS c ON c.id = i.cluster_id"
        )
        named = f"d.name = '{self.place[0]}' AND i.name = '{self.index}'"
        astray = f"(c.name IS NULL OR c.name NOT LIKE '{self.base.cluster}%')"
        return (
            expect_none(f"SELECT i.id, c.name FROM mz_catalog.mz_indexes AS i {dependents_schema} WHERE {named} AND {astray}")
            + expect_none(
                f"SELECT i.id FROM mz_catalog.mz_indexes AS i WHERE i.name = '{self.index}' "
                "AND i.on_id NOT IN (SELECT id FROM mz_catalog.mz_relations)"
            )
            + (expect_none(self.compared) if self.compared else "")
        )


@dataclasses.dataclass(frozen=True)
class DefaultIndex(IndexLike):
    """The default index of the base; over nothing that can be indexed, nothing. Verified: place and answer are right."""

    weight: ClassVar[int] = 8

    @property
    def index(self) -> str:
        return f"{(self.base.relation or '').rpartition('.')[2]}_primary_idx"

    def create_statements(self) -> Statements:
        return (f"CREATE DEFAULT INDEX {self.in_cluster}ON {self.base.relation}",) if self.base.relation else ()

    def owner_statements(self) -> Statements:
        """It belongs to the relation's owner."""
        return ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        return (f"DROP INDEX {if_exists}{self.base.relation}_primary_idx",) if self.base.relation else ()

    def verify(self) -> Fragment:
        return super().verify() if self.base.relation else ""


@dataclasses.dataclass(frozen=True)
class Index(Renamed, IndexLike):
    """An index with a key, on the base or on a view of it. Verified: place and answer are right."""

    on: Literal["base", "view"] = "view"

    short: ClassVar[str] = "idx"
    weight: ClassVar[int] = 20

    @property
    def view(self) -> str:
        """A view of its own, where the index is on one."""
        return self.qualified(f"{self.name}_view")

    @property
    def own_view(self) -> bool:
        return self.on == "view" or self.base.relation is None

    def spelling(self, suffix: str = "") -> str:
        """It is in the schema of what it is on."""
        if self.own_view or self.base.relation is None:
            return super().spelling(suffix)
        schema, dot, _ = self.base.relation.rpartition(".")
        return f"{schema}{dot}{self.bare_name(suffix)}"

    @property
    def compared(self) -> str | None:
        return unlike(f"SELECT * FROM {self.view}", self.query) if self.own_view else self.base.difference

    def create_statements(self) -> Statements:
        indexed = self.view if self.own_view else self.base.relation
        created = f"CREATE INDEX {self.name} IN CLUSTER {self.base.cluster} ON {indexed} ({self.base.key})"
        return (f"CREATE VIEW {self.view} AS {self.query}", created) if self.own_view else (created,)

    def owner_statements(self) -> Statements:
        return ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        """An index goes with what it is on, which another session may have dropped; a view of its own goes last."""
        index = f"DROP INDEX {if_exists}{self.ident}"
        return (index, f"DROP VIEW {if_exists}{self.view} CASCADE") if self.own_view else (index,)
