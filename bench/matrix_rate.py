"""Trials of the race matrix per second, and what a matrix of a hundred operations takes.

A sample of all pairs, drawn from a fixed seed, is held on one embedded server, with all oracles; `racehound matrix` has several.

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
from racehound.loops.matrix.crew import hosting
from racehound.loops.matrix.encounter import Host, modes
from racehound.loops.matrix.order import different, order
from racehound.loops.matrix.run import survey
from racehound.scenarios.pairs import Catalogue, Pair


def sample(place: Opened, count: int) -> tuple[list[Pair], int]:
    """Pairs of the catalogue's operations, and how many there are in all."""
    catalogue = Catalogue(place.kinds, place.database.plain_table)
    known = catalogue.operations()
    begun = time.monotonic()
    footprints = survey(place.database, place.target, catalogue, known, every=True)
    print(f"survey of {len(known)} operations: {time.monotonic() - begun:.1f} s")
    chosen = different(known, footprints)
    planned = order(catalogue, chosen, {each.name: footprints[each.name] for each in chosen})
    print(f"{len(chosen)} operations of different sorts, {len(planned.pairs)} pairs that share something")
    return random.Random(1).sample(planned.pairs, count), len(planned.pairs)


def held(host: Host, place: Opened, pairs: Sequence[Pair]) -> tuple[float, Counter[Outcome]]:
    """Trials per second, and what came of them."""
    allowed = place.target.dialect.allows_transaction
    host.hold(pairs[0], allowed)
    outcomes: Counter[Outcome] = Counter()
    begun = time.monotonic()
    for pair in pairs:
        outcomes.update(note.outcome for note in host.hold(pair, allowed).notes)
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

        with hosting(place, 10.0, keep) as host:
            rate, outcomes = held(host, place, pairs)
        print(f"{rate:.1f} trials/s on one server: {dict(outcomes)}")
        print(f"all {total} pairs: {total * trials / len(pairs) / rate / 60:.1f} minutes on one server")


if __name__ == "__main__":
    main()
