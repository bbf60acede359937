"""Program: the steps of a run as plain data. A scenario makes it from a plan; `run` runs it; reduction makes it smaller."""

from __future__ import annotations

from typing import Literal

import msgspec

from racehound.data.plan import ScenarioName, WindowEnd

Phase = Literal["prepare", "create", "manipulate", "verify", "destroy"]

RECREATE = "recreate"
"""The manipulation of the base object that drops it and creates it again."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation on an object: a fragment of testdrive text, and when and how to run it."""

    object: str
    phase: Phase
    fragment: str
    manipulation: str = ""
    """Name of the manipulation, for phase `manipulate`."""
    clear: str = ""
    """Fragment that is run before another try, outside a transaction. It does not matter if it fails."""
    tries: int = 1
    """How often the fragment is tried until it succeeds; every failure is recorded."""
    beat: int | None = None
    """Number of the rendezvous that the session keeps before this step; all sessions with that beat start together."""
    jitter_us: int = 0
    window: WindowEnd = "none"
    hold_us: int = 0
    plain: bool = False
    """Whether its statements are from an SQL file: any rows may come back, and `${` begins no variable."""


class ProgramSession(msgspec.Struct, frozen=True):
    """One concurrent client: its steps, in order."""

    name: str
    steps: tuple[Step, ...]


class Disturbance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a perturbation drew for one repetition: what to do to which session, and when."""

    perturbation: str
    session: str
    step: int
    """Number of the step within its session, from 0."""
    statement: int = 0
    """Number of the statement within each try of the step, from 0; BEGIN counts."""
    after_us: int = 0
    """Microseconds from the moment at which that statement is sent."""
    lasts_us: int = 0
    """Microseconds, where it has an end of its own."""
    choice: int = 0
    """A large drawn number that chooses one of several things, where their number is only known later (by its remainder)."""


class Program(msgspec.Struct, frozen=True):
    seed: int
    scenario: ScenarioName
    title: str
    """One line for people: which kinds race over what."""
    refers_to: dict[str, str]
    """Which object each one refers to; the base has no entry."""
    reset_each: bool
    """Whether the target is reset before every repetition, or only before the first."""
    once: tuple[Step, ...]
    """Before the first repetition."""
    setup: tuple[Step, ...]
    """At the start of each repetition, by one session, before the sessions."""
    sessions: tuple[ProgramSession, ...]
    verify: tuple[Step, ...]
    """When all sessions have come to rest."""
    teardown: tuple[Step, ...]
    perturbations: tuple[str, ...] = ()
    """Names of the perturbations that disturb it while it runs. What they do is drawn from the seed for each repetition."""
    check: tuple[Step, ...] = ()
    """What a user says must hold when all sessions have come to rest; what does not, an error too, is a wrong result."""

    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they stand, without the check: nobody leaves out any of that."""
        raced = tuple(step for session in self.sessions for step in session.steps)
        return (*self.once, *self.setup, *raced, *self.verify, *self.teardown)


def without_timing(program: Program) -> Program:
    """The program whose sessions keep no rendezvous and wait for nothing before a step."""
    sessions = tuple(
        msgspec.structs.replace(
            session, steps=tuple(msgspec.structs.replace(step, beat=None, jitter_us=0, hold_us=0) for step in session.steps)
        )
        for session in program.sessions
    )
    return msgspec.structs.replace(program, sessions=sessions)


def print_program(program: Program) -> str:
    """The exact program as text: the fragments are testdrive, what surrounds them stands in its comments."""
    lines = [f"--- Scenario to run (--seed={program.seed})", f"# {program.scenario}: {program.title}"]
    if program.perturbations:
        lines += [f"# perturbed by: {', '.join(program.perturbations)}"]
    lines += _section("once, before the first repetition", program.once)
    lines += _section("each repetition: " + ("reset the target, then" if program.reset_each else "first"), program.setup)
    for session in program.sessions:
        together = " (all sessions at the same time)" if len(program.sessions) > 1 else ""
        lines += _section(f"session {session.name}{together}", session.steps)
    lines += _section("check, when all sessions have come to rest", program.check)
    lines += _section("verify, when all sessions have come to rest", program.verify)
    lines += _section("last", program.teardown)
    return "\n".join(lines) + "\n"


def _section(title: str, steps: tuple[Step, ...]) -> list[str]:
    if not any(step.fragment for step in steps):
        return []
    lines = ["", f"## {title}"]
    for step in steps:
        if step.fragment:
            lines += [_headline(step), *_clearing(step), *_body(step)]
    return lines


def _headline(step: Step) -> str:
    words = [f"# {step.object}: {step.phase}"]
    if step.manipulation:
        words[0] += f" ({step.manipulation})"
    if step.beat is not None:
        words.append(f"at rendezvous {step.beat}" + (f" + 0…{step.jitter_us} µs" if step.jitter_us else ""))
    if step.tries > 1:
        words.append(f"up to {step.tries} tries")
    return ", ".join(words)


def _clearing(step: Step) -> list[str]:
    if not step.clear or step.window != "none" or step.tries == 1:
        return []
    return ["# before another try:", *(f"#   {line}" for line in step.clear.rstrip("\n").split("\n"))]


def _body(step: Step) -> list[str]:
    body = step.fragment.rstrip("\n").split("\n")
    if step.window == "none":
        return body
    hold = [f"# hold the transaction open for {step.hold_us} µs"] if step.hold_us else []
    return ["> BEGIN", *body, *hold, f"> {step.window.upper()}"]
