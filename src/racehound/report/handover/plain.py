"""A scene without racehound's variables, and the parts of it that several forms need."""

from __future__ import annotations

import msgspec

from racehound.data.scene import SETUP, Line, Scene

_RUN = "${racehound.run}"


def plain(scene: Scene) -> Scene:
    """The scene with a plain word in place of the run's id."""
    lines = tuple(msgspec.structs.replace(line, sql=line.sql.replace(_RUN, "rh").strip().rstrip(";")) for line in scene.lines)
    return msgspec.structs.replace(scene, lines=lines)


def blocks(scene: Scene) -> list[tuple[int, list[tuple[int, Line]]]]:
    """The turns, numbered from 1. Successive turns of one session are one block, which begins with the session's number."""
    found: list[tuple[int, list[tuple[int, Line]]]] = []
    for number, line in enumerate(scene.turns, 1):
        if not found or found[-1][0] != line.session:
            found.append((line.session, []))
        found[-1][1].append((number, line))
    return found


def setup_of(scene: Scene) -> list[str]:
    return [line.sql for line in scene.lines if line.session == SETUP]
