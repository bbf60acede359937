"""Findings per minute against the method that racehound grew from, on the same seeds and the same release, alternating.

The peer is the plain concurrent scenario of that test: every object over the base, all sessions as fast as they can, no windows,
no rendezvous, no catalog oracle, a new server for each repetition. What it can notice is a crash or an error that says itself
that it is internal. Run: `python bench/against_seed.py [--release 18.3] [--seconds 60] [--rounds 3]`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import msgspec

import workload
from racehound.data.history import Recorder
from racehound.data.object_names import BASE
from racehound.data.plan import Plan, Timing
from racehound.data.program import Program
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened
from racehound.databases.target import Reset
from racehound.kinds.kind import Kind
from racehound.loops.hunt import plan_and_program
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner
from racehound.scenarios import build_program
from racehound.scenarios.object_steps import KindLookup

SEEN_BY_PEER = ("crash", "errors")
REPETITIONS = 100


def plain(plan: Plan) -> Plan:
    """The plan without what the older method does not have."""
    calm = Timing()
    objects = tuple(
        msgspec.structs.replace(o, refers_to=BASE, lag=0, create=calm, manipulate=calm, destroy=calm) for o in plan.objects
    )
    return msgspec.structs.replace(plan, objects=objects, rest_before_destroy=False, verify_in_race=False)


def unmet(program: Program) -> Program:
    """The program without any rendezvous."""
    sessions = tuple(
        msgspec.structs.replace(a, steps=tuple(msgspec.structs.replace(s, beat=None) for s in a.steps)) for a in program.sessions
    )
    return msgspec.structs.replace(program, sessions=sessions)


def hunt(place: Opened, seed: int, seconds: float, *, peer: bool) -> tuple[int, set[str]]:
    """Meetings with findings, and the distinct ones, in that many seconds."""
    target = place.target
    assert isinstance(target, PostgresTarget)
    place.database.oracles = SEEN_BY_PEER if peer else type(place.database).oracles
    met, distinct = 0, set[str]()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        plan, program = plan_and_program(POSTGRES, place.kinds, seed, "concurrent", 5, 100)
        if peer:
            program = peer_program(plan, place.kinds)
        for findings in run_plan(place, program, until, peer=peer):
            met += len(findings)
            distinct |= findings
        seed = plan.next_seed
    return met, distinct


def peer_program(plan: Plan, kinds: Sequence[type[Kind]]) -> Program:
    lookup = KindLookup({kind.__name__: kind for kind in kinds}, POSTGRES.allows_transaction)
    return unmet(build_program(plain(plan), lookup, 100))


def run_plan(place: Opened, program: Program, until: float, *, peer: bool) -> list[set[str]]:
    """The findings of each repetition until that time."""
    recorder = Recorder(place.scratch / f"history-{time.monotonic_ns()}.jsonl")
    reset: Reset = "services" if peer else "objects"
    runner = StormRunner(place.target, program, recorder, place.scratch, statement_limit_s=10, reset=reset)
    runs = RepetitionRunner.of(place.database)
    found = []
    runs.prepare(runner)
    for number in range(1, REPETITIONS + 1):
        if time.monotonic() >= until:
            break
        found.append({finding.id for finding in runs.run(runner, number).findings})
    runner.close()
    recorder.close()
    recorder.path.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="18.3")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with workload.server(arguments.release) as place:
        ours, theirs = [], []
        for seed in range(1, arguments.rounds + 1):
            ours.append(hunt(place, seed, arguments.seconds, peer=False))
            theirs.append(hunt(place, seed, arguments.seconds, peer=True))
        minutes = arguments.seconds / 60
        names = ("racehound", "the plain concurrent scenario")
        print("distinct findings")
        workload.print_ratio([len(d) / minutes for _, d in ours], [len(d) / minutes for _, d in theirs], "per minute", names)
        print("meetings with findings")
        workload.print_ratio([m / minutes for m, _ in ours], [m / minutes for m, _ in theirs], "per minute", names)


if __name__ == "__main__":
    main()
