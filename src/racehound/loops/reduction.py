"""Reduces a finding on a started target: from the program that showed it to a few statements, with the rate at which they do."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, Reproduction, read_finding
from racehound.data.history import Event, Mismatch, Recorder, read_history
from racehound.data.program import Program
from racehound.data.rate import Rate, measure
from racehound.data.reduction import Ending, Reduction, read_reduction, write_reduction
from racehound.data.run_directory import RunDirectory
from racehound.data.scene import Line, Scene
from racehound.data.schedule import Listed, Schedule
from racehound.databases.registry import Opened
from racehound.errors import RacehoundError, TargetError
from racehound.loops.reduce.guesses import Guesser, culprit_of
from racehound.loops.reduce.program_passes import minimise_program
from racehound.loops.reduce.scene_passes import minimise
from racehound.loops.reduce.scene_program import lockstep_program_of
from racehound.loops.reduce.search import Search, Teller, TimeIsUpError, say_nothing
from racehound.loops.reduce.sequential import nearly
from racehound.loops.reduce.transcript import check_of, transcript
from racehound.loops.repetition import RepetitionRunner
from racehound.loops.verification import verify_kit
from racehound.report.handover import write_handover
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.storm_runner import StormRunner

_TARGET_FAILURES = 3
"""After so many failures in a row the target is given up."""
_RECORDINGS = 3
"""How many repetitions that showed the finding guesses are made from; that of the hunt is the first."""
_LEAST_S = 10.0
"""Seconds that each of several findings gets at least, if there are so many for all."""
_INTERRUPTED = "interrupted"
_GUESSING_SHARE = 0.5
"""The share of the time in which a first guess must show the finding."""


@dataclasses.dataclass(frozen=True)
class ReduceOptions:
    """What a user asks of a reduction."""

    limit_s: float = 60.0
    floor: float = 0.9
    """The least rate. A smaller scene that shows the finding more rarely is no reduction, if a larger one does not."""
    repetitions: int = 20
    """How often the result is run at the end."""
    statement_limit_s: float = 3.0
    verify: bool = True
    """Whether what is handed over is verified, too."""


class SceneRunner:
    """Tries scenes in lock-step."""

    def __init__(self, opened: Opened, finding: str, statement_limit_s: float) -> None:
        self._finding = finding
        self._recorder = Recorder(opened.scratch / f"scenes-{finding}-{time.monotonic_ns()}.jsonl")
        self._runner = LockstepRunner(opened.target, self._recorder, opened.scratch, statement_limit_s)
        self._repetitions = RepetitionRunner.of(opened.database)
        self._count = 0
        self._failures = 0
        self._taken: dict[tuple[Line, ...], Schedule] = {}
        """For scenes that showed the finding, the turns as they were taken: a turn of a blocked session goes to the next one."""

    def shows(self, scene: Scene) -> bool:
        """Whether the scene shows the finding; False for one that cannot be run. TargetError when the target cannot go on."""
        scheduled = self._runner.schedule(lockstep_program_of(scene), scene.schedule, Listed(scene.schedule))
        self._count += 1
        try:
            repetition = self._repetitions.run(scheduled, self._count)
        except TargetError:
            self._failures += 1
            if self._failures >= _TARGET_FAILURES:
                raise
            return False
        except RacehoundError:
            return False  # a variable cut in two, say
        self._failures = 0
        shown = any(met.id == self._finding for met in repetition.findings)
        if shown:
            self._taken[scene.lines] = scheduled.schedule
        return shown

    def as_taken(self, scene: Scene) -> Scene:
        """A scene that showed the finding, with its turns in the order in which they were taken: other programs keep to it."""
        return scene.taken_in(self._taken.get(scene.lines, scene.schedule))

    def can_read(self, sql: str) -> bool:
        """Whether it is a statement by its grammar, as far as the target can tell."""
        return self._runner.can_read(sql)

    def measure(self, scene: Scene, repetitions: int) -> Rate:
        return measure(lambda _: self.shows(scene), repetitions)

    def release(self) -> None:
        """Leave the target to a storm: only one of the two may use it at a time."""
        self._runner.release()

    def close(self) -> None:
        self._runner.close()
        self._recorder.close()


class ProgramRunner:
    """Tries programs in a storm, as the hunt does."""

    def __init__(self, opened: Opened, finding: str, statement_limit_s: float) -> None:
        self._opened = opened
        self._finding = finding
        self._limit_s = statement_limit_s

    def shows(self, program: Program, rate: float, deadline: float) -> bool:
        """Whether the program shows the finding nearly at that rate. TimeIsUpError when that cannot be said in time."""
        test = nearly(rate)
        counts = {True: 0, False: 0}
        for events in self.repetitions(program, deadline):
            counts[events is not None] += 1
            verdict = test.verdict(counts[True], counts[False])
            if verdict is not None:
                return verdict
        raise TimeIsUpError

    def repetitions(self, program: Program, deadline: float) -> Iterator[list[Event] | None]:
        """For each repetition its events if it showed the finding, and None if it did not; until the time is up."""
        path = self._opened.scratch / f"storm-{self._finding}-{time.monotonic_ns()}.jsonl"
        perturbations = PerturbationSet(self._opened.database.perturbations())
        runs = RepetitionRunner.of(self._opened.database)
        with contextlib.closing(Recorder(path)) as recorder:
            runner = StormRunner(
                self._opened.target, program, recorder, self._opened.scratch, self._limit_s, perturbations=perturbations
            )
            with contextlib.closing(runner):
                runs.prepare(runner)
                for number in itertools.count(1):
                    if time.monotonic() >= deadline:
                        return
                    repetition = runs.run(runner, number)
                    yield repetition.events if any(met.id == self._finding for met in repetition.findings) else None


class Reducer:
    """Reduces one finding. Ctrl-C ends `reduce` with the smallest scene or program that is known by then."""

    def __init__(self, directory: Path, opened: Opened, options: ReduceOptions, tell: Teller = say_nothing) -> None:
        self._directory = directory
        self._opened = opened
        self._options = options
        self._tell = tell
        self.finding, self.program = read_finding(directory)
        self._started = time.monotonic()
        self._deadline = self._started + options.limit_s
        self._scenes = SceneRunner(opened, self.finding.id, options.statement_limit_s)
        self._programs = ProgramRunner(opened, self.finding.id, options.statement_limit_s)
        self._guesses = 0

    def reduce(self) -> Reduction | None:
        """The reduction, which is also kept beside the finding; None where nothing smaller shows it."""
        try:
            scene = self._first_scene()
            reduction = self._reduce_program() if scene is None else self._reduce_scene(scene)
        finally:
            self._scenes.close()
        if reduction is not None:
            write_reduction(self._directory, reduction)
            write_handover(self._directory, self.finding, reduction, self._opened.database.hand_over)
            if self._options.verify and reduction.ending != _INTERRUPTED:
                verify_kit(self._directory, self._opened.database, self._opened.scratch)
        return reduction

    # In lock-step

    def _first_scene(self) -> Scene | None:
        """A scene that shows the finding; None where no guess does in the time for that."""
        deadline = self._started + self._options.limit_s * _GUESSING_SHARE
        for events in self._recordings(deadline):
            for scene in self._guess(events):
                if time.monotonic() >= deadline:
                    return None
                self._guesses += 1
                self._tell("guesses", self._guesses, str(scene.size))
                if self._scenes.shows(scene):
                    return scene
        return None

    def _recordings(self, deadline: float) -> Iterator[list[Event]]:
        """The events of repetitions that showed the finding: first of the hunt's own, then of others of the same program."""
        yield list(read_history(self._directory / "history.jsonl"))
        self._scenes.release()
        met = (events for events in self._programs.repetitions(self.program, deadline) if events is not None)
        fresh = list(itertools.islice(met, _RECORDINGS - 1))
        yield from fresh

    def _guess(self, events: list[Event]) -> Iterator[Scene]:
        culprit = culprit_of(self.finding)
        statements = transcript(self.program, events, culprit.end_ns if culprit else None)
        check = check_of(self.program, [event for event in events if isinstance(event, Mismatch)], self.finding.title)
        common = Scene((), self.program.refers_to, self.program.seed, check)
        return Guesser(statements, self.finding, common, self._opened.target.dialect.allows_transaction).guesses()

    def _reduce_scene(self, scene: Scene) -> Reduction:
        search = Search(
            scene,
            self._scenes.shows,
            key=lambda candidate: candidate.lines,
            deadline=self._deadline,
            tell=self._tell,
        )
        ending = _searched(lambda: minimise(search, self._scenes.can_read))
        best, rate = self._steady(search)
        return self._reduction(rate, ending, search, scene=self._scenes.as_taken(best))

    def _steady(self, search: Search[Scene]) -> tuple[Scene, Rate]:
        """The smallest accepted scene that shows the finding often enough, or else the one that shows it most often."""
        measured: list[tuple[Scene, Rate]] = []
        back = 0
        while True:
            scene = search.accepted[max(0, len(search.accepted) - 1 - back)]
            measured.append((scene, self._scenes.measure(scene, self._options.repetitions)))
            if _share(measured[-1][1]) >= self._options.floor:
                return measured[-1]
            if back >= len(search.accepted) - 1:
                return max(measured, key=lambda entry: _share(entry[1]))
            back = back * 2 + 1

    # In a storm

    def _reduce_program(self) -> Reduction | None:
        """A smaller program than the hunt's own; None when that does not show the finding again in the time that is left."""
        self._scenes.release()
        rate = self._storm_rate(self.program)
        if not rate.reproduction.reproduced:
            return None
        known = _share(rate)
        search = Search(
            self.program,
            lambda program: self._programs.shows(program, known, self._deadline),
            key=msgspec.json.encode,
            deadline=self._deadline,
            tell=self._tell,
        )
        ending = _searched(lambda: minimise_program(search))
        last = self._storm_rate(search.best) if len(search.accepted) > 1 else rate
        return self._reduction(last, ending, search, program=search.best)

    def _storm_rate(self, program: Program) -> Rate:
        """How often a program shows the finding, in so many repetitions as the time allows, and at least a second."""
        deadline = max(self._deadline, time.monotonic() + 1)
        met = list(itertools.islice(self._programs.repetitions(program, deadline), self._options.repetitions))
        first = next((number for number, events in enumerate(met, 1) if events is not None), 0)
        return Rate(Reproduction(len(met), sum(events is not None for events in met)), first)

    def _reduction(
        self,
        rate: Rate,
        ending: Ending,
        search: Search[Scene] | Search[Program],
        scene: Scene | None = None,
        program: Program | None = None,
    ) -> Reduction:
        return Reduction(
            finding=self.finding.id,
            database=self._opened.target.dialect.title,
            release=self._opened.target.release,
            reproduction=rate.reproduction,
            seconds=round(time.monotonic() - self._started, 3),
            ending=ending,
            passes=tuple(search.passes.values()),
            scene=scene,
            program=program,
        )


