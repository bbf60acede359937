"""Trials of the race matrix per second, and what a matrix of a hundred operations takes.

A sample of all pairs, drawn from a fixed seed, is tried on one embedded server, with all oracles; `racehound matrix` has several.

Run: `python bench/matrix_rate.py [--pairs 60] [--release 18.3]`.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence

import workload
from racehound.data.finding import Finding
from racehound.data.history import Event
from racehound.data.matrix import Outcome
from racehound.data.program import Program
from racehound.databases.registry import Opened
from racehound.loops.matrix.pair_runner import PairRunner, modes, pair_runner
from racehound.loops.matrix.run import measure
from racehound.loops.matrix.selection import different, select
from racehound.scenarios.pairs import Catalogue, Pair


def sample(place: Opened, count: int) -> tuple[list[Pair], int]:
    """Pairs of the catalogue's operations, and how many there are in all."""
    catalogue = Catalogue(place.kinds, place.database.plain_table, place.target.dialect.effect)
    known = catalogue.operations()
    begun = time.monotonic()
    footprints = measure(place.database, place.target, catalogue, known, every=True)
    print(f"footprints of {len(known)} operations: {time.monotonic() - begun:.1f} s")
    chosen = different(known, footprints)
    planned = select(catalogue, chosen, {each.name: footprints[each.name] for each in chosen})
    print(f"{len(chosen)} operations of different sorts, {len(planned.pairs)} pairs that share something")
    return random.Random(1).sample(planned.pairs, count), len(planned.pairs)


def tried(runner: PairRunner, pairs: Sequence[Pair]) -> tuple[float, Counter[Outcome]]:
    """Trials per second, and their outcomes."""
    runner.run(pairs[0])
    outcomes: Counter[Outcome] = Counter()
    begun = time.monotonic()
    for pair in pairs:
        outcomes.update(trial.outcome for trial in runner.run(pair).trials)
    return outcomes.total() / (time.monotonic() - begun), outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--release")
    arguments = parser.parse_args()
    with workload.server(arguments.release) as place:
        pairs, total = sample(place, arguments.pairs)
        allowed = place.target.dialect.allows_transaction
        trials = sum(len(list(modes(pair, allowed))) for pair in pairs)

        def keep(_finding: Finding, _program: Program, _events: list[Event]) -> None:
            """A benchmark looks at the rate only."""

        with pair_runner(place, 10.0, keep) as runner:
            rate, outcomes = tried(runner, pairs)
        print(f"{rate:.1f} trials/s on one server: {dict(outcomes)}")
        print(f"all {total} pairs: {total * trials / len(pairs) / rate / 60:.1f} minutes on one server")


if __name__ == "__main__":
    main()
