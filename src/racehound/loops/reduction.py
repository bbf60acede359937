"""Reduces a finding on a started target: from the program that showed it to a few statements, with the rate at which they do."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from racehound.data.finding import (
    SERIAL_ORDERS,
    Culprit,
    Finding,
    Reproduction,
    SerialOrders,
    read_finding,
    shown,
    write_finding,
)
from racehound.data.history import Event, Mismatch, Recorder, read_history
from racehound.data.program import Program
from racehound.data.rate import Rate, measure
from racehound.data.reduction import Ending, Reduction, read_reduction, write_reduction
from racehound.data.scene import Line, Scene
from racehound.data.schedule import Listed, Schedule, serial_schedules
from racehound.databases.registry import Opened
from racehound.errors import RacehoundError, ServerGoneError, TargetError, TimeIsUpError
from racehound.judge.serial_findings import same_defect
from racehound.loops.reduce.confirmation import culprit_in_scene
from racehound.loops.reduce.guesses import Guesser, culprit_of
from racehound.loops.reduce.program_passes import minimise_program
from racehound.loops.reduce.scene_passes import minimise
from racehound.loops.reduce.scene_program import lockstep_program_of
from racehound.loops.reduce.search import Search, Teller, say_nothing
from racehound.loops.reduce.sequential import nearly
from racehound.loops.reduce.transcript import check_of, transcript
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
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
_MOSTLY = 0.5
"""A scene that shows the finding more rarely confirms no culprit."""
_CONFIRMING_S = 3.0
"""Seconds for a known weakness, to confirm its culprit."""
_CONFIRMING_ALL_S = 20.0
"""The same for all of them."""
_SCENES_OF_A_CULPRIT = 12
_GUESSING_SHARE = 0.5
"""The share of the time in which a first guess must show the finding."""
_SEARCH_SHARE = 0.8
"""The share of the time in which smaller ones are searched for. In the rest the result is run again."""
_OVER: list[Event] = []
"""Stands for the end of repetitions."""
SERIAL_STORMS = 6
"""Serial orders of a storm's program that are tried: all of up to three sessions."""
_LEAST_VERIFICATION_S = 30.0
"""Seconds for verifying a kit, also where the reduction has taken all its time; usually it takes a few."""
_LEAST_CONFIRMATION_S = 2.0
"""Seconds for running the result again, also where the search has taken all its time and the machine is busy."""


@dataclasses.dataclass(frozen=True)
class ReduceOptions:
    """What a user asks of a reduction."""

    limit_s: float = 60.0
    """Seconds. A reduction ends within a few seconds after them; verifying its kit may come on top."""
    floor: float = 0.9
    """The least rate. A smaller scene that shows the finding more rarely is no reduction, if a larger one does not."""
    repetitions: int = 20
    """How often the result is run at the end."""
    statement_limit_s: float = 3.0
    verify: bool = True
    """Whether what is handed over is verified, too."""


