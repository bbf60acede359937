"""Comments."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import CONSTANT, MaterializeKind
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect_none, run
from racehound.kinds.kind import Fragment, Manipulations, changes


@dataclasses.dataclass(frozen=True)
class Comment(MaterializeKind):
    """A comment on the base, or on a view of its own where the base has no noun. Verified: what it is on is there."""

    can_be_referenced: ClassVar[bool] = False
    weight: ClassVar[int] = 18
    manipulations: ClassVar[Manipulations] = {
        "change": ("change", "restore") * TIMES,
        "remove_and_set": ("remove", "restore") * TIMES,
    }

    @property
    def view(self) -> str:
        return self.qualified(f"{self.name}_view")

    @property
    def on(self) -> str:
        """What it is on, after its noun."""
        return f"{self.base.noun} {self.base.ident}" if self.base.noun else f"VIEW {self.view}"

    def _commenting(self, text: str) -> str:
        return f"COMMENT ON {self.on} IS {text}"

    def create_statements(self) -> Statements:
        view = () if self.base.noun else (f"CREATE VIEW {self.view} AS {CONSTANT}",)
        return *view, self._commenting(f"'{self.name}'")

    def owner_statements(self) -> Statements:
        return ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        return (self._commenting("NULL"),) if self.base.noun else (f"DROP VIEW {if_exists}{self.view} CASCADE",)

    @changes
    def change(self) -> Fragment:
        return run(self._commenting(f"'{self.name}, changed'"))

    @changes
    def restore(self) -> Fragment:
        return run(self._commenting(f"'{self.name}'"))

    @changes
    def remove(self) -> Fragment:
        return run(self._commenting("NULL"))

    def verify(self) -> Fragment:
        """Clusters and roles are in no list of objects, and an id with which a comment is left alone is the catalog's own."""
        known = "SELECT id FROM mz_catalog.mz_objects UNION ALL SELECT id FROM mz_catalog.mz_roles"
        more = "UNION ALL SELECT id FROM mz_catalog.mz_clusters UNION ALL SELECT id FROM mz_catalog.mz_schemas"
        most = "UNION ALL SELECT id FROM mz_catalog.mz_databases"
        return expect_none(
            f"SELECT id, object_type FROM mz_internal.mz_comments WHERE comment LIKE '{self.name}%' AND id NOT IN "
            f"({known} {more} {most})"
        )
