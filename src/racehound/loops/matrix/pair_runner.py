"""The pair runner: tries two operations against each other in all modes and orders, and judges each trial by all oracles."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, FirstMet, Severity, normalise
from racehound.data.history import Event, Recorder
from racehound.data.matrix import MODES, Mode, Outcome, rank
from racehound.data.program import Program
from racehound.data.schedule import Listed, Together, TurnOrder
from racehound.databases.registry import Opened
from racehound.errors import ServerGoneError, TargetError, UserError
from racehound.judge.serial_findings import SerialFindings
from racehound.loops.matrix.journal import PairResult, PairTrial
from racehound.loops.outages import OnOutage
from racehound.loops.repetition import JudgedRepetition, RepetitionRunner
from racehound.run.lockstep import Move
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner
from racehound.scenarios.pairs import Pair, Side
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Sql

Keep = Callable[[Finding, Program, list[Event]], None]
"""What is done with a finding, its program and the events that show it."""

_BY_SEVERITY: dict[Severity, Outcome] = {
    "crash": "crash",
    "corruption": "corrupt",
    "wrong result": "wrong",
    "hang": "hang",
    "internal error": "internal",
    "leak": "leak",
    "unexplained error": "unexplained",
    "known weakness": "known weakness",
}
_UNDOUBTED: tuple[Severity, ...] = ("crash", "corruption", "hang")
"""Defects even if they also show without a race."""
_TRIES = 2
"""A trial is run again in a new working database if the server breaks down or an object cannot be created."""


class TrialCounter:
    """Numbers the trials of a run, whichever of its targets they run on, and knows when the run began."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._started = time.monotonic()

    def next(self) -> FirstMet:
        """The number of the trial that ends now, and when that is. May be called by several threads."""
        return FirstMet(round(time.monotonic() - self._started, 1), next(self._numbers))


class PairRunner:
    """Runs pairs on one target, one after the other."""

    def __init__(
        self, opened: Opened, recorder: Recorder, keep: Keep, limit_s: float, counter: TrialCounter, on_outage: OnOutage
    ) -> None:
        self._counter = counter
        self._recorder = recorder
        self._keep = keep
        self._allows_transaction = opened.target.dialect.allows_transaction
        self._lockstep = LockstepRunner(opened.target, recorder, opened.scratch, limit_s)
        self._repetitions = RepetitionRunner.of(opened.database, on_outage)
        self._count = 0

    def close(self) -> None:
        self._lockstep.close()

    def run(self, pair: Pair) -> PairResult:
        """All trials of a pair."""
        started = time.monotonic()
        trials = _Trials(pair, self._run_once, self._keep, self._counter)
        done: list[PairTrial] = []
        trouble = ""
        for y_first, mode in modes(pair, self._allows_transaction):
            try:
                done.append(trials.run(mode, y_first=y_first))
            except ServerGoneError:
                raise
            except (TargetError, UserError) as error:
                trouble = str(error).split("\n", 1)[0]
                if isinstance(error, UserError):
                    break  # the same preparation fails in every mode
        texts = [tuple(c.text for c in side.commands()) for side in trials.sides]
        setup = tuple(text for step in pair.setup() for text in _texts(step.fragment))
        seconds = round(time.monotonic() - started, 4)
        return PairResult(*pair.key, setup, texts[0], texts[1], tuple(done), seconds, trouble)

    def _run_once(self, program: Program, order: TurnOrder) -> tuple[JudgedRepetition, list[Move]]:
        """One repetition of a program, tried again where it cannot be run."""
        turns = lockstep_program(program)
        for attempt in range(1, _TRIES + 1):
            scheduled = self._lockstep.schedule(turns, (), order)
            self._count += 1
            try:
                return self._repetitions.run(scheduled, self._count), scheduled.moves
            except (TargetError, UserError) as error:
                if attempt == _TRIES or isinstance(error, ServerGoneError):
                    raise
        raise AssertionError("unreachable")


RunOnce = Callable[[Program, TurnOrder], tuple[JudgedRepetition, list[Move]]]


@contextlib.contextmanager
def pair_runner(
    opened: Opened,
    limit_s: float,
    keep: Keep,
    counter: TrialCounter | None = None,
    on_outage: OnOutage = lambda _outage: None,
) -> Iterator[PairRunner]:
    """A pair runner on an open target. No history of all statements is kept: each finding is kept with its own.

    `counter`: that of the run, where other pair runners take part in it.
    """
    with (
        contextlib.closing(Recorder(Path(os.devnull))) as recorder,
        contextlib.closing(PairRunner(opened, recorder, keep, limit_s, counter or TrialCounter(), on_outage)) as runner,
    ):
        yield runner