class SceneRunner:
    """Tries scenes in lock-step.

    `needs_race`: a scene counts only if none of its serial orders shows the finding. What is left might be nonsense otherwise,
    such as a check of rows that nobody has written.
    """

    def __init__(self, opened: Opened, finding: Finding, statement_limit_s: float) -> None:
        self.needs_race = True
        self._finding = finding.id
        self._serial: dict[tuple[Line, ...], list[list[Finding] | None]] = {}
        """What the serial orders of scenes have shown so far, by the lines of the scene, sessions one after the other."""
        self._recorder = Recorder(opened.scratch / f"scenes-{finding.id}-{time.monotonic_ns()}.jsonl")
        self._runner = LockstepRunner(opened.target, self._recorder, opened.scratch, statement_limit_s)
        self._repetitions = RepetitionRunner.of(opened.database, retry=finding.at_rest == "lasting")
        self._count = 0
        self._failures = 0
        self._taken: dict[tuple[Line, ...], Schedule] = {}
        """For scenes that showed the finding, the turns as they were taken: a turn of a blocked session goes to the next one."""

    def until(self, deadline: float) -> None:
        """From now on a try ends at that time, as `time.monotonic` counts."""
        self._runner.deadline = deadline

    def shows(self, scene: Scene) -> bool:
        """Whether the scene shows the finding, and counts; False for one that cannot be run, and for one of only a setup.

        TargetError when the target cannot go on, TimeIsUpError where that cannot be said in time.
        """
        met = self._met(scene) if scene.turns else []
        return bool(met) and (not self.needs_race or self._serial_order(scene, met)[0] == "clean")

    def serial_orders(self, scene: Scene) -> tuple[SerialOrders, Schedule]:
        """Whether serial orders of a scene that shows the finding show it, too, and the first that does.

        "not tried" for a scene that does not show it, and for one of which an order cannot be run. Errors as of `shows`.
        """
        met = self._met(scene)
        return self._serial_order(scene, met) if met else ("not tried", ())

    def _met(self, scene: Scene) -> list[Finding]:
        """The finding as the scene's own schedule shows it, or what it is a consequence of there."""
        return [each for each in self._found(scene, scene.schedule) or () if shown(self._finding, (each,))]

    def _serial_order(self, scene: Scene, met: Sequence[Finding]) -> tuple[SerialOrders, Schedule]:
        """As of `serial_orders`, for what the scene's own schedule has shown."""
        schedules = serial_schedules([len(scene.of(number)) for number in sorted(scene.sessions)])
        key = (*scene.setup, *(line for number in sorted(scene.sessions) for line in scene.of(number)))
        known = self._serial.setdefault(key, [])
        for number, schedule in enumerate(schedules):
            if number == len(known):
                known.append(self._found(scene, schedule))
            found = known[number]
            if found is None:
                return "not tried", ()
            if shown(self._finding, found) or any(same_defect(one, other) for one in met for other in found):
                return "show it", schedule
        return "clean", ()

    def _found(self, scene: Scene, schedule: Schedule) -> list[Finding] | None:
        """What a schedule of the scene shows; None for a scene that cannot be run. Errors as of `shows`."""
        if time.monotonic() >= self._runner.deadline:
            raise TimeIsUpError("there was no time left to try a scene")
        scheduled = self._runner.schedule(lockstep_program_of(scene), schedule, Listed(schedule))
        self._count += 1
        try:
            repetition = self._repetitions.run(scheduled, self._count)
        except TargetError as error:
            self._failures += 1
            if self._failures >= _TARGET_FAILURES or isinstance(error, ServerGoneError):
                raise
            return None
        except TimeIsUpError:
            raise
        except RacehoundError:
            return None  # a variable cut in two, say
        self._failures = 0
        if schedule == scene.schedule and shown(self._finding, repetition.findings):
            self._taken[scene.lines] = scheduled.schedule
        return repetition.findings

    def as_taken(self, scene: Scene) -> Scene:
        """A scene that showed the finding, with its turns in the order in which they were taken: other programs keep to it."""
        return scene.taken_in(self._taken.get(scene.lines, scene.schedule))

    def can_read(self, sql: str) -> bool:
        """Whether it is a statement by its grammar, as far as the target can tell."""
        return self._runner.can_read(sql)

    def measure(self, scene: Scene, repetitions: int) -> Rate:
        """How often its own schedule shows the finding, in so many tries, or fewer where the time is up."""
        return measure(lambda _: bool(self._met(scene)), repetitions)

    def release(self) -> None:
        """Leave the target to a storm: only one of the two may use it at a time."""
        self._runner.release()

    def close(self) -> None:
        self._runner.close()
        self._recorder.close()


