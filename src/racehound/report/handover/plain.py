"""A scene without racehound's variables, and what several forms of it need."""

from __future__ import annotations

import msgspec

from racehound.data.scene import SETUP, Line, Scene

_RUN = "${racehound.run}"


def plain(scene: Scene) -> Scene:
    """With names of its own where a run's id stood."""
    lines = tuple(msgspec.structs.replace(line, sql=line.sql.replace(_RUN, "rh").strip().rstrip(";")) for line in scene.lines)
    return msgspec.structs.replace(scene, lines=lines)


def blocks(scene: Scene) -> list[tuple[int, list[tuple[int, Line]]]]:
    """The turns, numbered from 1, in blocks of one session each."""
    found: list[tuple[int, list[tuple[int, Line]]]] = []
    for number, line in enumerate(scene.turns, 1):
        if not found or found[-1][0] != line.session:
            found.append((line.session, []))
        found[-1][1].append((number, line))
    return found


def setup_of(scene: Scene) -> list[str]:
    return [line.sql for line in scene.lines if line.session == SETUP]
