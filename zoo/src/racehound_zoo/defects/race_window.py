"""The catalog before and after the window in which other sessions could change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from racehound_zoo.catalog.model import Item, Schema
from racehound_zoo.catalog.state import State, name_key
from racehound_zoo.defect_hooks import PlannedChange
from racehound_zoo.dialect.statements import Statement


@dataclasses.dataclass(frozen=True)
class RaceWindow:
    """The time between planning a change and installing it."""

    statement: Statement
    planned: PlannedChange
    seen: State
    """The catalog when the change was planned."""
    now: State
    """The catalog when the change is to be installed."""
    wrote: bool
    """Whether the relations that the change reads were written within the window."""

    @property
    def created(self) -> Item | None:
        """The item that the statement creates; of several, the last."""
        created = [item for key, item in self.planned.state.items.items() if key not in self.seen.items]
        return created[-1] if created else None

    @property
    def changed(self) -> Item | None:
        """The item that the statement changes, as it would be afterwards."""
        pairs = ((item, self.seen.items.get(key)) for key, item in self.planned.state.items.items())
        return next((item for item, old in pairs if old is not None and old is not item), None)

    @property
    def granted(self) -> Item | Schema | None:
        """The item or schema whose privileges the statement changes, as it would be afterwards."""
        pairs = ((schema, self.seen.schemas.get(key)) for key, schema in self.planned.state.schemas.items())
        return self.changed or next((schema for schema, old in pairs if old is not None and old is not schema), None)

    @property
    def commented(self) -> Item | None:
        """The item that the statement comments on, as it was before."""
        new = self.planned.state.comments.items() - self.seen.comments.items()
        keys = [subject.id for subject, _ in new if subject.kind == "item"]
        return self.seen.items.get(keys[0]) if keys else None

    @property
    def dropped(self) -> frozenset[str]:
        """The ids of the items that the statement drops."""
        return frozenset(self.seen.items.keys() - self.planned.state.items.keys())

    @property
    def created_by_others(self) -> list[Item]:
        """The items that other sessions created within the window."""
        return [item for key, item in self.now.items.items() if key not in self.seen.items]

    def renamed(self, keys: Iterable[str]) -> bool:
        """Whether one of these items has another name or schema now."""
        pairs = ((self.seen.items.get(key), self.now.items.get(key)) for key in keys)
        return any(old is not None and new is not None and name_key(old) != name_key(new) for old, new in pairs)

    def touched(self, keys: Iterable[str]) -> bool:
        """Whether one of these items was changed, even if it was changed back to what it was before."""
        pairs = ((self.seen.items.get(key), self.now.items.get(key)) for key in keys)
        return any(old is not None and new is not None and new is not old for old, new in pairs)

    def gone(self, keys: Iterable[str]) -> bool:
        """Whether one of these items was dropped."""
        return any(key in self.seen.items and key not in self.now.items for key in keys)

    def lost_cluster(self, item: Item) -> bool:
        """Whether the cluster that the item is to run in was dropped."""
        return item.cluster is not None and item.cluster in self.seen.clusters and item.cluster not in self.now.clusters

    def is_free(self, item: Item) -> bool:
        """Whether no other item has the item's name now."""
        return self.now.names.get(name_key(item), item.id) == item.id

    def fits(self, item: Item) -> bool:
        """Whether the item can be added: its name is free, and its schema exists."""
        return self.is_free(item) and item.schema in self.now.schemas
