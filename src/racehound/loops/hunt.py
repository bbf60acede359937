"""Hunt: draws a plan from each seed, and runs and judges its program again and again, until the time is up."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from racehound.data.finding import Finding, FirstMet, Store
from racehound.data.history import Outage, PlanStarted, Recorder, RetryCounts, compress, retries_of
from racehound.data.plan import KindEntry, Plan, ScenarioName, draw_plan
from racehound.data.program import Program, print_program
from racehound.data.run_directory import RunDirectory
from racehound.databases.dialect import Dialect
from racehound.databases.registry import Opened
from racehound.databases.target import Reset
from racehound.errors import TERMINATED, TargetError, TerminatedError, UserError, reason_of
from racehound.kinds.kind import Kind
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
from racehound.report.progress import Progress, Reporter
from racehound.run.perturbations.registry import DEFAULT, PerturbationSet, perturbed
from racehound.run.storm_runner import StormRunner
from racehound.scenarios import build_program
from racehound.scenarios.object_steps import KindLookup


class HuntOptions(msgspec.Struct, frozen=True):
    """What a user asks of a hunt."""

    seed: int
    runtime_s: float
    repetitions: int
    scenario: ScenarioName
    num_objects: int
    tries: int
    reset: Reset
    statement_limit_s: float
    kinds: tuple[str, ...] = ()
    """Draw only from these kinds; empty: from all that the target can have."""
    max_findings: int | None = None
    """End when there are that many findings, known weaknesses aside."""
    perturb: tuple[str, ...] = DEFAULT
    """Names of the perturbations."""
    plan_limit_s: float | None = None
    """Seconds after which a plan's next repetition is its last, so that slow ones do not use up the time."""

    def is_last(self, number: int, elapsed_s: float) -> bool:
        """Whether the repetition of that number is its plan's last; `elapsed_s`: seconds since the plan began.

        The first of several is never the last.
        """
        has_had_its_share = self.plan_limit_s is not None and number > 1 and elapsed_s > self.plan_limit_s
        return has_had_its_share or number == self.repetitions


class Summary(msgspec.Struct, frozen=True):
    """The result of a hunt."""

    seed: int
    seconds: float
    plans: int
    repetitions: int
    statements: int
    outcomes: dict[str, int]
    findings: list[Finding]
    silenced: int
    """How many findings the baseline knows."""
    interrupted: bool
    ended_early: str = ""
    """Why the hunt ended before its time; empty where it did not. A hunt that was interrupted by Ctrl-C has no reason."""
    outages: list[Outage] = []
    """When the server, or connections to it, were lost, and why."""
    retries: RetryCounts = msgspec.field(default_factory=RetryCounts)
    """What became of statements with internal and unexplained errors when they were run again at rest."""


def choose_kinds(catalogue: Sequence[type[Kind]], available: Sequence[type[Kind]], names: Sequence[str]) -> list[type[Kind]]:
    """The kinds to draw from, in the order of the catalogue: the named ones, or all enabled, of those that the server can have.

    UserError for a name that no kind has, or one that the server cannot have, and where none could be the base object.
    """
    possible = {kind.__name__.lower() for kind in available}
    known = {kind.__name__.lower() for kind in catalogue}
    for name in names:
        if name.lower() not in known:
            raise UserError(f"unknown kind {name!r}; `racehound kinds` lists those there are")
        if name.lower() not in possible:
            reasons = "its release is too old, the user may not make them, or the server cannot connect to itself"
            raise UserError(f"this server cannot have {name} objects: {reasons}")
    if not available:
        raise UserError("this server can have none of the kinds: connect as a superuser")
    wanted = {name.lower() for name in names}
    chosen = [kind for kind in available if (kind.__name__.lower() in wanted if wanted else kind.enabled)]
    if not any(kind.can_be_referenced and not kind.single for kind in chosen):
        raise UserError(f"--kinds {','.join(names)}: none of them can be the base object; add Table, or another one that can")
    return chosen


def plan_and_program(
    dialect: Dialect,
    kinds: Sequence[type[Kind]],
    seed: int,
    scenario: ScenarioName,
    num_objects: int,
    tries: int,
    perturb: Sequence[str] = DEFAULT,
) -> tuple[Plan, Program]:
    """The plan of a seed and the program that the scenario makes of it; needs no server."""
    plan = draw_plan(seed, scenario, [_entry(kind) for kind in kinds], num_objects)
    lookup = KindLookup({kind.__name__: kind for kind in kinds}, dialect.allows_transaction)
    return plan, perturbed(build_program(plan, lookup, tries), perturb)


def _entry(kind: type[Kind]) -> KindEntry:
    return KindEntry(
        name=kind.__name__,
        attributes=tuple(kind.attributes().items()),
        can_be_referenced=kind.can_be_referenced,
        weight=kind.weight,
        shared=kind.cluster_wide,
        single=kind.single,
        rarely_idle=len(kind.all_manipulations()) if kind.rarely_idle else 0,
    )


