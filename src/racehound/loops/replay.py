"""Replay: a finding's program again, to see how often it shows the same finding."""

from __future__ import annotations

from pathlib import Path

import msgspec

from racehound.data.finding import Finding, read_finding, write_finding
from racehound.data.history import Recorder
from racehound.databases.registry import Opened
from racehound.loops.reduce.rates import Rate, measure
from racehound.loops.trial import Trial
from racehound.run.runner import Runner


def replay(directory: Path, place: Opened, repetitions: int, statement_limit_s: float) -> tuple[Finding, Rate]:
    """Run the program of a finding directory that many times; the rate is kept in its `finding.json`.

    Also the offsets are those of the hunt: repetition N draws the same ones as it did there.
    """
    finding, program = read_finding(directory)
    recorder = Recorder(place.scratch / f"replay-{finding.id}.jsonl")
    runner = Runner(place.target, recorder, place.scratch, statement_limit_s)
    trial = Trial(runner, program, "objects")

    def shows(number: int) -> bool:
        verdict = trial.run(number, last=number == repetitions)
        return any(met.id == finding.id for met in verdict.findings)

    try:
        trial.begin()
        rate = measure(shows, repetitions)
    finally:
        runner.close()
        recorder.close()
    told = msgspec.structs.replace(finding, reproduction=rate.reproduction)
    write_finding(directory, told)
    return told, rate
