"""A reduction as text: its statements in the order in which they run."""

from __future__ import annotations

from racehound.data.program import print_program
from racehound.data.reduction import Reduction
from racehound.data.scene import SETUP, Scene


def reduction_text(reduction: Reduction) -> str:
    """The smallest program, how often it shows the finding, and how much each pass removed."""
    shown = scene_text(reduction.scene) if reduction.scene else print_program(reduction.program) if reduction.program else ""
    passes = ", ".join(f"{done.name} {done.shown} of {done.tried}" for done in reduction.passes)
    return f"{reduction.facts}\n\n{shown}\n\n{passes}\n"


def scene_text(scene: Scene) -> str:
    """A line for each statement, with its session before it. `setup` runs before all sessions."""
    lines = [f"{'setup' if line.session == SETUP else line.session:>5}  {_joined(line.sql)};" for line in scene.lines]
    return "\n".join([*lines, *(("at the end:", scene.check.rstrip()) if scene.check else ())])


def _joined(sql: str) -> str:
    return "\n       ".join(sql.splitlines())
