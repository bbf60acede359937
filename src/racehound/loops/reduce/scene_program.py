"""A scene as a program for lock-step."""

from __future__ import annotations

from racehound.data.program import Program, ProgramSession, Step
from racehound.data.scene import Line, Scene
from racehound.run.lockstep_program import LockstepProgram, SerialScript
from racehound.run.session_script import OBJECT, SessionScript, Turn
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Script, Sql


def lockstep_program_of(scene: Scene) -> LockstepProgram:
    """Nothing is expected of a statement, in the setup either: all that matters is whether the scene shows its finding."""
    sessions = tuple(SessionScript(f"session {number}", tuple(map(_turn, scene.of(number)))) for number in scene.sessions)
    check = (SerialScript(parse_fragment(scene.check), OBJECT, "verify", "check"),) if scene.check else ()
    return LockstepProgram(
        _program(scene),
        sessions,
        setup=tuple(SerialScript(Script((Sql(line.sql),), "setup"), OBJECT, "prepare", "setup") for line in scene.setup),
        setup_may_fail=True,
        check=check,
    )


def _program(scene: Scene) -> Program:
    """What oracles are given. Sessions are named by their numbers."""
    sessions = tuple(ProgramSession(str(number), tuple(map(_step, scene.of(number)))) for number in scene.sessions)
    setup = tuple(map(_step, scene.setup))
    return Program(scene.seed, "concurrent", "reduced", scene.refers_to, True, (), setup, sessions, (), ())


def _turn(line: Line) -> Turn:
    return Turn(Sql(line.sql), anything_goes=True, has_variables=True, object=line.object, phase=line.phase)


def _step(line: Line) -> Step:
    return Step(line.object, line.phase, print_command(Sql(line.sql)))
