"""What each defect does when the window shows what it needs.

Each function returns the catalog's state that is to be installed, or raises an error or a panic. It returns None when the defect
does not take effect. All functions are called under the catalog's lock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import State
from racehound_zoo.defects.race_window import RaceWindow
from racehound_zoo.defects.switches import Switches
from racehound_zoo.dialect.statements import Comment, CreateMaterializedView, GrantPrivileges, Rename, SetOwner
from racehound_zoo.errors import PanicError, unknown_item
from racehound_zoo.storage import Storage


def _panic_on_rename(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    created = window.created
    if created is not None and window.renamed(created.uses):
        raise PanicError(f"called `Option::unwrap()` on a `None` value: no entry named for a dependency of {created.id}")
    return None


def _lost_rename(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    """The statement writes an entry back as it read it, with the old name. A creation writes back one of its dependencies."""
    created = window.created
    if created is not None:
        return _with_old_name(window, created)
    if isinstance(window.statement, Comment):
        entry = window.commented
    elif isinstance(window.statement, GrantPrivileges | SetOwner):
        entry = window.changed
    else:
        return None
    if entry is None or not window.renamed([entry.id]) or not window.is_free(entry):
        return None
    return window.now.with_item(entry)


def _with_old_name(window: RaceWindow, created: Item) -> State | None:
    """The new item is added, and the dependency that was renamed within the window gets its old name back."""
    renamed = [window.seen.items[key] for key in created.uses if window.renamed([key])]
    if not renamed or window.gone(created.uses) or not window.fits(created) or not window.is_free(renamed[0]):
        return None
    return window.now.with_item(created).with_item(renamed[0])


def _dropped_dependency(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    created = window.created
    if created is None or not window.gone(created.uses) or not window.fits(created):
        return None
    return window.now.with_item(created)


def _wrong_snapshot(storage: Storage, _: Switches, window: RaceWindow) -> State | None:
    """Rows written since the copy was made never appear in the view; rows written later do."""
    created = window.created
    if (
        created is None
        or not isinstance(window.statement, CreateMaterializedView)
        or not window.wrote
        or created.is_refreshed_on_schedule
    ):
        return None
    if window.gone(created.uses) or not window.fits(created):
        return None
    storage.forget_since_copy(created.id)
    return window.now.with_item(created)


def _unexplained_error(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    created = window.created
    if created is None or not window.created_by_others:
        return None
    for key in created.uses:
        used = window.now.items.get(key)
        if used is not None:
            raise unknown_item(used.name)
    return None


def _duplicate_id(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    created = window.created
    if created is None or not window.created_by_others or not window.is_free(created) or window.gone(created.uses):
        return None
    return window.now.with_item(dataclasses.replace(created, id=window.created_by_others[-1].id), created.id)


def _ghost_relation(_: Storage, switches: Switches, window: RaceWindow) -> State | None:
    """The drop itself is executed correctly, but an index that was created on the relation within the window stays."""
    for index in window.created_by_others:
        if index.kind == "index":
            for key in window.dropped & {*index.uses}:
                switches.keep_index_of(window.seen.items[key])
    return None


def _lost_grant(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    changed = window.granted
    if not isinstance(window.statement, GrantPrivileges) or changed is None:
        return None
    places = "items" if isinstance(changed, Item) else "schemas"
    current, before = (getattr(state, places).get(changed.id) for state in (window.now, window.seen))
    if current is None or current.acls == before.acls:
        return None
    merged = dataclasses.replace(current, acls=changed.acls)
    return window.now.with_item(merged) if isinstance(merged, Item) else window.now.with_schema(merged)


def _cluster_leftovers(_: Storage, __: Switches, window: RaceWindow) -> State | None:
    """An item was created in a cluster while that was dropped: in either order, the item ends up in a cluster that is gone."""
    created = window.created
    if created is not None and window.lost_cluster(created) and window.fits(created) and not window.gone(created.uses):
        return window.now.with_item(created)
    clusters = window.seen.clusters.keys() - window.planned.state.clusters.keys()
    if not any(item.cluster in clusters for item in window.created_by_others):
        return None
    state = window.now.without_items(window.dropped)
    for key in clusters:
        state = state.without("clusters", key)
    return state


def _builds(window: RaceWindow) -> bool:
    return window.created is not None and bool(window.created.uses)


def _creates(window: RaceWindow) -> bool:
    return window.created is not None


def _materializes(window: RaceWindow) -> bool:
    return window.created is not None and isinstance(window.statement, CreateMaterializedView)


def _builds_or_renames(window: RaceWindow) -> bool:
    return _builds(window) or isinstance(window.statement, Rename)


def _builds_or_takes_away(window: RaceWindow) -> bool:
    return _builds_or_renames(window) or _drops(window)


def _writes_back_or_renames(window: RaceWindow) -> bool:
    return _builds_or_renames(window) or isinstance(window.statement, Comment | GrantPrivileges | SetOwner)


def _drops(window: RaceWindow) -> bool:
    return bool(window.dropped)


def _grants(window: RaceWindow) -> bool:
    return isinstance(window.statement, GrantPrivileges)


def _creates_or_drops_cluster(window: RaceWindow) -> bool:
    return window.created is not None or bool(window.seen.clusters.keys() - window.planned.state.clusters.keys())


EXPOSED: Mapping[str, Callable[[RaceWindow], bool]] = MappingProxyType(
    {
        "panic-on-rename": _builds_or_renames,
        "lost-rename": _writes_back_or_renames,
        "stale-view": _materializes,
        "name-taken": _builds_or_takes_away,
        "dropped-dependency": _builds,
        "hanging-drop": _drops,
        "wrong-snapshot": _materializes,
        "unexplained-error": _builds,
        "duplicate-id": _creates,
        "ghost-relation": _drops,
        "lost-grant": _grants,
        "cluster-leftovers": _creates_or_drops_cluster,
        "orphaned-subscription": _drops,
    }
)
"""The statements that wait for a window, by defect: those that have the defect, and those whose duration it depends on.

An item that is renamed and renamed back within one window does not count as renamed, so for some defects a rename waits, too.
All other statements do not wait.
"""

EFFECTS: Mapping[str, Callable[[Storage, Switches, RaceWindow], State | None]] = MappingProxyType(
    {
        "panic-on-rename": _panic_on_rename,
        "lost-rename": _lost_rename,
        "dropped-dependency": _dropped_dependency,
        "wrong-snapshot": _wrong_snapshot,
        "unexplained-error": _unexplained_error,
        "duplicate-id": _duplicate_id,
        "ghost-relation": _ghost_relation,
        "lost-grant": _lost_grant,
        "cluster-leftovers": _cluster_leftovers,
    }
)