class Hunt:
    """One hunt on a started target. Ctrl-C ends `run` as if the time were up, and so does what makes it impossible to go on."""

    def __init__(self, options: HuntOptions, opened: Opened, directory: RunDirectory, store: Store, reporter: Reporter) -> None:
        self._options = options
        self._opened = opened
        self._target = opened.target
        self._perturbations = PerturbationSet(opened.database.perturbations())
        self._directory = directory
        self._store = store
        self._reporter = reporter
        self._started = time.monotonic()
        self._deadline = self._started + options.runtime_s
        self._counts: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._outages: list[Outage] = []
        self._retries = RetryCounts()

    def run(self) -> Summary:
        """Hunt until the runtime is over; the summary is also kept in the run directory."""
        kinds = choose_kinds(self._opened.catalogue, self._opened.kinds, self._options.kinds)
        interrupted, ended_early = False, ""
        seed = self._options.seed
        try:
            while not self._is_over():
                plan, program = self._draw(kinds, seed)
                self._run_plan(program)
                seed = plan.next_seed
        except TerminatedError:
            ended_early = TERMINATED
        except KeyboardInterrupt:
            interrupted = True
        except TargetError as error:
            ended_early = str(error)
        except OSError as error:
            ended_early = reason_of(error)
        summary = self._summary(interrupted=interrupted, ended_early=ended_early)
        try:
            self._store.flush()
            self._directory.write_summary(summary)
        except OSError as error:
            # What is known is shown all the same.
            return msgspec.structs.replace(summary, ended_early=ended_early or reason_of(error))
        return summary

    def _draw(self, kinds: Sequence[type[Kind]], seed: int) -> tuple[Plan, Program]:
        options = self._options
        return plan_and_program(
            self._target.dialect, kinds, seed, options.scenario, options.num_objects, options.tries, options.perturb
        )

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _is_over(self) -> bool:
        limit = self._options.max_findings
        return self._left() <= 0 or (limit is not None and self._store.headlines >= limit)

    def _run_plan(self, program: Program) -> None:
        self._counts["plans"] += 1
        self._reporter.program(print_program(program))
        path = self._directory.history(self._counts["plans"], program.seed)
        recorder = Recorder(path)
        recorder.append(PlanStarted(program))
        try:
            runner = StormRunner(
                self._target,
                program,
                recorder,
                self._opened.scratch,
                self._options.statement_limit_s,
                perturbations=self._perturbations,
                reset=self._options.reset,
            )
            with contextlib.closing(runner):
                self._repeat(runner)
        finally:
            recorder.close()
        self._store.flush()
        compress(path)

    def _repeat(self, runner: StormRunner) -> None:
        repetitions = RepetitionRunner.of(self._opened.database, self._note_outage)
        repetitions.prepare(runner)
        began = time.monotonic()
        for number in range(1, self._options.repetitions + 1):
            if self._is_over():
                return
            last = self._options.is_last(number, time.monotonic() - began)
            self._keep(repetitions.run(runner, number, whole_plan=last), runner.program)
            self._reporter.progress(self._progress(number))
            if last:
                return

    def _note_outage(self, outage: Outage) -> None:
        self._outages.append(outage)
        self._reporter.outage(outage)

    def _keep(self, repetition: JudgedRepetition, program: Program) -> None:
        self._counts["repetitions"] += 1
        self._counts["statements"] += repetition.statements
        self._outcomes["ok"] += repetition.statements - repetition.classes.total()
        self._outcomes.update(repetition.classes)
        self._retries.add(retries_of(repetition.number, repetition.events).values())
        met = FirstMet(round(time.monotonic() - self._started, 1), self._counts["repetitions"])
        for each in repetition.findings:
            finding = msgspec.structs.replace(each, first_met=met)
            if self._store.add(finding, program, repetition.events):
                self._reporter.finding(finding)

    def _progress(self, number: int) -> Progress:
        return Progress(
            left_s=max(0.0, self._left()),
            elapsed_s=time.monotonic() - self._started,
            plan=self._counts["plans"],
            repetition=number,
            repetitions=self._options.repetitions,
            total_repetitions=self._counts["repetitions"],
            statements=self._counts["statements"],
            outcomes=dict(self._outcomes),
            findings=self._store.sorted,
        )

    def _summary(self, *, interrupted: bool, ended_early: str) -> Summary:
        return Summary(
            seed=self._options.seed,
            seconds=round(time.monotonic() - self._started, 3),
            plans=self._counts["plans"],
            repetitions=self._counts["repetitions"],
            statements=self._counts["statements"],
            outcomes=dict(self._outcomes),
            findings=self._store.sorted(),
            silenced=sum(self._store.silenced.values()),
            interrupted=interrupted,
            ended_early=ended_early,
            outages=self._outages,
            retries=self._retries,
        )
