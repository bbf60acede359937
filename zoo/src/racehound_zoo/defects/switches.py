"""Which defects are on, and what those that are on have to remember."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterable, Iterator

from racehound.errors import UserError
from racehound_zoo.catalog.model import Item
from racehound_zoo.defects.registry import DEFECTS
from racehound_zoo.errors import SqlError

_WINDOW_MAX = 0.03
"""Seconds: how long, at most, a statement with a defect on is open to others between what it saw and what it does."""
_ALONE = 0.003
"""Seconds that a statement waits for others where none is under way: there is nobody to race with."""


class Switches:
    """Of one server. UserError for a name that is no defect's."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._on = frozenset(names)
        unknown = sorted(self._on - {defect.name for defect in DEFECTS})
        if unknown:
            raise UserError(f"{unknown[0]!r} is no defect of the zoo: {', '.join(defect.name for defect in DEFECTS)}")
        self._draw = random.Random(1)
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._under_way = 0
        self._mine = threading.local()
        self._locks: dict[str, threading.Lock] = {}
        self._taken: set[tuple[str, str]] = set()
        self._ghosts: dict[tuple[str, str], Item] = {}

    @property
    def any_on(self) -> bool:
        return bool(self._on)

    def on(self, name: str) -> bool:
        return name in self._on

    def window(self, longest: float = _WINDOW_MAX) -> None:
        """Be open to others for a moment, of so many seconds at most: the race itself."""
        began = time.monotonic()
        with self._came:
            pause = self._draw.uniform(0.0, longest)
            is_statement = getattr(self._mine, "under_way", False)
            if is_statement and not self._came.wait_for(lambda: self._under_way > 1, min(pause, _ALONE)):
                return
        time.sleep(max(0.0, began + pause - time.monotonic()))

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """While a statement is, whose like the defects are about."""
        within = getattr(self._mine, "under_way", False)
        if not self._on or within:
            yield
            return
        with self._came:
            self._under_way += 1
            self._came.notify_all()
        self._mine.under_way = True
        try:
            yield
        finally:
            self._mine.under_way = False
            with self._came:
                self._under_way -= 1

    # deadlock

    def object_lock(self, name: str) -> threading.Lock:
        """The lock of one object."""
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    # name-taken

    def take_name(self, schema: str, name: str) -> None:
        self._taken.add((schema, name))

    def refuse_taken(self, schema: str, name: str) -> None:
        """SqlError where a failed creation has left its name behind."""
        if (schema, name) in self._taken:
            raise SqlError(f"catalog item '{name}' already exists")

    # ghost-relation

    def haunt(self, item: Item) -> None:
        """An index on it outlives it."""
        self._ghosts[item.schema, item.name] = item

    def ghost(self, item: Item) -> Item | None:
        """What had the item's name before it, and has an index still."""
        found = self._ghosts.get((item.schema, item.name))
        return found if found is not None and found.id != item.id else None
