"""The seeded defects as the engine gets them."""

from __future__ import annotations

from racehound_zoo.defect_hooks import CatalogChange, ChangeResult
from racehound_zoo.defects.racy_change import RacyChange
from racehound_zoo.defects.switches import Switches


class EnabledDefects(Switches):
    """A `SeededDefects`: the defects of these names are switched on. UserError for a name that no defect has."""

    def change_catalog(self, change: CatalogChange) -> ChangeResult:
        """See `SeededDefects`."""
        return RacyChange(self, change).run() if self.any_on else change.execute()
