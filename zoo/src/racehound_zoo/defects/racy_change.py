"""Executes a change of the catalog with defects on: it is planned before the catalog's lock is taken.

Between planning and installing there is a window of random length. Each defect that is on compares the catalog before and
after that window. If what other sessions did is what the defect needs, the defect takes effect (`effects`). If no defect takes
effect, the statement is planned again and executed under the lock.
"""

from __future__ import annotations

import threading

from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.defect_hooks import CatalogChange, ChangeResult
from racehound_zoo.defects.effects import EFFECTS, EXPOSED
from racehound_zoo.defects.race_window import RaceWindow
from racehound_zoo.defects.switches import Switches
from racehound_zoo.dialect import parts
from racehound_zoo.dialect import statements as s
from racehound_zoo.errors import SqlError

_POLL = 0.05
"""The time, in seconds, after which a statement that waits without end checks whether its client still waits for it."""


class RacyChange:
    """The execution of one statement."""

    def __init__(self, switches: Switches, change: CatalogChange) -> None:
        self._switches = switches
        self._change = change
        self._catalog = change.catalog
        self._storage = change.storage
        self._on = switches.on

    def run(self) -> ChangeResult:
        """Execute the statement. SqlError when it is refused, PanicError when a defect makes the server panic."""
        locks = self._lock_in_order() if self._on("deadlock") else []
        try:
            return self._run()
        finally:
            for lock in locks:
                lock.release()

    def _run(self) -> ChangeResult:
        statement = self._change.statement
        if isinstance(statement, s.AddColumn | s.ApplyReplacement):
            # These change the storage in a way that cannot be undone, so they are executed once, without a race.
            return self._change.execute()
        seen = self._catalog.state
        planned = self._change.plan(seen)
        read = planned.state.stored_inputs(*(used for key in planned.created for used in planned.state.known(key).uses))
        before = self._storage.changed(read)
        if self._on("wrong-snapshot") and isinstance(statement, s.CreateMaterializedView) and planned.created:
            self._storage.keep_copy(planned.created[-1])
        if self._is_exposed(RaceWindow(statement, planned, seen, seen, wrote=False)):
            self._switches.window()
        with self._catalog.changing():
            wrote = self._storage.changed(read) > before
            window = RaceWindow(statement, planned, seen, self._catalog.state, wrote=wrote)
            result = self._effect(window)
        if result is not None:
            return result
        planned.undo()
        if self._on("hanging-drop") and any(window.dropped & {*item.uses} for item in window.created_by_others):
            self._wait_until_interrupted()
        return self._plan_again(window)

    def _is_exposed(self, window: RaceWindow) -> bool:
        return any(self._on(name) and exposed(window) for name, exposed in EXPOSED.items())

    def _effect(self, window: RaceWindow) -> ChangeResult | None:
        """The result of the first defect that takes effect; None if none does."""
        for name, effect in EFFECTS.items():
            state = effect(self._storage, self._switches, window) if self._on(name) else None
            if state is not None:
                window.planned.state = state
                return window.planned.install()
        return None

    def _plan_again(self, window: RaceWindow) -> ChangeResult:
        """Execute the statement under the lock. Two defects depend on how that ends."""
        created = window.created
        with self._catalog.changing():
            try:
                result = self._change.execute()
            except SqlError:
                if created is not None and self._on("name-taken"):
                    self._switches.reserve_name(created.schema, created.name)
                raise
            if created is not None and created.kind == "materialized view" and self._on("stale-view"):
                self._freeze(window, created)
        return result

    def _freeze(self, window: RaceWindow, created: Item) -> None:
        """If an input of the new view was changed within the window, the view never changes again."""
        key = self._catalog.state.names.get((created.schema, "item", created.name, None))
        if key is not None and window.touched([*created.uses, *window.seen.stored_inputs(*created.uses)]):
            self._storage.replace_by_copy(key)

    def _wait_until_interrupted(self) -> None:
        never = threading.Event()
        while not self._change.interrupted():
            never.wait(_POLL)
        raise _cancelled()

    # deadlock

    def _lock_in_order(self) -> list[threading.Lock]:
        """Lock the objects that the statement names, then those that it affects; another statement may use the reverse order."""
        taken: list[threading.Lock] = []
        for name in self._objects(self._change.statement, self._change.scope):
            lock = self._switches.object_lock(name)
            while not lock.acquire(timeout=_POLL):
                if self._change.interrupted():
                    for each in taken:
                        each.release()
                    raise _cancelled()
            taken.append(lock)
            self._switches.window()
        return taken

    def _objects(self, statement: s.Statement, scope: Scope) -> list[str]:
        state = self._catalog.state
        if isinstance(statement, s.Swap):
            return list(dict.fromkeys((f"{statement.kind} {statement.name[-1]}", f"{statement.kind} {statement.other}")))
        if isinstance(statement, s.Drop) and statement.cascade:
            named = [item.id for item in (_found(state, name, scope) for name in statement.names) if item is not None]
            below = state.with_dependents(named) - {*named}
            return [*named, *sorted(below)]
        if isinstance(statement, s.Rename | s.AlterSink | s.SetOwner):
            item = _found(state, statement.name, scope)
            return [item.id, *item.uses] if item is not None else []
        return []


def _found(state: State, name: parts.Name, scope: Scope) -> Item | None:
    try:
        return state.find(name, scope)
    except SqlError:
        return None


def _cancelled() -> SqlError:
    return SqlError("canceling statement due to user request", "57014")
