"""Replay: runs a finding's program again and counts how often it shows the same finding."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, read_finding, shown, write_finding
from racehound.data.history import Recorder
from racehound.data.rate import Rate, measure
from racehound.databases.registry import Opened
from racehound.loops.repetition import RepetitionRunner
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.storm_runner import StormRunner


def replay(directory: Path, opened: Opened, repetitions: int, statement_limit_s: float) -> tuple[Finding, Rate]:
    """Run the program of a finding directory that many times; the rate is also kept in its `finding.json`.

    Repetition N draws the same offsets and perturbations as repetition N of the hunt did.
    """
    finding, program = read_finding(directory)
    runs = RepetitionRunner.of(opened.database)
    with (
        contextlib.closing(Recorder(opened.scratch / f"replay-{finding.id}.jsonl")) as recorder,
        contextlib.closing(
            StormRunner(
                opened.target,
                program,
                recorder,
                opened.scratch,
                statement_limit_s,
                perturbations=PerturbationSet(opened.database.perturbations()),
            )
        ) as runner,
    ):

        def shows(number: int) -> bool:
            return shown(finding.id, runs.run(runner, number, whole_plan=number == repetitions).findings)

        rate = measure(shows, repetitions)
    measured = msgspec.structs.replace(finding, reproduction=rate.reproduction)
    write_finding(directory, measured)
    return measured, rate