class ProgramRunner:
    """Tries programs in a storm, as the hunt does. `needs_race`: as of `SceneRunner`."""

    def __init__(self, opened: Opened, finding: Finding, statement_limit_s: float) -> None:
        self.needs_race = True
        self._opened = opened
        self._finding = finding
        self._retry = finding.at_rest == "lasting"
        self._limit_s = statement_limit_s

    def shows(self, program: Program, rate: float, deadline: float) -> bool:
        """Whether the program shows the finding nearly at that rate, and none of its serial orders does.

        TimeIsUpError when that cannot be said in time.
        """
        test = nearly(rate)
        counts = {True: 0, False: 0}
        with contextlib.closing(self.repetitions(program, deadline)) as repetitions:
            for events in repetitions:
                counts[events is not None] += 1
                verdict = test.verdict(counts[True], counts[False])
                if verdict is not None:
                    break
            else:
                raise TimeIsUpError("the time was over before it was clear how often a program shows the finding")
        return verdict and not (self.needs_race and self.shown_serially(program, deadline))

    def shown_serially(self, program: Program, deadline: float) -> bool:
        """Whether it shows the finding when its sessions run one after the other. At most `SERIAL_STORMS` orders are tried.

        TimeIsUpError when that cannot be said in time.
        """
        for order in itertools.islice(itertools.permutations(program.sessions), SERIAL_STORMS):
            alone = msgspec.structs.replace(program, sessions=order, perturbations=())
            with contextlib.closing(self._judged(alone, deadline, one_by_one=True)) as repetitions:
                repetition = next(repetitions, None)
            if repetition is None:
                raise TimeIsUpError("the time was over before the serial orders of a program were tried")
            found = repetition.findings
            if shown(self._finding.id, found) or any(same_defect(self._finding, each) for each in found):
                return True
        return False

    def repetitions(self, program: Program, deadline: float) -> Generator[list[Event] | None, None, None]:
        """For each repetition its events if it showed the finding, and None if it did not; until the time is up.

        The generator has to be closed before anything else uses the target.
        """
        with contextlib.closing(self._judged(program, deadline)) as repetitions:
            for each in repetitions:
                yield each.events if shown(self._finding.id, each.findings) else None

    def _judged(self, program: Program, deadline: float, *, one_by_one: bool = False) -> Generator[JudgedRepetition, None, None]:
        """Repetitions until the time is up; as of `repetitions`. `one_by_one`: see `StormRunner`."""
        path = self._opened.scratch / f"storm-{self._finding.id}-{time.monotonic_ns()}.jsonl"
        perturbations = PerturbationSet(self._opened.database.perturbations())
        runs = RepetitionRunner.of(self._opened.database, retry=self._retry)
        with contextlib.closing(Recorder(path)) as recorder:
            runner = StormRunner(
                self._opened.target,
                program,
                recorder,
                self._opened.scratch,
                self._limit_s,
                perturbations=perturbations,
                deadline=deadline,
                one_by_one=one_by_one,
            )
            with contextlib.closing(runner), contextlib.suppress(TimeIsUpError):
                runs.prepare(runner)
                for number in itertools.count(1):
                    if time.monotonic() >= deadline:
                        return
                    yield runs.run(runner, number)


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
        self._scenes = SceneRunner(opened, self.finding, options.statement_limit_s)
        self._programs = ProgramRunner(opened, self.finding, options.statement_limit_s)
        self._guesses = 0
        self._recorded = 0
        self._storms: list[bool] = []
        """For each repetition of the finding's own program in a storm, whether it showed the finding."""
        self._alone = 0
        """Guesses that do not count, since a serial order of theirs shows the finding, too."""
        self.tried = ""
        """What was tried in lock-step and in a storm, where that came to nothing."""

    def reduce(self) -> Reduction | None:
        """The reduction, which is also kept beside the finding; None where nothing smaller shows it.

        A finding about what must hold is not reduced where a serial order shows it: what is left would be nonsense.
        """
        if self.finding.serial_orders == "show it" and self.finding.oracle == "contents":
            self._scenes.close()
            self.tried = SERIAL_ORDERS["show it"]
            return None
        try:
            scene = self._first_scene()
            reduction = self._reduce_program() if scene is None else self._reduce_scene(scene)
        finally:
            self._scenes.close()
        write_finding(self._directory, self.finding)
        if reduction is not None:
            write_reduction(self._directory, reduction)
            write_handover(self._directory, self.finding, reduction, self._opened.database.hand_over)
            if reduction.scene and _share(Rate(reduction.reproduction, 0)) > _MOSTLY:
                self._keep_culprit(culprit_in_scene(reduction.scene, self.finding, self._opened.target.dialect.effect))
            if self._options.verify and reduction.ending != _INTERRUPTED:
                left = max(_LEAST_VERIFICATION_S, self._deadline - time.monotonic())
                verify_kit(self._directory, self._opened.database, self._opened.scratch, left)
        return reduction

    def confirm(self) -> bool:
        """Whether a likely culprit shows the finding in lock-step, and no serial order does; then it is kept as confirmed."""
        self._scenes.until(self._deadline)
        try:
            for culprit, scene in self._suspected_scenes():
                if self._scenes.shows(scene):
                    self._keep_culprit(culprit)
                    return True
        except TimeIsUpError:
            return False
        finally:
            self._scenes.close()
        return False

    def _suspected_scenes(self) -> list[tuple[Culprit, Scene]]:
        """Guesses in which a likely culprit meets the failed statement: a few of each, those of the likeliest culprit first."""
        found: dict[tuple[str, str], list[tuple[Culprit, Scene]]] = {(c.failed, c.other): [] for c in self.finding.culprits}
        for scene in self._guess(list(read_history(self._directory / "history.jsonl"))):
            culprit = culprit_in_scene(scene, self.finding, self._opened.target.dialect.effect)
            if culprit is not None and (culprit.failed, culprit.other) in found:
                found[culprit.failed, culprit.other].append((culprit, scene))
        return [each for scenes in found.values() for each in scenes[:_SCENES_OF_A_CULPRIT]]

    def _keep_culprit(self, culprit: Culprit | None) -> None:
        if culprit is not None:
            known = read_finding(self._directory)[0]
            write_finding(self._directory, msgspec.structs.replace(known, culprits=(culprit,)))

    @property
    def _search_deadline(self) -> float:
        return self._started + self._options.limit_s * _SEARCH_SHARE

    # In lock-step

    def _first_scene(self) -> Scene | None:
        """A scene that shows the finding; None where no guess does in the time for that.

        One that shows it in a serial order, too, is taken, in that order, only where no other is found: then no race is needed.
        Of a finding about what must hold it never is: the guess may lack what that is about.
        """
        alone: Scene | None = None
        may_be_alone = self.finding.oracle != "contents" and self.finding.serial_orders != "clean"
        with contextlib.suppress(TimeIsUpError):
            for scene, orders, order in self._verdicts():
                if orders == "clean":
                    return scene
                self._alone += 1
                if alone is None and may_be_alone:
                    alone = scene.taken_in(order)
        if alone is not None:
            self._needs_no_race()
            return alone
        made = f"{self._guesses} schedules made from {self._recorded} recorded repetition{'s' if self._recorded != 1 else ''}"
        of = f"of {made} {self._alone} showed it, but so did serial orders of the same statements"
        self.tried = f"not in lock-step: {of if self._alone else f'none of {made} showed it'}"
        return None

    def _needs_no_race(self) -> None:
        self.finding = msgspec.structs.replace(self.finding, serial_orders="show it")
        self._scenes.needs_race = self._programs.needs_race = False

    def _verdicts(self) -> Iterator[tuple[Scene, SerialOrders, Schedule]]:
        """The guesses that show the finding, what their serial orders show, and the first of these that shows it.

        Ends after the first recorded repetition of which a guess shows it. TimeIsUpError when the time for that is over.
        """
        deadline = self._started + self._options.limit_s * _GUESSING_SHARE
        self._scenes.until(deadline)
        for events in self._recordings(deadline):
            self._recorded += 1
            showed = False
            for scene in self._guess(events):
                self._guesses += 1
                self._tell("guesses", self._guesses, str(scene.size))
                orders, order = self._scenes.serial_orders(scene)
                if orders != "not tried":
                    showed = True
                    yield scene, orders, order
            if showed:
                return

    def _recordings(self, deadline: float) -> Iterator[list[Event]]:
        """The events of repetitions that showed the finding: first of the hunt's own, then of others of the same program."""
        yield list(read_history(self._directory / "history.jsonl"))
        self._scenes.release()
        yield from self._storm(deadline, lambda met: len(met) == _RECORDINGS - 1)

    def _storm(self, deadline: float, enough: Callable[[list[list[Event]]], bool]) -> list[list[Event]]:
        """Run the finding's own program in a storm, until that is enough; the events of repetitions that showed the finding."""
        met: list[list[Event]] = []
        with contextlib.closing(self._programs.repetitions(self.program, deadline)) as repetitions:
            while not enough(met) and (events := next(repetitions, _OVER)) is not _OVER:
                self._storms.append(events is not None)
                if events is not None:
                    met.append(events)
        return met

    def _guess(self, events: list[Event]) -> Iterator[Scene]:
        """Guesses for one repetition, the likeliest first.

        What a schedule has shown in lock-step is first tried in just that schedule. Most guesses end where the culprit ended; the
        whole repetition is tried, too, since a serial order may show the finding only where later statements are missing.
        """
        whole, culprit = self._guesser(events, None), culprit_of(self.finding)
        if self.finding.schedule:
            yield whole.as_recorded()
        yield from self._guesser(events, culprit.end_ns if culprit else None).guesses()
        if culprit and not self.finding.schedule:
            yield whole.as_recorded()

    def _guesser(self, events: list[Event], until_ns: int | None) -> Guesser:
        check = "".join(step.fragment for step in self.program.check) or check_of(
            self.program, [event for event in events if isinstance(event, Mismatch)], self.finding.title
        )
        common = Scene((), self.program.refers_to, self.program.seed, check)
        statements, dialect = transcript(self.program, events, until_ns), self._opened.target.dialect
        return Guesser(statements, self.finding, common, dialect.allows_transaction, dialect.effect)

    def _reduce_scene(self, scene: Scene) -> Reduction:
        deadline = self._search_deadline
        self._scenes.until(deadline)
        search = Search(scene, self._scenes.shows, key=lambda candidate: candidate.lines, deadline=deadline, tell=self._tell)
        ending = _searched(lambda: minimise(search, self._scenes.can_read))
        self._scenes.until(max(self._deadline, time.monotonic() + _LEAST_CONFIRMATION_S))
        best, rate = self._steady(search)
        count = math.factorial(len(best.sessions))
        tried = len(serial_schedules([len(best.of(number)) for number in best.sessions]))
        return self._reduction(rate, ending, search, (tried, count), scene=self._scenes.as_taken(best))

    def _steady(self, search: Search[Scene]) -> tuple[Scene, Rate]:
        """The smallest accepted scene that shows the finding often enough, or else the one that shows it most often."""
        measured: list[tuple[Scene, Rate]] = []
        back = 0
        while True:
            scene = search.accepted[max(0, len(search.accepted) - 1 - back)]
            measured.append((scene, self._scenes.measure(scene, self._options.repetitions)))
            if not measured[-1][1].reproduction.tried:
                return max(measured, key=lambda entry: _share(entry[1]))  # the time is up
            if _share(measured[-1][1]) >= self._options.floor:
                return measured[-1]
            if back >= len(search.accepted) - 1:
                return max(measured, key=lambda entry: _share(entry[1]))
            back = back * 2 + 1

    # In a storm

    def _reduce_program(self) -> Reduction | None:
        """A smaller program than the hunt's own; None when that does not show the finding again in the time that is left."""
        self._scenes.release()
        deadline = self._search_deadline
        self._storm(deadline, lambda _: any(self._storms) and len(self._storms) >= self._options.repetitions)
        rate = _rate(self._storms)
        if not rate.reproduction.reproduced:
            self.tried += f"; not in a storm: none of {rate.reproduction.tried} repetitions of its program did"
            return None
        known = _share(rate)
        compared = False
        with contextlib.suppress(TimeIsUpError):
            if self._programs.shown_serially(self.program, deadline):
                if self.finding.oracle == "contents":
                    # Other rows than in the serial orders may be wrong in another way. Who has compared the rows knows.
                    if self.finding.serial_orders == "not tried":
                        self.finding = msgspec.structs.replace(self.finding, serial_orders="show it")
                    self.tried += "; in serial orders other rows come back than must hold, too"
                    return None
                self._needs_no_race()
            compared = True
        search = Search(
            self.program,
            lambda program: self._programs.shows(program, known, deadline),
            key=msgspec.json.encode,
            deadline=deadline,
            tell=self._tell,
        )
        ending = _searched(lambda: minimise_program(search))
        last = self._storm_rate(search.best) if len(search.accepted) > 1 else rate
        count = math.factorial(len(search.best.sessions))
        tried = min(count, SERIAL_STORMS) if compared or len(search.accepted) > 1 else 0
        return self._reduction(last, ending, search, (tried, count), program=search.best)

    def _storm_rate(self, program: Program) -> Rate:
        """How often a program shows the finding, in as many repetitions as the time allows."""
        deadline = max(self._deadline, time.monotonic() + _LEAST_CONFIRMATION_S)
        with contextlib.closing(self._programs.repetitions(program, deadline)) as repetitions:
            return _rate([events is not None for events in itertools.islice(repetitions, self._options.repetitions)])

    def _reduction(
        self,
        rate: Rate,
        ending: Ending,
        search: Search[Scene] | Search[Program],
        orders: tuple[int, int],
        scene: Scene | None = None,
        program: Program | None = None,
    ) -> Reduction:
        """`orders`: how many serial orders of it were tried, and how many it has."""
        if self._scenes.needs_race and orders[0] == orders[1]:
            self.finding = msgspec.structs.replace(self.finding, serial_orders="clean")
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
            tried=self.tried,
            serial_orders=orders,
            serial=self.finding.serial_orders == "show it",
        )


