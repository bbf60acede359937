"""Programs for lock-step: the texts of a `Program`, parsed and taken apart into turns.

A program of a scenario or of the matrix holds all that lock-step needs (`lockstep_program`). The scripts of a user say more than
a program can hold: where a statement is in its file, for messages, and that nothing is expected of the statements of an SQL
file. So a `LockstepProgram` keeps them parsed, beside the program that is made of them (`program_of_scripts`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from racehound.data.program import Phase, Program, ProgramSession, Step
from racehound.errors import UserError
from racehound.run.session_script import OBJECT, PLAIN, PROMPT_ACTIONS, Scripts, SessionScript, Turn, is_sql
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_script
from racehound.testdrive.script import Action, Script, Sql


@dataclasses.dataclass(frozen=True)
class SerialScript:
    """A script that runs while no session does anything."""

    script: Script
    object: str
    """What it is about."""
    phase: Phase
    label: str = ""
    """How a message calls it."""


@dataclasses.dataclass(frozen=True)
class LockstepProgram:
    """A program and its turns. Serial scripts run in the order in which they are named here."""

    program: Program
    """What oracles and findings are given."""
    sessions: tuple[SessionScript, ...]
    """Session 1 is the first."""
    setup: tuple[SerialScript, ...] = ()
    """Before the sessions."""
    setup_may_fail: bool = False
    """Whether it does not matter if the setup succeeds."""
    check: tuple[SerialScript, ...] = ()
    """When all sessions have finished, before the state at rest is judged."""
    verify: tuple[SerialScript, ...] = ()
    """After that, only if nothing is wrong with the state at rest: a server may crash over a broken catalog."""
    teardown: tuple[SerialScript, ...] = ()
    """At the end. It does not matter if it succeeds."""


def lockstep_program(program: Program) -> LockstepProgram:
    """A program of steps. A step in a transaction has BEGIN and its end as turns of their own.

    UserError for an action between the statements of a session that may wait for other sessions.
    """
    sessions = tuple(
        SessionScript(f"session {number}", tuple(turn for step in session.steps for turn in _turns(step)))
        for number, session in enumerate(program.sessions, 1)
    )
    return LockstepProgram(
        program,
        sessions,
        setup=tuple(map(_serial, program.setup)),
        check=tuple(map(_serial, program.check)),
        verify=tuple(map(_serial, program.verify)),
        teardown=tuple(map(_serial, program.teardown)),
    )


def program_of_scripts(scripts: Scripts, seed: int) -> LockstepProgram:
    """A user's scripts. Each statement of a session is a step of its own. The setup has to succeed."""
    sessions = tuple(
        ProgramSession(str(number), tuple(map(script.step, range(len(script.turns)))))
        for number, script in enumerate(scripts.sessions, 1)
    )
    title = "explored: " + " | ".join(script.file for script in scripts.sessions)
    setup, check, teardown = (
        _steps(scripts.setup, "prepare"),
        _steps(scripts.check, "verify"),
        _steps(scripts.teardown, "destroy"),
    )
    return LockstepProgram(
        Program(seed, "concurrent", title, {}, True, (), setup, sessions, (), teardown, check=check),
        scripts.sessions,
        setup=() if scripts.setup is None else (SerialScript(scripts.setup, OBJECT, "prepare", "--setup"),),
        check=() if scripts.check is None else (SerialScript(scripts.check, OBJECT, "verify", "--check"),),
        teardown=() if scripts.teardown is None else (SerialScript(scripts.teardown, OBJECT, "destroy", "--teardown"),),
    )


def _steps(script: Script | None, phase: Phase) -> tuple[Step, ...]:
    return () if script is None else (Step(OBJECT, phase, print_script(script), plain=is_sql(script.file)),)


def _serial(step: Step) -> SerialScript:
    script = parse_fragment(step.fragment)
    if step.plain:
        script = dataclasses.replace(script, file=PLAIN)
    return SerialScript(script, step.object, step.phase, f"{step.phase} of {step.object}")


def _turns(step: Step) -> Iterator[Turn]:
    if step.window != "none":
        yield Turn(Sql("BEGIN"), object=step.object, phase=step.phase)
    actions: list[Action] = []
    for command in parse_fragment(step.fragment).commands:
        if isinstance(command, Sql):
            yield Turn(command, tuple(actions), anything_goes=step.plain, object=step.object, phase=step.phase)
            actions.clear()
        elif command.name in PROMPT_ACTIONS:
            actions.append(command)
        else:
            raise UserError(f"{step.phase} of {step.object}: {command.name} may wait for other sessions, so it cannot be a turn")
    if step.window != "none":
        yield Turn(Sql(step.window.upper()), object=step.object, phase=step.phase)
