"""Exploring: the interleavings of a few session scripts, one after the other in lock-step, each judged by all oracles.

The serial schedules come first: an error that a statement also meets in one of them is explained by a serial order. After them
come all the others, in lexicographic order, or as many as are asked for, drawn from the seed: several servers share these.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from racehound.data.finding import Finding, Severity, Store
from racehound.data.history import Event, PlanStarted, Statement
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.schedule import Order, Schedule, count_interleavings, print_schedule, serial_schedules
from racehound.loops.performer import Excused, Performer
from racehound.run.lockstep import Move
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


OpenStage = Callable[[], contextlib.AbstractContextManager[Stage]]
"""Starts a server, for a worker of its own."""

_WORTH_A_SERVER = 200
"""Schedules for which it is worth while to start another one."""


class Performance(msgspec.Struct, frozen=True):
    """What became of one schedule."""

    number: int
    """Its place among those of the exploration, from 1."""
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
    sessions = tuple(
        ProgramSession(str(number), tuple(Step(OBJECT, "manipulate", script.fragment(turn)) for turn in range(len(script.turns))))
        for number, script in enumerate(scripts.sessions, 1)
    )
    title = "explored: " + " | ".join(script.file for script in scripts.sessions)
    setup, verify, teardown = (_alone(script) for script in (scripts.setup, scripts.check, scripts.teardown))
    return Program(seed, "concurrent", title, {}, True, (), setup, sessions, verify, teardown)


def _alone(script: Script | None) -> tuple[Step, ...]:
    return () if script is None else (Step(OBJECT, "prepare", print_script(script)),)


class KnownErrors:
    """Errors that a statement also meets in some serial schedule: session, turn, SQLSTATE. Shared by all explorers."""

    def __init__(self, scripts: Scripts) -> None:
        self._serial = set(serial_schedules(lengths(scripts.sessions)))
        self._lock = threading.Lock()
        self._errors: Excused = frozenset()

    def after(self, events: list[Event], schedule: Schedule) -> Excused:
        """All that are known, with those of the schedule at hand where it is a serial one."""
        with self._lock:
            if schedule in self._serial:
                self._errors |= {(s.session, s.step, s.sqlstate) for s in events if isinstance(s, Statement) and s.sqlstate}
            return self._errors


class Explorer:
    """Performs and judges schedules on one stage."""

    def __init__(self, scripts: Scripts, seed: int, stage: Stage, store: Store, known: KnownErrors) -> None:
        self._program = program_of(scripts, seed)
        self._performer = Performer(stage)
        self._store = store
        self._known = known
        stage.recorder.append(PlanStarted(self._program))

    def perform(self, number: int, asked: Schedule, order: Order) -> Performance:
        """One schedule, setup to teardown, judged. TargetError when the target cannot go on, UserError for a failing setup."""
        played = self._performer.perform(self._program, asked, order, self._excused, number=number)
        told = f"schedule: {print_schedule(played.schedule)}"
        findings = [msgspec.structs.replace(finding, detail=(*finding.detail, told)) for finding in played.findings]
        for finding in findings:
            self._store.add(finding, self._program, played.events)
        return _performance(number, played.schedule, played.moves, findings)

    def close(self) -> None:
        """Wait for what is still being swept; before the stage is closed."""
        self._performer.close()

    def _excused(self, events: list[Event], moves: list[Move], schedule: Schedule) -> Excused:
        """Errors that a script asks for, and those that a serial schedule meets, too."""
        wanted = {(str(m.session), m.turn, m.outcome.error.sqlstate) for m in moves if m.wanted and m.outcome and m.outcome.error}
        return self._known.after(events, schedule) | wanted


class _Course:
    """The schedules that are to be run, for the explorers to take, and what came of them."""

    def __init__(self, scripts: Scripts, options: ExploreOptions) -> None:
        self._queue = enumerate(orders(scripts, options), 1)
        self._lock = threading.Lock()
        self._taken = 0
        self._over = False
        self.met: dict[tuple[Class, tuple[str, ...]], Met] = {}
        self.different: set[Schedule] = set()

    def run(self, explorer: Explorer, until: int | None = None) -> None:
        """Perform what is left, or up to a number, as long as nobody ends it."""
        while (following := self._take(until)) is not None:
            self._keep(explorer.perform(*following))

    def end(self) -> None:
        """Nothing more is taken. What is under way is brought to its end."""
        self._over = True

    def _take(self, until: int | None) -> tuple[int, Schedule, Order] | None:
        with self._lock:
            if self._over or self._taken == until:
                return None
            following = next(self._queue, None)
            if following is None:
                return None
            self._taken, (asked, order) = following
            return self._taken, asked, order

    def _keep(self, performance: Performance) -> None:
        key = performance.outcome, performance.reasons
        with self._lock:
            self.different.add(performance.schedule)
            met = self.met.setdefault(key, Met(*key, 0, performance))
            met.count += 1
            if performance.number < met.first.number:
                met.first = performance


def explore(
    scripts: Scripts, options: ExploreOptions, stage: Stage, store: Store, others: Sequence[OpenStage] = ()
) -> Exploration:
    """Run and judge the schedules; the stage is closed afterwards. Ctrl-C ends it as if all had been done.

    The serial ones run on this stage, before the rest is shared with `others`, as many as are worth it. What one of them cannot
    go on with ends all, and its error is raised: TargetError, or UserError for a setup that fails.
    """
    course, known = _Course(scripts, options), KnownErrors(scripts)
    started, interrupted = time.monotonic(), False

    def help_with(open_stage: OpenStage) -> None:
        try:
            with open_stage() as own, contextlib.closing(Explorer(scripts, options.seed, own, store, known)) as helper:
                course.run(helper)
        finally:
            course.end()

    explorer = Explorer(scripts, options.seed, stage, store, known)
    try:
        with ThreadPoolExecutor(max(1, len(others))) as pool:
            try:
                course.run(explorer, until=len(serial_schedules(lengths(scripts.sessions))))
                helping = [pool.submit(help_with, other) for other in others[: _count(scripts, options) // _WORTH_A_SERVER]]
                course.run(explorer)
                for helped in helping:
                    helped.result()
            except KeyboardInterrupt:
                interrupted = True
            finally:
                course.end()
    finally:
        explorer.close()
        stage.close()
    store.flush()
    return _exploration(scripts, options, course, store, time.monotonic() - started, interrupted=interrupted)


def _count(scripts: Scripts, options: ExploreOptions) -> int:
    """How many schedules will be run."""
    return options.schedules if options.only else min(options.schedules, count_interleavings(lengths(scripts.sessions)))


def _exploration(
    scripts: Scripts, options: ExploreOptions, course: _Course, store: Store, seconds: float, *, interrupted: bool
) -> Exploration:
    return Exploration(
        seed=options.seed,
        strategy=strategy_of(scripts, options),
        interleavings=count_interleavings(lengths(scripts.sessions)),
        schedules=sum(met.count for met in course.met.values()),
        different=len(course.different),
        seconds=round(seconds, 3),
        classes=sorted(course.met.values(), key=lambda met: (CLASSES.index(met.outcome), -met.count, met.reasons)),
        findings=store.sorted(),
        interrupted=interrupted,
    )


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
    return f"session {move.session}: {what}" if what else ""
