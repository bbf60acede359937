"""What each perturbation adds: findings per minute with it and without it, on the same seeds, in turns.

A round hunts twice with the default, once with the default and one more perturbation for each of those that are not in it, and
once without each of those that are, all from the same seed. The order rotates from round to round, so that what else the machine
does hits all alike. Ratios come with 95 % intervals, by bootstrap over the rounds.
`signatures` are distinct ones, known weaknesses included; `meetings` count how often findings were met, without those.

Run: `python bench/perturb.py [--release 18.3] [--rounds 6] [--seconds 15] [--names freeze,windows]`;
`--zoo DEFECT` hunts in the emulator of Materialize with that defect switched on, without other services.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zoo
from racehound.databases.registry import database
from racehound.report.columns import columns
from racehound.run.perturbations.registry import DEFAULT, PerturbationSet

BASE = "default"
RESAMPLES = 2000
NOT_IN_ZOO = ("service-kill",)
PLANS = ("--repetitions", "20", "--reduce", "0")


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of one hunt, per minute."""

    signatures: float
    meetings: float
    repetitions: float


@dataclasses.dataclass(frozen=True)
class Ratio:
    """With over without, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}…{self.high:.2f})"


def main() -> None:
    arguments = _arguments()
    impossible = NOT_IN_ZOO if arguments.zoo else ()
    known = PerturbationSet(database("materialize" if arguments.zoo else "postgres").perturbations()).names
    names = [name for name in known if name in arguments.names.split(",") or (not arguments.names and name not in impossible)]
    lots = [BASE, *names[: len(names) // 2], BASE, *names[len(names) // 2 :]]
    rounds: list[dict[str, list[Figures]]] = []
    for number in range(arguments.rounds):
        seed = arguments.first_seed + number
        turned = lots[number % len(lots) :] + lots[: number % len(lots)]
        figures: dict[str, list[Figures]] = {}
        for name in turned:
            figures.setdefault(name, []).append(hunt(arguments, seed, words(name)))
        rounds.append(figures)
        print(f"round {number + 1} of {arguments.rounds}: seed {seed}", file=sys.stderr, flush=True)
    print(table(names, rounds))


def words(name: str) -> str:
    """`--perturb` for the default with one more, or without one that is in it."""
    if name == BASE:
        return BASE
    if name in DEFAULT:
        return ",".join(other for other in DEFAULT if other != name) or "none"
    return f"{BASE},{name}"


def hunt(arguments: argparse.Namespace, seed: int, perturb: str) -> Figures:
    """One hunt, on a server of its own."""
    options = ("--seed", str(seed), "--runtime", str(arguments.seconds), "--perturb", perturb, *PLANS)
    with where(arguments) as target, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        command = [*zoo.RACEHOUND, "run", *target, *options, "--quiet", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    minutes = summary["seconds"] / 60
    met = sum(finding.get("count", 1) for finding in summary["findings"] if finding["severity"] != "known weakness")
    return Figures(len(summary["findings"]) / minutes, met / minutes, summary["repetitions"] / minutes)


@contextlib.contextmanager
def where(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The arguments of `run` that say which target."""
    if not arguments.zoo:
        yield ("postgres", "--release", arguments.release)
        return
    with zoo.zoo(*arguments.zoo.split(",")) as addresses:
        given = tuple(word for pair in addresses.items() for word in pair)
        # A composition that is not there: kinds that need services are left out.
        yield ("materialize", *given, "--kinds", arguments.kinds)


def table(names: Sequence[str], rounds: Sequence[dict[str, list[Figures]]]) -> str:
    """A row for each perturbation: what there is a minute without it and with it."""
    values = {"signatures": _signatures, "meetings": _meetings, "repetitions": _repetitions}
    rows = [(name, *(compared(name, rounds, value) for value in values.values())) for name in names]
    return columns(("perturbation", *(f"{value}, ratio (95 %)" for value in values)), rows)


def compared(name: str, rounds: Sequence[dict[str, list[Figures]]], value: Callable[[Figures], float]) -> str:
    """`WITHOUT → WITH, RATIO (LOW…HIGH)`"""
    base = [mean(each[BASE], value) for each in rounds]
    own = [mean(each[name], value) for each in rounds]
    without, having = (own, base) if name in DEFAULT else (base, own)
    return f"{statistics.mean(without):.1f} → {statistics.mean(having):.1f}, {ratio(list(zip(without, having, strict=True)))}"


def _signatures(figures: Figures) -> float:
    return figures.signatures


def _meetings(figures: Figures) -> float:
    return figures.meetings


def _repetitions(figures: Figures) -> float:
    return figures.repetitions


def mean(hunts: Sequence[Figures], value: Callable[[Figures], float]) -> float:
    return statistics.mean(value(each) for each in hunts)


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Of the sums over the rounds, with over without."""
    rng = random.Random(1)
    resampled = sorted(_over(rng.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    return Ratio(_over(pairs), resampled[int(RESAMPLES * 0.025)], resampled[int(RESAMPLES * 0.975)])


def _over(pairs: Sequence[tuple[float, float]]) -> float:
    without, having = sum(w for w, _ in pairs), sum(h for _, h in pairs)
    return having / without if without else float("inf") if having else 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="18.3")
    parser.add_argument("--zoo", default="", metavar="DEFECT")
    parser.add_argument("--kinds", default="Table,View,MaterializedView,Index", metavar="A,B", help="In the zoo.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--names", default="", metavar="A,B", help="Only these.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