def modes(pair: Pair, allowed: Callable[[str], bool]) -> Iterator[tuple[bool, Mode]]:
    """Whether y comes first, and the mode. Of an operation with itself both orders are the same.

    `allowed`: whether every statement of a fragment may run inside a transaction.
    """
    alike = pair.x.operation == pair.y.operation and pair.relationship in ("same", "common")
    for y_first in (False, True)[: 1 if alike else 2]:
        first = pair.y if y_first else pair.x
        for mode in MODES:
            if mode == "together" or first.may_be_transaction(allowed):
                yield y_first, mode


class _Trials:
    """The trials of one pair."""

    def __init__(self, pair: Pair, run_once: RunOnce, keep: Keep, counter: TrialCounter) -> None:
        self._counter = counter
        self.sides: tuple[Side, Side] = (pair.x, pair.y)
        self._pair = pair
        self._run_once = run_once
        self._keep = keep
        self._serial: dict[bool, SerialFindings] = {}

    def run(self, mode: Mode, *, y_first: bool) -> PairTrial:
        program = _in_mode(self._pair.program(y_first=y_first), mode)
        repetition, moves = self._run_once(program, _turn_order(mode, self._counts(y_first=y_first)))
        met = self._counter.next()
        found = self._compared(repetition.findings, y_first=y_first)
        racy = [each for each in found if each.serial_orders == "clean" or each.severity in _UNDOUBTED]
        outcome, signature = outcome_of(racy, moves, "yx" if y_first else "xy")
        if rank(outcome) < rank("known weakness"):
            for finding in racy:
                told = {"first_met": met, "schedule": repetition.schedule, "together": mode == "together"}
                self._keep(msgspec.structs.replace(finding, **told), program, repetition.events)
        if found and not racy:
            _, alone = outcome_of(found, moves, "")
            outcome, signature = "no race needed", f"one after the other, too: {alone}"
        return PairTrial(y_first, mode, outcome, signature, repetition.schedule)

    def _compared(self, findings: list[Finding], *, y_first: bool) -> list[Finding]:
        """The findings, each with whether it also shows when one session begins after the other has ended: then no race causes
        it."""
        if not findings:
            return []
        if y_first not in self._serial:
            serial = SerialFindings(exact_rows=False)
            first, second = self._counts(y_first=y_first)
            program = self._pair.program(y_first=y_first)
            for schedule in ((1,) * first + (2,) * second, (2,) * second + (1,) * first):
                repetition, _ = self._run_once(program, Listed(schedule))
                serial.add(repetition.findings)
            self._serial[y_first] = serial
        return self._serial[y_first].marked(findings)

    def _counts(self, *, y_first: bool) -> tuple[int, int]:
        """Statements of the operation that comes first, and of the other one."""
        counts = [len(side.commands()) for side in self.sides]
        return (counts[1], counts[0]) if y_first else (counts[0], counts[1])


def _in_mode(program: Program, mode: Mode) -> Program:
    """The program with its first session's operation in a transaction, where the mode asks for one."""
    if mode == "together":
        return program
    first, *others = program.sessions
    steps = tuple(msgspec.structs.replace(step, window=mode) for step in first.steps)
    return msgspec.structs.replace(program, sessions=(msgspec.structs.replace(first, steps=steps), *others))


def _turn_order(mode: Mode, counts: tuple[int, int]) -> TurnOrder:
    """The second operation comes when the first has done all but end its transaction."""
    first, second = counts
    return Together() if mode == "together" else Listed((1,) * (first + 1) + (2,) * second + (1,))


def outcome_of(findings: list[Finding], moves: list[Move], names: str) -> tuple[Outcome, str]:
    """The worst finding as an outcome, and its signature; `names`: a letter for each session."""
    found = [(_BY_SEVERITY[finding.severity], finding.signature) for finding in findings]
    if found:
        return min(found, key=lambda each: (rank(each[0]), each[1]))
    errors = [
        f"{names[move.session - 1]}: {move.outcome.error.sqlstate} {normalise(move.outcome.error.message)}"
        for move in moves
        if move.outcome and move.outcome.error and not move.wanted
    ]
    if errors:
        return "expected", "; ".join(dict.fromkeys(errors))
    return ("blocked", "") if any(move.behind for move in moves) else ("fine", "")


def _texts(fragment: str) -> list[str]:
    return [c.text if isinstance(c, Sql) else print_command(c).strip() for c in parse_fragment(fragment).commands]