class Reduced(NamedTuple):
    """What became of the reduction of a finding."""

    finding: Finding
    """With what is known of serial orders now."""
    reduction: Reduction | None
    """None where nothing smaller shows it."""
    tried: str
    """What was tried where that came to nothing, in lock-step or at all; "" where it did not."""


def reduce(directory: Path, opened: Opened, options: ReduceOptions, tell: Teller = say_nothing) -> Reduced:
    """Reduce the finding of a directory; see `Reducer`."""
    reducer = Reducer(directory, opened, options, tell)
    reduction = reducer.reduce()
    return Reduced(reducer.finding, reduction, reducer.tried)


@dataclasses.dataclass(frozen=True)
class ReducedAll:
    """How far the reduction of several findings came."""

    tried: int
    """Findings of which each was reduced, or could not be in its time."""
    findings: int
    why: str
    """Why the others were not tried; "" where all were."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.why == _INTERRUPTED

    @property
    def left_out(self) -> str:
        """A line that says what was not tried, and why; "" where all were."""
        left = self.findings - self.tried
        return f"{left} of {self.findings} findings were not reduced: {self.why}" if left else ""


def reduce_all(
    directories: Sequence[Path],
    opened: Opened,
    options: ReduceOptions,
    tell: Teller = say_nothing,
    show: Callable[[Reduced], object] = lambda _reduced: None,
) -> ReducedAll:
    """Reduce findings in this order, in the time of the options for all together. `show` is called with each result.

    Each gets an equal share of what the earlier ones have left, and at least ten seconds, while there are any. Ctrl-C ends it
    with what is known by then.
    """
    deadline = time.monotonic() + options.limit_s
    tried, why = 0, "the time for that was over"
    try:
        for directory in directories:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            limit_s = min(left, max(_LEAST_S, left / (len(directories) - tried)))
            reduced = reduce(directory, opened, dataclasses.replace(options, limit_s=limit_s), tell)
            tried += 1
            show(reduced)
            if reduced.reduction is not None and reduced.reduction.ending == "interrupted":
                return ReducedAll(tried, len(directories), _INTERRUPTED)
    except KeyboardInterrupt:
        why = _INTERRUPTED
    except TargetError as error:
        why = str(error)
    return ReducedAll(tried, len(directories), why if tried < len(directories) or why == _INTERRUPTED else "")


def confirm_culprits(directories: Sequence[Path], opened: Opened, limit_s: float, statement_limit_s: float) -> str:
    """Confirm the culprits of findings in lock-step, a few seconds each, at most so many seconds in all, and never more than
    twenty. Returns why it ended early, or "".
    """
    deadline = time.monotonic() + min(limit_s, _CONFIRMING_ALL_S)
    try:
        for directory in directories:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            options = ReduceOptions(min(left, _CONFIRMING_S), statement_limit_s=statement_limit_s)
            reducer = Reducer(directory, opened, options)
            if reducer.finding.culprits:
                reducer.confirm()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except TargetError as error:
        return str(error)
    return ""


def replay_scene(directory: Path, opened: Opened, repetitions: int, statement_limit_s: float) -> Rate | None:
    """How often the scene that a finding was reduced to shows it; None where it was not reduced to a scene.

    The rate on this release is added to the reduction and to the files that are handed over.
    """
    reduction = read_reduction(directory)
    if reduction is None or reduction.scene is None:
        return None
    finding, _ = read_finding(directory)
    scenes = SceneRunner(opened, finding, statement_limit_s)
    try:
        rate = scenes.measure(reduction.scene, repetitions)
    finally:
        scenes.close()
    replays = {**reduction.replays, opened.target.release: rate.reproduction}
    known = msgspec.structs.replace(reduction, replays=replays)
    write_reduction(directory, known)
    write_handover(directory, finding, known, opened.database.hand_over)
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


def _rate(shown: Sequence[bool]) -> Rate:
    """Of repetitions, for each whether it showed the finding."""
    return Rate(Reproduction(len(shown), sum(shown)), shown.index(True) + 1 if any(shown) else 0)


def _share(rate: Rate) -> float:
    return rate.reproduction.reproduced / max(1, rate.reproduction.tried)
