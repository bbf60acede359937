"""Replay: runs a finding's program again and counts how often it shows the same finding.

What was found in lock-step is run in its schedule; what a storm has found, in a storm.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, read_finding, shown, write_finding
from racehound.data.history import Recorder
from racehound.data.program import Program
from racehound.data.rate import Rate, measure
from racehound.data.schedule import Listed, Together
from racehound.databases.registry import Opened
from racehound.loops.repetition import RepetitionRunner, SessionHost
from racehound.run.lockstep_program import lockstep_program
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.storm_runner import StormRunner


def replay(
    directory: Path, opened: Opened, repetitions: int, statement_limit_s: float, *, storm: bool = False
) -> tuple[Finding, Rate]:
    """Run the program of a finding directory that many times; the rate is also kept in its `finding.json`.

    A finding that has a schedule is run in it, unless a storm is asked for. In a storm, repetition N draws the same offsets and
    perturbations as repetition N of the hunt did.
    """
    finding, program = read_finding(directory)
    runs = RepetitionRunner.of(opened.database, retry=finding.at_rest == "lasting")
    with contextlib.closing(Recorder(opened.scratch / f"replay-{finding.id}.jsonl")) as recorder:
        in_lockstep = finding.schedule and not storm
        hosts = (
            _scheduled(opened, finding, program, recorder, statement_limit_s)
            if in_lockstep
            else _stormed(opened, program, recorder, statement_limit_s)
        )
        with contextlib.closing(hosts):

            def shows(number: int) -> bool:
                repetition = runs.run(next(hosts), number, whole_plan=not in_lockstep and number == repetitions)
                return shown(finding.id, repetition.findings)

            rate = measure(shows, repetitions)
    measured = msgspec.structs.replace(finding, reproduction=rate.reproduction)
    write_finding(directory, measured)
    return measured, rate


def _scheduled(
    opened: Opened, finding: Finding, program: Program, recorder: Recorder, statement_limit_s: float
) -> Generator[SessionHost, None, None]:
    """A host for each repetition of the finding's schedule, one after the other."""
    turns = lockstep_program(program)
    with contextlib.closing(LockstepRunner(opened.target, recorder, opened.scratch, statement_limit_s)) as runner:
        while True:
            order = Together() if finding.together else Listed(finding.schedule)
            yield runner.schedule(turns, finding.schedule, order)


def _stormed(
    opened: Opened, program: Program, recorder: Recorder, statement_limit_s: float
) -> Generator[SessionHost, None, None]:
    """The host of all repetitions in a storm, again and again."""
    perturbations = PerturbationSet(opened.database.perturbations())
    runner = StormRunner(opened.target, program, recorder, opened.scratch, statement_limit_s, perturbations=perturbations)
    with contextlib.closing(runner):
        while True:
            yield runner
