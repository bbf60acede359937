"""One schedule in lock-step, from a clean working database to the judgement of all oracles; exploration and reduction use it."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from racehound.data.finding import Finding
from racehound.data.history import Event, LogLine, Mismatch, RepetitionEnded, RepetitionStarted
from racehound.data.program import Program
from racehound.data.schedule import Order, Schedule
from racehound.loops.trial import Judge, consequences, distinct
from racehound.run.lockstep import Move
from racehound.run.session_script import OBJECT
from racehound.run.stage import DIRECTOR, Stage

Excused = frozenset[tuple[str, int, str]]
"""Errors that need no explanation; see `oracles.oracle.Observed`."""
_DAMAGING = ("crash", "corruption", "hang", "leak")


@dataclasses.dataclass(frozen=True)
class Played:
    """What became of a schedule."""

    number: int
    schedule: Schedule
    """The turns as they were taken."""
    moves: list[Move]
    events: list[Event]
    findings: list[Finding]


def _nothing_excused(_events: list[Event], _moves: list[Move], _schedule: Schedule) -> Excused:
    return frozenset()


class Performer:
    """Performs on a stage. `whole_plan` adds the checks that are too slow for every schedule."""

    def __init__(self, stage: Stage, *, whole_plan: bool = False) -> None:
        self.stage = stage
        self._whole_plan = whole_plan
        self._judge = Judge(stage)
        self._pool = ThreadPoolExecutor(1)
        self._count = 0
        self._swept: Future[bool] | None = None
        """Whether the working database can take another schedule; None where it cannot."""

    def perform(
        self,
        program: Program,
        asked: Schedule,
        order: Order,
        excuse: Callable[[list[Event], list[Move], Schedule], Excused] = _nothing_excused,
        number: int | None = None,
    ) -> Played:
        """One schedule of the scripts on stage, which `program` tells the oracles about, setup to teardown.

        `number`: the schedule's own, where this performer does not do all of them.
        TargetError when the target cannot go on, UserError for a setup that has to succeed and fails.
        """
        self._ready()
        self._count = number = number or self._count + 1
        stage = self.stage
        stage.recorder.append(RepetitionStarted(number, time.monotonic_ns(), schedule=asked))
        stage.set_up(number)
        lead = stage.lead(number)
        moves = lead.play(order)
        stage.rest()
        self._check(number)
        events = stage.recorder.take()
        found = self._at_rest(program, events, number)
        if not found and not stage.damaged:
            self._verify(number)
        events += self._log_lines(number)
        more, drawers = self._judge.afterwards(program, number, events, excuse(events, moves, lead.schedule))
        findings = consequences(distinct([*found, *more]))
        stage.tear_down(number)
        if not stage.damaged and not any(finding.severity in _DAMAGING for finding in findings):
            self._swept = self._pool.submit(stage.stepping.sweep)  # while all this is written down
        stage.recorder.append(_ended(number, lead.schedule, findings, Counter({str(d): n for d, n in drawers.items()})))
        return Played(number, lead.schedule, moves, events + stage.recorder.take(), findings)

    def settle(self) -> None:
        """Wait for what is still being swept, before anything else is asked of the target."""
        if self._swept is not None:
            self._swept.exception()

    def close(self) -> None:
        """Wait for what is still being swept; before the stage is closed."""
        self._pool.shutdown()

    def _ready(self) -> None:
        """A clean working database."""
        swept, self._swept = self._swept, None
        if swept is not None and swept.result():
            return
        self.stage.build()
        self._judge.begin()

    def _check(self, number: int) -> None:
        start_ns = time.monotonic_ns()
        failure = self.stage.check(number)
        if failure is not None:
            difference = failure.difference or str(failure.reason)
            self.stage.recorder.append(
                Mismatch(number, DIRECTOR, OBJECT, "verify", failure.sql, difference, start_ns, time.monotonic_ns())
            )

    def _verify(self, number: int) -> None:
        """What the objects' own kinds say of those that are left. An error is the errors oracle's to judge."""
        start_ns = time.monotonic_ns()
        for step, failure in self.stage.verify(number):
            if failure.outcome is not None and failure.outcome.ok:
                difference = failure.difference or str(failure.reason)
                self.stage.recorder.append(
                    Mismatch(number, DIRECTOR, step.object, "verify", failure.sql, difference, start_ns, time.monotonic_ns())
                )

    def _at_rest(self, program: Program, events: list[Event], number: int) -> list[Finding]:
        """What is wrong with the state: a quick look first, and judgement in earnest where that shows anything."""
        stage = self.stage
        if stage.damaged and not stage.target.alive():
            return []
        stage.stepping.gather()
        if not self._whole_plan and not self._judge.suspects(program, number, events, self._pool):
            return []
        stage.stepping.disperse()
        found, unjudged = self._judge.at_rest(program, number, events, whole_plan=self._whole_plan)
        if unjudged:
            stage.note(f"the state at rest was not judged to the end: {unjudged}", number)
            stage.target.alive()
        return found

    def _log_lines(self, number: int) -> list[Event]:
        for text in self.stage.target.new_log_lines():
            self.stage.recorder.append(LogLine(number, text))
        return self.stage.recorder.take()


def _ended(number: int, schedule: Schedule, findings: list[Finding], drawers: Counter[str]) -> RepetitionEnded:
    return RepetitionEnded(
        repetition=number,
        end_ns=time.monotonic_ns(),
        expected=drawers["expected"],
        unexplained=drawers["unexplained"],
        internal=drawers["internal"],
        lost=drawers["lost"],
        findings=tuple(finding.id for finding in findings),
        schedule=schedule,
    )
