"""Which defects are switched on, and what each of them has to remember from one statement to the next."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterable, Iterator

from racehound.errors import UserError
from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import State
from racehound_zoo.defects.registry import DEFECTS
from racehound_zoo.errors import SqlError

_WINDOW_MAX = 0.03
"""The longest time, in seconds, that a statement with a defect waits between reading the catalog and changing it."""
_ALONE = 0.003
"""The time, in seconds, after which a statement stops waiting when no other statement runs: there is nothing to race with."""


class Switches:
    """The defects that are switched on in one server. UserError for a name that no defect has."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._on = frozenset(names)
        unknown = sorted(self._on - {defect.name for defect in DEFECTS})
        if unknown:
            raise UserError(f"{unknown[0]!r} is no defect of the zoo: {', '.join(defect.name for defect in DEFECTS)}")
        self._random = random.Random(1)
        self._lock = threading.Lock()
        self._started = threading.Condition(self._lock)
        self._running = 0
        self._thread = threading.local()
        self._locks: dict[str, threading.Lock] = {}
        self._reserved: set[tuple[str, str]] = set()
        self._stale: dict[tuple[str, str], Item] = {}

    @property
    def any_on(self) -> bool:
        return bool(self._on)

    def on(self, name: str) -> bool:
        """See `SeededDefects`."""
        return name in self._on

    def window(self, longest: float | None = None) -> None:
        """See `SeededDefects`."""
        began = time.monotonic()
        with self._started:
            pause = self._random.uniform(0.0, _WINDOW_MAX if longest is None else longest)
            is_statement = getattr(self._thread, "runs_statement", False)
            if is_statement and not self._started.wait_for(lambda: self._running > 1, min(pause, _ALONE)):
                return
        time.sleep(max(0.0, began + pause - time.monotonic()))

    @contextlib.contextmanager
    def running_statement(self) -> Iterator[None]:
        """See `SeededDefects`. A statement that another statement contains is not counted."""
        within = getattr(self._thread, "runs_statement", False)
        if not self._on or within:
            yield
            return
        with self._started:
            self._running += 1
            self._started.notify_all()
        self._thread.runs_statement = True
        try:
            yield
        finally:
            self._thread.runs_statement = False
            with self._started:
                self._running -= 1

    # deadlock

    def object_lock(self, name: str) -> threading.Lock:
        """The lock of one object."""
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    # name-taken

    def reserve_name(self, schema: str, name: str) -> None:
        """A creation of this name has failed: keep the name from being used again."""
        self._reserved.add((schema, name))

    def refuse_reserved_name(self, schema: str, name: str) -> None:
        """See `SeededDefects`."""
        if (schema, name) in self._reserved:
            raise SqlError(f"catalog item '{name}' already exists")

    # ghost-relation

    def keep_index_of(self, item: Item) -> None:
        """The item is dropped: an index on it stays."""
        self._stale[item.schema, item.name] = item

    def stale_index_on(self, item: Item) -> Item | None:
        """See `SeededDefects`."""
        found = self._stale.get((item.schema, item.name))
        return found if found is not None and found.id != item.id else None

    # lost-write

    def loses_write(self, catalog: Catalog, table: Item) -> bool:
        """See `SeededDefects`. It happens when the table, or what depends on it, changes within the window."""
        if not self.on("lost-write"):
            return False
        dependents = _dependents(catalog.state, table.id)
        self.window()
        now = catalog.state.item(table.id)
        return now is not None and (now is not table or _dependents(catalog.state, table.id) != dependents)

    # orphaned-subscription

    def orphans_subscription(self, catalog: Catalog, revision: int) -> bool:
        """See `SeededDefects`. It happens when the catalog changes within the window."""
        if not self.on("orphaned-subscription"):
            return False
        self.window()
        return catalog.state.revision != revision


def _dependents(state: State, key: str) -> set[str]:
    return {item.id for item in state.items.values() if key in item.uses}
