"""A scene as testdrive scripts, for a database that has no format of its own."""

from __future__ import annotations

from racehound.data.reduction import HandOver
from racehound.data.scene import Scene
from racehound.report.handover.plain import blocks, setup_of
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Sql


def scripts(scene: Scene) -> HandOver:
    """A script for the setup, and one per session with comments that say in which turn its statements run."""
    found = {"setup.td": "".join(print_command(Sql(sql)) for sql in setup_of(scene))} if scene.setup else {}
    for session in scene.sessions:
        own = [turns for speaker, turns in blocks(scene) if speaker == session]
        found[f"session-{session}.td"] = "\n".join(
            f"# from turn {turns[0][0]}\n" + "".join(print_command(Sql(line.sql)) for _, line in turns) for turns in own
        )
    return HandOver(found, ["`.td`: scripts of testdrive, a session each; the comments say whose turn it is."], scene)