def reduce(
    directory: Path, opened: Opened, options: ReduceOptions, tell: Teller = say_nothing
) -> tuple[Finding, Reduction | None]:
    """Reduce the finding of a directory; see `Reducer`."""
    reducer = Reducer(directory, opened, options, tell)
    return reducer.finding, reducer.reduce()


def reduce_all(
    findings: Sequence[Finding],
    run: RunDirectory,
    opened: Opened,
    limit_s: float,
    statement_limit_s: float,
    tell: Teller = say_nothing,
) -> str:
    """Reduce the findings of a run, worst first, as far as the time goes. Returns why not all of them were reduced, or "".

    Known weaknesses are left out. Ctrl-C ends it with what is known by then.
    """
    deadline = time.monotonic() + limit_s
    worth = [finding for finding in findings if not finding.is_weakness]
    over, why = 0, "the time for that was over"
    try:
        for finding in worth:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            options = ReduceOptions(
                min(left, max(_LEAST_S, limit_s / len(worth))), statement_limit_s=statement_limit_s, verify=False
            )
            _, reduction = reduce(run.findings / finding.id, opened, options, tell)
            over += 1
            if reduction is not None and reduction.ending == "interrupted":
                why = _INTERRUPTED
                break
    except KeyboardInterrupt:
        why = _INTERRUPTED
    except TargetError as error:
        why = str(error)
    return f"{len(worth) - over} of {len(worth)} findings were not reduced: {why}" if over < len(worth) else ""


def replay_scene(directory: Path, opened: Opened, repetitions: int, statement_limit_s: float) -> Rate | None:
    """How often the scene that a finding was reduced to shows it; None where it was not reduced to a scene.

    The rate on this release is added to the reduction and to the files that are handed over.
    """
    reduction = read_reduction(directory)
    if reduction is None or reduction.scene is None:
        return None
    scenes = SceneRunner(opened, reduction.finding, statement_limit_s)
    try:
        rate = scenes.measure(reduction.scene, repetitions)
    finally:
        scenes.close()
    replays = {**reduction.replays, opened.target.release: rate.reproduction}
    known = msgspec.structs.replace(reduction, replays=replays)
    write_reduction(directory, known)
    write_handover(directory, read_finding(directory)[0], known, opened.database.hand_over)
    return rate


def _searched(passes: Callable[[], None]) -> Ending:
    """Run passes, and say how they ended."""
    try:
        passes()
    except TimeIsUpError:
        return "time is up"
    except KeyboardInterrupt:
        return "interrupted"
    return "minimal"


def _share(rate: Rate) -> float:
    return rate.reproduction.reproduced / max(1, rate.reproduction.tried)
