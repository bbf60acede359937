"""Passes that make a scene smaller, each a function over a `Search`; coarse ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from racehound.data.object_names import names_in
from racehound.data.scene import SETUP, Line, Scene
from racehound.judge.dependencies import ends_transaction
from racehound.loops.reduce.search import Search, without_chunks
from racehound.loops.reduce.shorten import shortened

ROUNDS_LIMIT = 4
"""How often all passes are repeated: what one removes may allow another one to remove more."""


CanRead = Callable[[str], bool]
"""Whether a text is a statement by its grammar, as far as the target can tell. Most shorter texts are none."""


def minimise(search: Search[Scene], can_read: CanRead) -> None:
    """All passes, again and again until none finds anything. TimeIsUpError when there is no time left."""

    def shorten(search: Search[Scene]) -> None:
        shorten_statements(search, can_read)

    for _ in range(ROUNDS_LIMIT):
        before = search.best
        for step in (drop_sessions, drop_objects, drop_lines, drop_transactions, move_to_setup, merge_sessions, drop_lines,
                     shorten, switch_less):  # fmt: skip
            step(search)
        if search.best == before:
            return


def drop_sessions(search: Search[Scene]) -> None:
    """A whole session, the longest first."""
    _each(search, "sessions", _sessions)


def drop_objects(search: Search[Scene]) -> None:
    """All lines that name an object, or are about it."""
    names = dict.fromkeys(name for line in search.best.lines for name in sorted(_about(line)))
    for name in reversed(list(names)):
        scene = search.best
        search.attempt(scene.with_lines(line for line in scene.lines if name not in _about(line)), "objects")


def drop_lines(search: Search[Scene]) -> None:
    """Any lines, those of the setup too, in chunks."""

    def attempt(indices: Sequence[int]) -> bool:
        return search.attempt(scene.with_lines(scene.lines[at] for at in indices), "statements")

    scene = search.best
    without_chunks(range(len(scene.lines)), attempt)


def drop_transactions(search: Search[Scene]) -> None:
    """BEGIN and the end of the same transaction, so that its statements stand alone."""
    _each(search, "transactions", lambda scene: [_without(scene, set(edges)) for edges in _transactions(scene.lines)])


def move_to_setup(search: Search[Scene]) -> None:
    """Moves what need not run concurrently to the setup: whole transactions first, then statements."""
    _each(search, "to the setup", lambda scene: [_moved(scene, _within(scene.lines, *t)) for t in _transactions(scene.lines)])
    _each(search, "to the setup", lambda scene: [
        _moved(scene, [at]) for at, line in enumerate(scene.lines) if line.session != SETUP and not _is_control(line)
    ])  # fmt: skip


def merge_sessions(search: Search[Scene]) -> None:
    """Gives the statements of two sessions to one."""
    for one in search.best.sessions:
        for other in search.best.sessions:
            scene = search.best
            if one < other and {one, other} <= set(scene.sessions):
                merged = (_in_session(line, one) if line.session == other else line for line in scene.lines)
                search.attempt(scene.with_lines(merged), "merged sessions")


def shorten_statements(search: Search[Scene], can_read: CanRead) -> None:
    """Leaves out clauses, items and words, in the longest statement first."""
    for at in sorted(range(len(search.best.lines)), key=lambda at: -len(search.best.lines[at].sql)):
        shortened(search.best.lines[at].sql, _put(search, at, can_read))


def switch_less(search: Search[Scene]) -> None:
    """Moves turns behind the last one of the same session: a schedule with fewer switches is easier to read."""
    for at in range(len(search.best.lines)):
        scene = search.best
        line = scene.lines[at]
        earlier = [n for n in range(at) if scene.lines[n].session == line.session]
        if line.session != SETUP and earlier and earlier[-1] < at - 1:
            moved = [*scene.lines[: earlier[-1] + 1], line, *scene.lines[earlier[-1] + 1 : at], *scene.lines[at + 1 :]]
            search.attempt(scene.with_lines(moved), "switches")


def _put(search: Search[Scene], at: int, can_read: CanRead) -> Callable[[str], bool]:
    def attempt(sql: str) -> bool:
        search.check_time()
        if not can_read(sql):
            return False
        scene = search.best
        line = msgspec.structs.replace(scene.lines[at], sql=sql)
        return search.attempt(scene.with_lines([*scene.lines[:at], line, *scene.lines[at + 1 :]]), "shorter statements")

    return attempt


def _about(line: Line) -> frozenset[str]:
    return names_in(line.sql) | ({line.object} if line.object else frozenset())


def _is_control(line: Line) -> bool:
    return line.sql == "BEGIN" or ends_transaction(line.sql)


def _in_session(line: Line, session: int) -> Line:
    return msgspec.structs.replace(line, session=session)


def _each(search: Search[Scene], name: str, changed: Callable[[Scene], list[Scene]]) -> None:
    """Try every change of the best scene. Whenever one is kept, the changes of the new scene are tried."""
    at = 0
    while at < len(candidates := changed(search.best)):
        at += not search.attempt(candidates[at], name)


def _sessions(scene: Scene) -> list[Scene]:
    longest = sorted(scene.sessions, key=lambda number: -len(scene.of(number)))
    return [scene.with_lines(line for line in scene.lines if line.session != number) for number in longest]


def _without(scene: Scene, gone: set[int]) -> Scene:
    return scene.with_lines(line for at, line in enumerate(scene.lines) if at not in gone)


def _moved(scene: Scene, indices: Sequence[int]) -> Scene:
    """The scene with these lines in the setup, without BEGIN and the end of their transactions."""
    moved = [_in_session(scene.lines[at], SETUP) for at in indices if not _is_control(scene.lines[at])]
    return scene.with_lines([*scene.setup, *moved, *_without(scene, set(indices)).turns])


def _within(lines: Sequence[Line], start: int, end: int) -> list[int]:
    """The lines of the transaction that begins and ends there."""
    return [at for at in range(start, end + 1) if lines[at].session == lines[start].session]


def _transactions(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Where transactions begin and end."""
    begun: dict[int, int] = {}
    found = []
    for at, line in enumerate(lines):
        if line.sql == "BEGIN":
            begun[line.session] = at
        elif ends_transaction(line.sql) and line.session in begun:
            found.append((begun.pop(line.session), at))
    return found
