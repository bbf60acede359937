"""Repetitions per second with 5 objects in the concurrent scenario against a new server for each, on the same plans, alternating.

Three ways to give every repetition the same isolation: racehound's reset of objects; stopping and starting the server (which
leaves what was made, so a new database is made, too); and, as in the test that racehound grew from, a server with nothing in it.
Run: `python bench/repetition_rate.py [--seconds 10] [--rounds 3]`.
"""

from __future__ import annotations

import argparse
import time

import workload
from racehound.history import Recorder
from racehound.hunt import plan_and_program
from racehound.program import Program
from racehound.run.runner import Runner
from racehound.targets.postgres.place import EmbeddedPlace
from racehound.targets.postgres.target import PostgresTarget
from racehound.targets.registry import Opened
from racehound.trial import Trial

WAYS = ("objects", "stop and start", "services")
PLANS = 10


def rate(place: Opened, programs: list[Program], way: str, seconds: float) -> float:
    """Repetitions per second, the time of a plan's beginning included."""
    start, count = time.monotonic(), 0
    for program in programs:
        recorder = Recorder(place.scratch / f"history-{time.monotonic_ns()}.jsonl")
        runner = Runner(place.target, recorder, place.scratch, statement_limit_s=30)
        trial = Trial(runner, program, "services" if way == "services" else "objects")
        trial.begin()
        until = time.monotonic() + seconds / len(programs)
        number = 0
        while time.monotonic() < until:
            number += 1
            if way == "stop and start" and number > 1:
                restart(place, runner)
            trial.run(number)
        runner.close()
        recorder.close()
        recorder.path.unlink()
        count += number
    return count / (time.monotonic() - start)


def restart(place: Opened, runner: Runner) -> None:
    """Stop the server as an administrator would, start it, make a new database."""
    target = place.target
    assert isinstance(target, PostgresTarget)
    assert isinstance(target.place, EmbeddedPlace)
    runner.close_sessions()
    target.observer.close()
    target.place.server.restart("fast")
    runner.rebuild()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with workload.server() as place:
        programs, seed = [], arguments.seed
        for _ in range(PLANS):
            plan, program = plan_and_program(place.target.dialect, place.target.kinds(), seed, "concurrent", 5, 100)
            programs.append(program)
            seed = plan.next_seed
        figures: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for way in WAYS:
                figures[way].append(rate(place, programs, way, arguments.seconds))
        for way in WAYS[1:]:
            workload.print_ratio(figures["objects"], figures[way], "repetitions/s", ("reset of objects", way))


if __name__ == "__main__":
    main()
