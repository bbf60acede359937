"""Explore: runs the interleavings of a few session scripts, one after the other in lock-step; all oracles judge each.

The serial schedules come first: an error that a statement also meets in one of them is explained by a serial order. After them
come all the others, in lexicographic order, or as many as are asked for, drawn from the seed. Several servers share these.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

from racehound.data.finding import Finding, FirstMet, Severity, Store
from racehound.data.history import Event, Outage, PlanStarted, Recorder, Statement, compress
from racehound.data.run_directory import RunDirectory
from racehound.data.schedule import Listed, Schedule, TurnOrder, count_interleavings, print_schedule, serial_schedules
from racehound.databases.registry import Opened
from racehound.errors import TERMINATED, TargetError, TerminatedError, reason_of
from racehound.judge.classification import KnownErrors
from racehound.judge.serial_findings import SerialFindings
from racehound.loops.outages import OnOutage
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
from racehound.run.lockstep import Move
from racehound.run.lockstep_program import program_of_scripts
from racehound.run.lockstep_runner import LockstepRunner, ScheduledRepetition
from racehound.run.session_script import Scripts, lengths
from racehound.run.strategies import ExploreOptions, Strategy, orders, strategy_of

Class = Literal["crash", "corrupt", "wrong", "hang", "internal", "leak", "unexplained", "no race needed", "fail", "fine"]

CLASSES: tuple[Class, ...] = (
    "crash",
    "corrupt",
    "wrong",
    "hang",
    "internal",
    "leak",
    "unexplained",
    "no race needed",
    "fail",
    "fine",
)
"""Worst first. no race needed: nothing was found but what a serial order of the same statements shows, too. fail: a statement
met an error, or other rows than its script says, as some serial order or the race explains."""

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


HARMLESS: tuple[Class, ...] = ("no race needed", "fail", "fine")
"""Outcomes that are no findings of a race."""

OpenTarget = Callable[[], contextlib.AbstractContextManager[Opened]]
"""Opens another target."""

_WORTH_A_SERVER = 200
"""Schedules for which it is worth starting another server."""


class ScheduleResult(msgspec.Struct, frozen=True):
    """The outcome of one schedule."""

    number: int
    """Counted over the exploration, from 1."""
    schedule: Schedule
    """The turns as they were taken."""
    outcome: Class
    reasons: tuple[str, ...]
    """Why it is not fine: signatures of findings, errors of statements."""
    moves: list[Move]
    findings: tuple[str, ...] = ()
    """Ids of its findings."""


class OutcomeGroup(msgspec.Struct):
    """Schedules with the same outcome for the same reasons."""

    outcome: Class
    reasons: tuple[str, ...]
    count: int
    first: ScheduleResult


class Exploration(msgspec.Struct, frozen=True):
    """The result of an exploration."""

    seed: int
    strategy: Strategy
    interleavings: int
    """How many there are."""
    schedules: int
    """How many were run."""
    different: int
    """How many of those were different; where turns passed to others, several schedules come to the same."""
    seconds: float
    classes: list[OutcomeGroup]
    """Worst first, then most frequent."""
    findings: list[Finding]
    interrupted: bool
    ended_early: str = ""
    """Why it ended before all schedules were run; empty where it did not. Ctrl-C is no reason."""
    outages: list[Outage] = []
    """When the server, or connections to it, were lost, and why."""

    @property
    def rate(self) -> float:
        """Schedules per second."""
        return self.schedules / self.seconds if self.seconds else 0.0


class SerialOrders:
    """What the serial schedules show: errors of statements, and findings. Shared by all explorers."""

    def __init__(self, scripts: Scripts) -> None:
        self.schedules = serial_schedules(lengths(scripts.sessions))
        self._lock = threading.Lock()
        self._errors: KnownErrors = frozenset()
        self._findings = SerialFindings(exact_rows=True)

    def errors(self, events: Sequence[Event], schedule: Schedule) -> KnownErrors:
        """All errors that are known, with those of the schedule at hand where it is a serial one."""
        with self._lock:
            if schedule in self.schedules:
                self._errors |= {(s.session, s.step, s.sqlstate) for s in events if isinstance(s, Statement) and s.sqlstate}
            return self._errors

    def compared(self, findings: Sequence[Finding], asked: Schedule, taken: Schedule) -> list[Finding]:
        """The findings of a schedule, each with whether a serial one shows it. The serial ones are run before all others."""
        with self._lock:
            if asked in self.schedules or taken in self.schedules:
                self._findings.add(findings)
            return self._findings.marked(findings)


class Explorer:
    """Runs and judges schedules on one target. `started`: when the exploration began, as `time.monotonic` counts."""

    def __init__(
        self,
        scripts: Scripts,
        options: ExploreOptions,
        opened: Opened,
        recorder: Recorder,
        store: Store,
        serial: SerialOrders,
        started: float,
        on_outage: OnOutage = lambda _outage: None,
    ) -> None:
        self._program = program_of_scripts(scripts, options.seed)
        self._runner = LockstepRunner(opened.target, recorder, opened.scratch, options.statement_limit_s)
        self._repetitions = RepetitionRunner.of(opened.database, on_outage)
        self._store = store
        self._serial = serial
        self._started = started
        recorder.append(PlanStarted(self._program.program))

    def run(self, number: int, asked: Schedule, order: TurnOrder) -> ScheduleResult:
        """Run and judge one schedule. TargetError when the target cannot go on, UserError for a failing setup."""
        scheduled, repetition, compared = self._judged(number, asked, order)
        detail = f"schedule: {print_schedule(repetition.schedule)}"
        met = FirstMet(round(time.monotonic() - self._started, 1), number)
        told = {"first_met": met, "schedule": repetition.schedule}
        findings = [msgspec.structs.replace(finding, detail=(*finding.detail, detail), **told) for finding in compared]
        for finding in findings:
            self._store.add(finding, self._program.program, repetition.events)
        return _result(number, repetition.schedule, scheduled.moves, findings)

    def run_serial_orders(self) -> None:
        """Run the serial schedules only to compare others with them: nothing of them is kept. Errors as of `run`."""
        for number, schedule in enumerate(self._serial.schedules, 1):
            self._judged(number, schedule, Listed(schedule))

    def _judged(
        self, number: int, asked: Schedule, order: TurnOrder
    ) -> tuple[ScheduledRepetition, JudgedRepetition, list[Finding]]:
        scheduled = self._runner.schedule(self._program, asked, order)
        repetition = self._repetitions.run(
            scheduled, number, known_errors=lambda events: self._serial.errors(events, scheduled.schedule)
        )
        return scheduled, repetition, self._serial.compared(repetition.findings, asked, repetition.schedule)

    def close(self) -> None:
        """Close all sessions."""
        self._runner.close()


class _Agenda:
    """The schedules that are to be run, for the explorers to take, and the outcomes of those that were run."""

    def __init__(self, scripts: Scripts, options: ExploreOptions) -> None:
        self._queue = enumerate(orders(scripts, options), 1)
        self._lock = threading.Lock()
        self._taken = 0
        self._ended = False
        self.groups: dict[tuple[Class, tuple[str, ...]], OutcomeGroup] = {}
        self.different: set[Schedule] = set()

    def run(self, explorer: Explorer, until: int | None = None) -> None:
        """Run what is left, or up to a number, as long as nobody ends it."""
        while (following := self._take(until)) is not None:
            self._keep(explorer.run(*following))

    def end(self) -> None:
        """No schedule is begun any more. Those that were begun are finished."""
        self._ended = True

    def _take(self, until: int | None) -> tuple[int, Schedule, TurnOrder] | None:
        with self._lock:
            if self._ended or self._taken == until:
                return None
            following = next(self._queue, None)
            if following is None:
                return None
            self._taken, (asked, order) = following
            return self._taken, asked, order

    def _keep(self, result: ScheduleResult) -> None:
        key = result.outcome, result.reasons
        with self._lock:
            self.different.add(result.schedule)
            group = self.groups.setdefault(key, OutcomeGroup(*key, 0, result))
            group.count += 1
            if result.number < group.first.number:
                group.first = result


def explore(
    scripts: Scripts,
    options: ExploreOptions,
    opened: Opened,
    directory: RunDirectory,
    store: Store,
    others: Sequence[OpenTarget] = (),
    on_outage: OnOutage = lambda _outage: None,
) -> Exploration:
    """Run and judge the schedules. Ctrl-C ends it as if all had been run. The history of each target is kept in the directory.

    The serial schedules run first, on the target that is open; also where a single schedule is asked for, to compare it with
    them. The others are shared with `others`, as many of these as are worth it. When a target cannot go on, the exploration ends
    early with what is known. UserError for a setup that fails.
    """
    agenda, serial = _Agenda(scripts, options), SerialOrders(scripts)
    started, interrupted, ended_early = time.monotonic(), False, ""
    outages: list[Outage] = []

    def note(outage: Outage) -> None:
        outages.append(outage)
        on_outage(outage)

    @contextlib.contextmanager
    def recorded(target: Opened, path: Path) -> Iterator[Explorer]:
        with (
            contextlib.closing(Recorder(path)) as recorder,
            contextlib.closing(Explorer(scripts, options, target, recorder, store, serial, started, note)) as explorer,
        ):
            yield explorer

    @contextlib.contextmanager
    def explorer_on(target: Opened, number: int) -> Iterator[Explorer]:
        path = directory.history(number, options.seed)
        with recorded(target, path) as explorer:
            yield explorer
        compress(path)

    def help_with(open_target: OpenTarget, number: int) -> None:
        try:
            with open_target() as other, explorer_on(other, number) as helper:
                agenda.run(helper)
        finally:
            agenda.end()

    if options.only is not None:
        with recorded(opened, opened.scratch / "serial-orders.jsonl") as explorer:
            explorer.run_serial_orders()
    with explorer_on(opened, 1) as explorer, ThreadPoolExecutor(max(1, len(others))) as pool:
        try:
            agenda.run(explorer, until=len(serial.schedules))
            worth = others[: _count(scripts, options) // _WORTH_A_SERVER]
            helping = [pool.submit(help_with, other, number) for number, other in enumerate(worth, 2)]
            agenda.run(explorer)
            for helped in helping:
                helped.result()
        except TerminatedError:
            ended_early = TERMINATED
        except KeyboardInterrupt:
            interrupted = True
        except TargetError as error:
            ended_early = str(error)
        except OSError as error:
            ended_early = reason_of(error)
        finally:
            agenda.end()
        seconds = time.monotonic() - started
    try:
        store.flush()
    except OSError as error:
        ended_early = ended_early or reason_of(error)
    found = _exploration(scripts, options, agenda, store, seconds, interrupted=interrupted)
    return msgspec.structs.replace(found, ended_early=ended_early, outages=outages)


def _count(scripts: Scripts, options: ExploreOptions) -> int:
    """How many schedules will be run."""
    return options.schedules if options.only else min(options.schedules, count_interleavings(lengths(scripts.sessions)))


def _exploration(
    scripts: Scripts, options: ExploreOptions, agenda: _Agenda, store: Store, seconds: float, *, interrupted: bool
) -> Exploration:
    return Exploration(
        seed=options.seed,
        strategy=strategy_of(scripts, options),
        interleavings=count_interleavings(lengths(scripts.sessions)),
        schedules=sum(group.count for group in agenda.groups.values()),
        different=len(agenda.different),
        seconds=round(seconds, 3),
        classes=sorted(agenda.groups.values(), key=lambda group: (CLASSES.index(group.outcome), -group.count, group.reasons)),
        findings=store.sorted(),
        interrupted=interrupted,
    )


def _result(number: int, schedule: Schedule, moves: list[Move], findings: list[Finding]) -> ScheduleResult:
    outcome: Class = "fine"
    reasons: tuple[str, ...] = ()
    if findings:
        outcomes = [_outcome(finding) for finding in findings]
        outcome = min(outcomes, key=CLASSES.index)
        reasons = tuple(sorted({_reason(f) for f, each in zip(findings, outcomes, strict=True) if each == outcome}))
    elif failures := sorted({reason for move in moves if (reason := failure_of(move))}):
        outcome, reasons = "fail", tuple(failures)
    return ScheduleResult(number, schedule, outcome, reasons, moves, tuple(finding.id for finding in findings))


def _outcome(finding: Finding) -> Class:
    return "no race needed" if finding.needs_no_race else _BY_SEVERITY[finding.severity]


def _reason(finding: Finding) -> str:
    """Its signature, with a word before it where it is told among others although it needs no race."""
    alone = finding.serial_orders == "show it" and not finding.needs_no_race
    return f"{'no race needed: ' if alone else ''}{finding.signature}"


def failure_of(move: Move) -> str:
    """In what way a statement failed, in a few words; empty if it did not, or as its script asks for."""
    if move.outcome is None or move.wanted:
        return ""
    error = move.outcome.error
    what = f"{error.sqlstate} {error.message}" if error else move.unlike
    return f"session {move.session}: {what}" if what else ""
