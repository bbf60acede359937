"""A scene as the stage of lock-step and the oracles take it."""

from __future__ import annotations

from racehound.data.program import Program, ProgramSession, Step
from racehound.data.scene import Line, Scene
from racehound.run.session_script import SessionScript, Turn
from racehound.run.stage import Scripts
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Script, Sql


def scripts_of(scene: Scene) -> Scripts:
    """Anything may come of a statement, in the setup too: what matters is whether the finding is met."""
    sessions = tuple(SessionScript(f"session {number}", tuple(map(_turn, scene.of(number)))) for number in scene.sessions)
    setup = Script(tuple(Sql(line.sql) for line in scene.setup), "setup")
    check = parse_fragment(scene.check) if scene.check else None
    return Scripts(sessions, setup if setup.commands else None, check, lenient=True)


def program_of(scene: Scene) -> Program:
    """The scene as the oracles know programs. Sessions are sessions named by their numbers."""
    sessions = tuple(ProgramSession(str(number), tuple(map(_step, scene.of(number)))) for number in scene.sessions)
    setup = tuple(map(_step, scene.setup))
    return Program(scene.seed, "concurrent", "reduced", scene.refers_to, True, (), setup, sessions, (), ())


def _turn(line: Line) -> Turn:
    return Turn(Sql(line.sql), anything_goes=True, has_variables=True, object=line.object, phase=line.phase)


def _step(line: Line) -> Step:
    return Step(line.object, line.phase, print_command(Sql(line.sql)))
