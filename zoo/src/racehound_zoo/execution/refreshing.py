"""Refreshes materialized views that have a schedule."""

from __future__ import annotations

import threading
import time

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Item, QueryDefinition
from racehound_zoo.catalog.state import State
from racehound_zoo.dialect.session_statements import seconds
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.rendering import reads_system
from racehound_zoo.log import Log
from racehound_zoo.storage import Storage

_IDLE = 3600.0


class Refresher:
    """A thread that refreshes all of them. It sleeps until the next refresh is due or another view is created."""

    def __init__(self, catalog: Catalog, storage: Storage, log: Log) -> None:
        self._log = log
        self._catalog = catalog
        self._storage = storage
        self._done: dict[str, int] = {}
        self._changed = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="zoo-refresh", daemon=True)
        catalog.watch(self._follow)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self, before: State, after: State) -> None:
        if any(item.is_refreshed_on_schedule for item in after.items.values() if item.id not in before.items):
            self._changed.set()

    def _run(self) -> None:
        while not self._stopped:
            self._changed.clear()
            now = int(time.time() * 1000)
            due = [self._refresh(item, now) for item in self._scheduled()]
            pause = min([_IDLE, *((each - now) / 1000 for each in due if each is not None)])
            self._changed.wait(max(0.001, pause))

    def _scheduled(self) -> list[Item]:
        """The views to refresh. A view that reads system relations is not among them: it is rendered for each query."""
        state = self._catalog.state
        return [item for item in state.items.values() if item.is_refreshed_on_schedule and not reads_system(state, item.uses)]

    def _require(self, item: Item) -> None:
        if self._catalog.state.item(item.id) is None:
            raise _DroppedError

    def _refresh(self, item: Item, now: int) -> int | None:
        """Refresh the view if that is due. Returns the time of the next refresh, None if there is none."""
        assert isinstance(item.definition, QueryDefinition)
        last, following = _around(item.definition, now)
        if last is not None and self._done.get(item.id, 0) < last:
            self._done[item.id] = last
            try:
                self._storage.refill(item.id, lambda: self._require(item))
            except _DroppedError:
                return None
            except SqlError as error:
                self._log.write("WARN", f"{item.name} ({item.id}) is not refreshed: {error.message}")
        return following


class _DroppedError(Exception):
    pass


def _around(definition: QueryDefinition, now: int) -> tuple[int | None, int | None]:
    """The time of the last refresh that was due until now and that of the next one, in milliseconds since 1970."""
    before, after = [], []
    for refresh in definition.refreshes:
        if refresh.strategy == "EVERY":
            period = max(1, int(seconds(refresh.text) * 1000))
            aligned = int(refresh.aligned_to or 0)
            last = aligned + (now - aligned) // period * period
            before.append(last)
            after.append(last + period)
        elif refresh.text.isdigit():
            (before if int(refresh.text) <= now else after).append(int(refresh.text))
    return max(before, default=None), min(after, default=None)
