"""What each defect makes of its occasion: the state that it installs, or the error or panic that it raises.

None: this was not its occasion. All of this happens under the catalog's lock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import State
from racehound_zoo.defects.window import Window
from racehound_zoo.dialect.statements import Comment, CreateMaterializedView, GrantPrivileges, Rename, SetOwner
from racehound_zoo.errors import PanicError, unknown_item
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.refreshing import is_scheduled


def _panic_on_rename(_: Engine, window: Window) -> State | None:
    made = window.made
    if made is not None and window.renamed(made.uses):
        raise PanicError(f"called `Option::unwrap()` on a `None` value: no entry named for a dependency of {made.id}")
    return None


def _lost_rename(_: Engine, window: Window) -> State | None:
    """The entry is written back as it was read, with the old name; by a creation, that of what it depends on."""
    made = window.made
    if made is not None:
        return _with_old_name(window, made)
    if isinstance(window.statement, Comment):
        entry = window.commented
    elif isinstance(window.statement, GrantPrivileges | SetOwner):
        entry = window.changed
    else:
        return None
    if entry is None or not window.renamed([entry.id]) or not window.is_free(entry):
        return None
    return window.now.with_item(entry)


def _with_old_name(window: Window, made: Item) -> State | None:
    """With what was made, which one of its dependencies now knows; that one was renamed meanwhile."""
    renamed = [window.seen.items[key] for key in made.uses if window.renamed([key])]
    if not renamed or window.gone(made.uses) or not window.fits(made) or not window.is_free(renamed[0]):
        return None
    return window.now.with_item(made).with_item(renamed[0])


def _dropped_dependency(_: Engine, window: Window) -> State | None:
    made = window.made
    if made is None or not window.gone(made.uses) or not window.fits(made):
        return None
    return window.now.with_item(made)


def _wrong_snapshot(engine: Engine, window: Window) -> State | None:
    """What was written since the copy was made is missing for ever; what is written later is there."""
    made = window.made
    if made is None or not isinstance(window.statement, CreateMaterializedView) or not window.wrote or is_scheduled(made):
        return None
    if window.gone(made.uses) or not window.fits(made):
        return None
    engine.storage.forget_since_copy(made.id)
    return window.now.with_item(made)


def _unexplained_error(_: Engine, window: Window) -> State | None:
    made = window.made
    if made is None or not window.newcomers:
        return None
    for key in made.uses:
        used = window.now.items.get(key)
        if used is not None:
            raise unknown_item(used.name)
    return None


def _duplicate_id(_: Engine, window: Window) -> State | None:
    made = window.made
    if made is None or not window.newcomers or not window.is_free(made) or window.gone(made.uses):
        return None
    return window.now.with_item(dataclasses.replace(made, id=window.newcomers[-1].id), made.id)


def _ghost_relation(engine: Engine, window: Window) -> State | None:
    """The drop itself is done honestly, but the index stays."""
    for index in window.newcomers:
        if index.kind == "index":
            for key in window.dropped & {*index.uses}:
                engine.switches.haunt(window.seen.items[key])
    return None


def _lost_grant(_: Engine, window: Window) -> State | None:
    changed = window.granted
    if not isinstance(window.statement, GrantPrivileges) or changed is None:
        return None
    places = "items" if isinstance(changed, Item) else "schemas"
    current, before = (getattr(state, places).get(changed.id) for state in (window.now, window.seen))
    if current is None or current.acls == before.acls:
        return None
    merged = dataclasses.replace(current, acls=changed.acls)
    return window.now.with_item(merged) if isinstance(merged, Item) else window.now.with_schema(merged)


def _cluster_leftovers(_: Engine, window: Window) -> State | None:
    """Whichever of the two comes first: what was created is in a cluster that there is not."""
    made = window.made
    if made is not None and window.is_homeless(made) and window.fits(made) and not window.gone(made.uses):
        return window.now.with_item(made)
    clusters = window.seen.clusters.keys() - window.plan.state.clusters.keys()
    if not any(item.cluster in clusters for item in window.newcomers):
        return None
    state = window.now.without_items(window.dropped)
    for key in clusters:
        state = state.without("clusters", key)
    return state


def _builds(window: Window) -> bool:
    return window.made is not None and bool(window.made.uses)


def _creates(window: Window) -> bool:
    return window.made is not None


def _materializes(window: Window) -> bool:
    return window.made is not None and isinstance(window.statement, CreateMaterializedView)


def _builds_or_renames(window: Window) -> bool:
    return _builds(window) or isinstance(window.statement, Rename)


def _builds_or_takes_away(window: Window) -> bool:
    return _builds_or_renames(window) or _drops(window)


def _writes_back_or_renames(window: Window) -> bool:
    return _builds_or_renames(window) or isinstance(window.statement, Comment | GrantPrivileges | SetOwner)


def _drops(window: Window) -> bool:
    return bool(window.dropped)


def _grants(window: Window) -> bool:
    return isinstance(window.statement, GrantPrivileges)


def _creates_or_drops_cluster(window: Window) -> bool:
    return window.made is not None or bool(window.seen.clusters.keys() - window.plan.state.clusters.keys())


EXPOSED: Mapping[str, Callable[[Window], bool]] = MappingProxyType(
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
"""The statements in which a defect sits, and those that it depends upon to last: only these are open to what others do.

What is renamed and renamed back within one such moment was not renamed; so renaming takes its time where that matters. All other
statements are as fast as they can be.
"""

BITES: Mapping[str, Callable[[Engine, Window], State | None]] = MappingProxyType(
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
