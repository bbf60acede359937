"""Exploring: the interleavings of a few session scripts, one after the other in lock-step, each judged by all oracles.

The serial schedules come first: an error that a statement also meets in one of them is explained by a serial order. After them
come all the others, in lexicographic order, or as many as are asked for, drawn from the seed.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from racehound.finding import Finding, Severity, Store
from racehound.history import Event, PlanStarted, Statement
from racehound.performer import Excused, Performer
from racehound.program import Actor, Program, Step
from racehound.run.lockstep import Move
from racehound.run.schedules import Order, Schedule, count_interleavings, print_schedule, serial_schedules
from racehound.run.session_script import OBJECT, lengths
from racehound.run.stage import Scripts, Stage
from racehound.run.strategies import ExploreOptions, Strategy, orders, strategy_of
from racehound.testdrive.printer import print_script
from racehound.testdrive.script import Script

Class = Literal["crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained", "fail", "fine"]

CLASSES: tuple[Class, ...] = ("crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained", "fail", "fine")
"""Worst first. fail: a statement met an error, or other rows than its script says, as some serial order or the race explains."""

_BY_SEVERITY: dict[Severity, Class] = {
    "crash": "crash",
    "corruption": "corrupt",
    "wrong result": "wrong",
    "hang": "hang",
    "internal error": "internal",
    "known weakness": "internal",
    "leak": "leak",
    "unexplained error": "unexplained",
}


class Performance(msgspec.Struct, frozen=True):
    """What became of one schedule."""

    number: int
    schedule: Schedule
    """The turns as they were taken."""
    outcome: Class
    reasons: tuple[str, ...]
    """Why it is not fine: signatures of findings, errors of statements."""
    moves: list[Move]
    findings: tuple[str, ...] = ()
    """Ids."""


class Met(msgspec.Struct):
    """Schedules with the same outcome for the same reasons."""

    outcome: Class
    reasons: tuple[str, ...]
    count: int
    first: Performance


class Exploration(msgspec.Struct, frozen=True):
    """What an exploration came to."""

    seed: int
    strategy: Strategy
    interleavings: int
    """How many there are."""
    schedules: int
    """How many were run."""
    different: int
    """How many of those were different; where turns passed to others, several schedules come to the same."""
    seconds: float
    classes: list[Met]
    """Worst first, then most frequent."""
    findings: list[Finding]
    interrupted: bool

    @property
    def rate(self) -> float:
        """Schedules per second."""
        return self.schedules / self.seconds if self.seconds else 0.0


def program_of(scripts: Scripts, seed: int) -> Program:
    """The scripts as a program, as findings and histories keep it."""
    actors = tuple(
        Actor(str(number), tuple(Step(OBJECT, "manipulate", script.fragment(turn)) for turn in range(len(script.turns))))
        for number, script in enumerate(scripts.sessions, 1)
    )
    title = "explored: " + " | ".join(script.file for script in scripts.sessions)
    setup, verify, teardown = (_alone(script) for script in (scripts.setup, scripts.check, scripts.teardown))
    return Program(seed, "concurrent", title, {}, True, (), setup, actors, verify, teardown)


def _alone(script: Script | None) -> tuple[Step, ...]:
    return () if script is None else (Step(OBJECT, "prepare", print_script(script)),)


class Explorer:
    """Explores on a started target. `run` may be interrupted by Ctrl-C and then ends as it would have when all was done."""

    def __init__(self, scripts: Scripts, options: ExploreOptions, stage: Stage, store: Store) -> None:
        self._scripts = scripts
        self._options = options
        self._stage = stage
        self._store = store
        self._program = program_of(scripts, options.seed)
        self._performer = Performer(stage)
        self._serial = set(serial_schedules(lengths(scripts.sessions)))
        self._known_errors: set[tuple[str, int, str]] = set()
        self._met: dict[tuple[Class, tuple[str, ...]], Met] = {}
        self._different: set[Schedule] = set()

    def run(self) -> Exploration:
        """Run every schedule and judge it."""
        started = time.monotonic()
        interrupted = False
        self._stage.recorder.append(PlanStarted(self._program))
        try:
            for asked, order in orders(self._scripts, self._options):
                self._keep(self.perform(asked, order))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self.close()
        self._store.flush()
        return self._summary(time.monotonic() - started, interrupted=interrupted)

    def close(self) -> None:
        """Wait for what is still being swept; before the stage is closed."""
        self._performer.close()

    def perform(self, asked: Schedule, order: Order) -> Performance:
        """One schedule, setup to teardown, judged. TargetError when the target cannot go on, UserError for a failing setup."""
        played = self._performer.perform(self._program, asked, order, self._excused)
        told = f"schedule: {print_schedule(played.schedule)}"
        findings = [msgspec.structs.replace(finding, detail=(*finding.detail, told)) for finding in played.findings]
        for finding in findings:
            self._store.add(finding, self._program, played.events)
        return _performance(played.number, played.schedule, played.moves, findings)

    def _excused(self, events: list[Event], moves: list[Move], schedule: Schedule) -> Excused:
        """Errors that a script asks for, and those that a serial schedule meets, too."""
        wanted = {(str(m.actor), m.turn, m.outcome.error.sqlstate) for m in moves if m.wanted and m.outcome and m.outcome.error}
        if schedule in self._serial:
            self._known_errors |= {(s.actor, s.step, s.sqlstate) for s in events if isinstance(s, Statement) and s.sqlstate}
        return frozenset(wanted | self._known_errors)

    def _keep(self, performance: Performance) -> None:
        self._different.add(performance.schedule)
        key = performance.outcome, performance.reasons
        if key in self._met:
            self._met[key].count += 1
        else:
            self._met[key] = Met(*key, 1, performance)

    def _summary(self, seconds: float, *, interrupted: bool) -> Exploration:
        return Exploration(
            seed=self._options.seed,
            strategy=strategy_of(self._scripts, self._options),
            interleavings=count_interleavings(lengths(self._scripts.sessions)),
            schedules=sum(met.count for met in self._met.values()),
            different=len(self._different),
            seconds=round(seconds, 3),
            classes=sorted(self._met.values(), key=lambda met: (CLASSES.index(met.outcome), -met.count, met.reasons)),
            findings=self._store.sorted(),
            interrupted=interrupted,
        )


def explore(scripts: Scripts, options: ExploreOptions, stage: Stage, store: Store) -> Exploration:
    """Run and judge the schedules; the stage is closed afterwards."""
    try:
        return Explorer(scripts, options, stage, store).run()
    finally:
        stage.close()


def _performance(number: int, schedule: Schedule, moves: list[Move], findings: list[Finding]) -> Performance:
    outcome: Class = "fine"
    reasons: tuple[str, ...] = ()
    if findings:
        outcome = min((_BY_SEVERITY[f.severity] for f in findings), key=CLASSES.index)
        reasons = tuple(sorted({f.signature for f in findings if _BY_SEVERITY[f.severity] == outcome}))
    elif failures := sorted({reason for move in moves if (reason := failure_of(move))}):
        outcome, reasons = "fail", tuple(failures)
    return Performance(number, schedule, outcome, reasons, moves, tuple(finding.id for finding in findings))


def failure_of(move: Move) -> str:
    """In what way a statement failed, in a few words; empty if it did not, or as its script asks for."""
    if move.outcome is None or move.wanted:
        return ""
    error = move.outcome.error
    what = f"{error.sqlstate} {error.message}" if error else move.unlike
    return f"session {move.actor}: {what}" if what else ""
