"""Passes that make a storm's program smaller, each a function over a `Search`; coarse ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from racehound.data.object_names import names_in
from racehound.data.program import Program, ProgramSession, Step
from racehound.loops.reduce.search import Search, without_chunks
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_script
from racehound.testdrive.script import Script


def minimise_program(search: Search[Program]) -> None:
    """All passes once, and the steps again. TimeIsUpError when there is no time left."""
    for step in (drop_sessions, drop_objects, drop_steps, drop_timing, drop_commands, drop_steps):
        step(search)


def drop_sessions(search: Search[Program]) -> None:
    """Any sessions, in chunks."""
    program = search.best

    def attempt(sessions: Sequence[ProgramSession]) -> bool:
        return search.attempt(msgspec.structs.replace(program, sessions=tuple(sessions)), "sessions")

    without_chunks(program.sessions, attempt)


def drop_objects(search: Search[Program]) -> None:
    """All steps that are about an object, or name it."""
    for name in reversed(list(dict.fromkeys(step.object for step in search.best.steps()))):
        search.attempt(_filtered(search.best, _is_not_about(name)), "objects")


def drop_steps(search: Search[Program]) -> None:
    """Any steps, in chunks."""
    program = search.best

    def attempt(numbers: Sequence[int]) -> bool:
        kept, counter = set(numbers), iter(range(len(numbers) + len(program.steps())))
        return search.attempt(_filtered(program, lambda _: next(counter) in kept), "steps")

    without_chunks(range(len(program.steps())), attempt)


def drop_timing(search: Search[Program]) -> None:
    """Steps without jitter, window and retries."""
    for number in range(len(search.best.steps())):
        search.attempt(_mapped(search.best, {number: _without_timing}), "disturbances")


def drop_commands(search: Search[Program]) -> None:
    """Any statements of any fragment, in chunks."""
    for number in range(len(search.best.steps())):
        step = search.best.steps()[number]
        commands = parse_fragment(step.fragment).commands

        def attempt(kept: Sequence[object], number: int = number) -> bool:
            fragment = print_script(Script(tuple(kept)))  # type: ignore[arg-type]
            return search.attempt(_mapped(search.best, {number: _with_fragment(fragment)}), "statements")

        without_chunks(commands, attempt)


def _is_not_about(name: str) -> Callable[[Step], bool]:
    return lambda step: name != step.object and name not in names_in(step.fragment)


def _with_fragment(fragment: str) -> Callable[[Step], Step]:
    return lambda step: msgspec.structs.replace(step, fragment=fragment)


def _unchanged(step: Step) -> Step:
    return step


def _without_timing(step: Step) -> Step:
    return msgspec.structs.replace(step, jitter_us=0, window="none", hold_us=0, tries=1)


def _filtered(program: Program, keep: Callable[[Step], bool]) -> Program:
    """The program with the steps to keep, which are asked for in order. Sessions without steps are left out."""
    sections = {name: tuple(step for step in getattr(program, name) if keep(step)) for name in ("once", "setup")}
    sessions = [
        msgspec.structs.replace(session, steps=tuple(s for s in session.steps if keep(s))) for session in program.sessions
    ]
    sections |= {name: tuple(step for step in getattr(program, name) if keep(step)) for name in ("verify", "teardown")}
    return msgspec.structs.replace(program, sessions=tuple(a for a in sessions if a.steps), **sections)


def _mapped(program: Program, changes: dict[int, Callable[[Step], Step]]) -> Program:
    """The program with some steps changed, by their numbers in `Program.steps`."""
    steps = iter([changes.get(at, _unchanged)(step) for at, step in enumerate(program.steps())])
    once, setup = (tuple(next(steps) for _ in getattr(program, name)) for name in ("once", "setup"))
    sessions = tuple(
        msgspec.structs.replace(session, steps=tuple(next(steps) for _ in session.steps)) for session in program.sessions
    )
    verify, teardown = (tuple(next(steps) for _ in getattr(program, name)) for name in ("verify", "teardown"))
    return msgspec.structs.replace(program, once=once, setup=setup, sessions=sessions, verify=verify, teardown=teardown)
