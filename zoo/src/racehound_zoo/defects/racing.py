"""A change of the catalog with defects on: planned before the lock is taken, then done as if nothing had happened meanwhile.

It is the honest way with a window in its middle. Each defect that is on looks at what others did in that window; where it finds
its occasion it does what it does (`bites`), else the statement is planned again and done honestly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.defects.bites import BITES, EXPOSED
from racehound_zoo.defects.window import Window
from racehound_zoo.dialect import parts
from racehound_zoo.dialect import statements as s
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.plan import Plan, Prepared
from racehound_zoo.sources.facts import bases

if TYPE_CHECKING:
    from racehound_zoo.execution.ddl import Ddl, Done
    from racehound_zoo.execution.engine import Engine

_LOOK = 0.05
"""Seconds after which one that waits for ever looks whether its client still does."""


class Racing:
    """One statement. `interrupted`: whether whoever waits for it has given up."""

    def __init__(self, engine: Engine, ddl: Ddl, interrupted: Callable[[], bool]) -> None:
        self._engine = engine
        self._ddl = ddl
        self._interrupted = interrupted
        self._on = engine.switches.on

    def run(self, statement: s.Statement, scope: Scope, cluster: str, prepared: Prepared) -> Done:
        """The change. SqlError when it cannot be done, PanicError when a defect says so."""
        locks = self._lock_in_order(statement, scope) if self._on("deadlock") else []
        try:
            return self._run(statement, scope, cluster, prepared)
        finally:
            for lock in locks:
                lock.release()

    def _run(self, statement: s.Statement, scope: Scope, cluster: str, prepared: Prepared) -> Done:
        if isinstance(statement, s.AddColumn | s.ApplyReplacement):
            # What it does to the storage cannot be taken back: it is done once, and honestly.
            return self._ddl.honestly(statement, scope, cluster, prepared)
        seen = self._engine.catalog.state
        plan, tag = self._ddl.plan(seen, statement, scope, cluster, prepared)
        read = bases(plan.state, *(used for key in plan.created for used in plan.state.known(key).uses))
        before = self._engine.storage.changed(read)
        if self._on("wrong-snapshot") and isinstance(statement, s.CreateMaterializedView) and plan.created:
            self._engine.storage.keep_copy(plan.created[-1])
        if self._is_exposed(Window(statement, plan, tag, seen, seen, wrote=False)):
            self._engine.switches.window()
        with self._engine.catalog.changing():
            wrote = self._engine.storage.changed(read) > before
            window = Window(statement, plan, tag, seen, self._engine.catalog.state, wrote=wrote)
            done = self._bite(window)
        if done is not None:
            return done
        plan.undo()
        if self._on("hanging-drop") and any(window.dropped & {*item.uses} for item in window.newcomers):
            self._wait_for_nothing()
        return self._again(window, scope, cluster, prepared)

    def _is_exposed(self, window: Window) -> bool:
        return any(self._on(name) and exposed(window) for name, exposed in EXPOSED.items())

    def _bite(self, window: Window) -> Done | None:
        """What a defect made of it; None if none had its occasion."""
        for name, bite in BITES.items():
            state = bite(self._engine, window) if self._on(name) else None
            if state is not None:
                window.plan.state = state
                return self._ddl.install(window.plan, window.tag)
        return None

    def _again(self, window: Window, scope: Scope, cluster: str, prepared: Prepared) -> Done:
        """Honestly; unless a defect waits for how that goes."""
        made = window.made
        with self._engine.catalog.changing():
            try:
                done = self._ddl.honestly(window.statement, scope, cluster, prepared)
            except SqlError:
                if made is not None and self._on("name-taken"):
                    self._engine.switches.take_name(made.schema, made.name)
                raise
            if made is not None and made.kind == "materialized view" and self._on("stale-view"):
                self._freeze(window, made)
        return done

    def _freeze(self, window: Window, made: Item) -> None:
        """The view that was made keeps what it has now."""
        key = self._engine.catalog.state.names.get((made.schema, "item", made.name, None))
        if key is not None and window.touched([*made.uses, *bases(window.seen, *made.uses)]):
            self._engine.storage.replace_by_copy(key)

    def _wait_for_nothing(self) -> None:
        nothing = threading.Event()
        while not self._interrupted():
            nothing.wait(_LOOK)
        raise _cancelled()

    # deadlock

    def _lock_in_order(self, statement: s.Statement, scope: Scope) -> list[threading.Lock]:
        """Lock what the statement names and then what it finds, which another may do the other way round."""
        taken: list[threading.Lock] = []
        for name in self._named(statement, scope):
            lock = self._engine.switches.object_lock(name)
            while not lock.acquire(timeout=_LOOK):
                if self._interrupted():
                    for each in taken:
                        each.release()
                    raise _cancelled()
            taken.append(lock)
            self._engine.switches.window()
        return taken

    def _named(self, statement: s.Statement, scope: Scope) -> list[str]:
        state = self._engine.catalog.state
        if isinstance(statement, s.Swap):
            return list(dict.fromkeys((f"{statement.kind} {statement.name[-1]}", f"{statement.kind} {statement.other}")))
        if isinstance(statement, s.Drop) and statement.cascade:
            named = [item.id for item in (_found(state, name, scope) for name in statement.names) if item is not None]
            below = Plan(self._engine, state, scope).with_dependents(named) - {*named}
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
