"""Repetitions per second with 5 objects in the concurrent scenario against a new server for each, on the same plans, alternating.

racehound's reset of objects against two ways to give every repetition the same isolation by the server itself:

- `down and up`: as in the test that racehound grew from, the server is torn down with its data, initialised and started;
- `stop and start`: the server is only stopped and started on its data, which gives no isolation: a new database is made, too.

Run: `python bench/repetition_rate.py [--seconds 40] [--rounds 3]`.
"""

from __future__ import annotations

import argparse
import time

import workload
from racehound.data.history import Recorder
from racehound.data.program import Program
from racehound.databases.postgres.server_location import EmbeddedServerLocation
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened
from racehound.loops.hunt import plan_and_program
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner

WAYS = ("objects", "down and up", "stop and start")
PLANS = 10


def rate(place: Opened, programs: list[Program], way: str, seconds: float) -> float:
    """Repetitions per second, the time of a plan's beginning included."""
    start, count = time.monotonic(), 0
    for program in programs:
        until = time.monotonic() + seconds / len(programs)
        count += (
            anew(program, until) if way == "down and up" else repeat(place, program, until, restarting=way == "stop and start")
        )
    return count / (time.monotonic() - start)


def repeat(place: Opened, program: Program, until: float, *, restarting: bool) -> int:
    """Repetitions of a program on one server until that time."""
    recorder = Recorder(place.scratch / f"history-{time.monotonic_ns()}.jsonl")
    runner = StormRunner(place.target, program, recorder, place.scratch, statement_limit_s=30)
    runs = RepetitionRunner.of(place.database)
    runs.prepare(runner)
    number = 0
    while time.monotonic() < until:
        number += 1
        if restarting and number > 1:
            restart(place)
            runs = RepetitionRunner.of(place.database)
        runs.run(runner, number)
    runner.close()
    recorder.close()
    recorder.path.unlink()
    return number


def anew(program: Program, until: float) -> int:
    """Repetitions of a program on a server each until that time."""
    number = 0
    while time.monotonic() < until:
        number += 1
        with workload.server() as place:
            repeat(place, program, time.monotonic() + 1e-6, restarting=False)
    return number


def restart(place: Opened) -> None:
    """Stop the server as an administrator would, and start it."""
    target = place.target
    assert isinstance(target, PostgresTarget)
    assert isinstance(target.location, EmbeddedServerLocation)
    for observer in target.observers:
        observer.close()
    target.location.server.restart("fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with workload.server() as place:
        programs, seed = [], arguments.seed
        for _ in range(PLANS):
            plan, program = plan_and_program(place.target.dialect, place.kinds, seed, "concurrent", 5, 100)
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
