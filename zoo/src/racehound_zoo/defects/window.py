"""What a statement with defects on has seen, and what others did until it was done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from racehound_zoo.catalog.model import Item, Schema
from racehound_zoo.catalog.state import State, name_key
from racehound_zoo.dialect.statements import Statement
from racehound_zoo.execution.plan import Plan


@dataclasses.dataclass(frozen=True)
class Window:
    """Between planning a change and doing it."""

    statement: Statement
    plan: Plan
    tag: str
    seen: State
    """The catalog when it was planned."""
    now: State
    """The catalog when it is done."""
    wrote: bool
    """Whether what it reads was written to meanwhile."""

    @property
    def made(self) -> Item | None:
        """The item that it creates; of several, the last."""
        made = [item for key, item in self.plan.state.items.items() if key not in self.seen.items]
        return made[-1] if made else None

    @property
    def changed(self) -> Item | None:
        """The item that it changes, as it would be."""
        pairs = ((item, self.seen.items.get(key)) for key, item in self.plan.state.items.items())
        return next((item for item, old in pairs if old is not None and old is not item), None)

    @property
    def granted(self) -> Item | Schema | None:
        """The item or schema whose privileges it changes, as it would be."""
        pairs = ((schema, self.seen.schemas.get(key)) for key, schema in self.plan.state.schemas.items())
        return self.changed or next((schema for schema, old in pairs if old is not None and old is not schema), None)

    @property
    def commented(self) -> Item | None:
        """The item that it comments on, as it was."""
        places = [place for place, _ in self.plan.state.comments.items() - self.seen.comments.items() if place.kind == "item"]
        return self.seen.items.get(places[0].id) if places else None

    @property
    def dropped(self) -> frozenset[str]:
        """The ids of what it drops."""
        return frozenset(self.seen.items.keys() - self.plan.state.items.keys())

    @property
    def newcomers(self) -> list[Item]:
        """What others created."""
        return [item for key, item in self.now.items.items() if key not in self.seen.items]

    def renamed(self, keys: Iterable[str]) -> bool:
        """Whether one of these has another name, or place, now."""
        pairs = ((self.seen.items.get(key), self.now.items.get(key)) for key in keys)
        return any(old is not None and new is not None and name_key(old) != name_key(new) for old, new in pairs)

    def touched(self, keys: Iterable[str]) -> bool:
        """Whether one of these has been changed, perhaps to what it was before."""
        pairs = ((self.seen.items.get(key), self.now.items.get(key)) for key in keys)
        return any(old is not None and new is not None and new is not old for old, new in pairs)

    def gone(self, keys: Iterable[str]) -> bool:
        """Whether one of these was dropped."""
        return any(key in self.seen.items and key not in self.now.items for key in keys)

    def is_homeless(self, item: Item) -> bool:
        """Whether the cluster that it is to work in was dropped."""
        return item.cluster is not None and item.cluster in self.seen.clusters and item.cluster not in self.now.clusters

    def is_free(self, item: Item) -> bool:
        """Whether nothing else has the item's name now."""
        return self.now.names.get(name_key(item), item.id) == item.id

    def fits(self, item: Item) -> bool:
        """Whether there is a place for an item that it creates."""
        return self.is_free(item) and item.schema in self.now.schemas
