"""How small, how soon and how steady `racehound reduce` makes the findings of random programs.

Hunts of five objects each, with a seed of its own, until there are enough findings that are no known weaknesses (with
`--weaknesses`, those too); then each is reduced, and what became of it is replayed.

Run: `python bench/reduce.py [--release 18.3] [--findings 10] [--limit 60] [--weaknesses]`.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from racehound.data.finding import finding_directories, read_finding
from racehound.data.reduction import Reduction, read_reduction
from racehound.report.columns import columns

RACEHOUND = (sys.executable, "-m", "racehound")
HUNT_S = 30.0
REPLAYS = 10
STEADY = 0.9


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a finding; `again`: in how many of the replays it showed."""

    title: str
    reduction: Reduction | None
    again: int

    @property
    def statements(self) -> float:
        """In lock-step; where nothing that small shows it, more than any number."""
        return self.reduction.scene.size.statements if self.reduction and self.reduction.scene else float("inf")

    @property
    def sessions(self) -> int:
        return self.reduction.scene.size.sessions if self.reduction and self.reduction.scene else 0

    @property
    def seconds(self) -> float:
        return self.reduction.seconds if self.reduction else float("inf")


def main() -> None:
    arguments = _arguments()
    results: list[Result] = []
    seed = arguments.first_seed
    while len(results) < arguments.findings:
        with tempfile.TemporaryDirectory() as directory:
            run = Path(directory) / "run"
            hunt(run, seed, arguments.release)
            left = arguments.findings - len(results)
            for finding in worth(run, weaknesses=arguments.weaknesses)[:left]:
                results.append(reduced(finding, arguments))
                tell(seed, results[-1])
        seed += 1
    summarise(results, arguments.limit)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="18.3")
    parser.add_argument("--findings", type=int, default=10)
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--weaknesses", action="store_true")
    return parser.parse_args()


def hunt(run: Path, seed: int, release: str, *more: str) -> None:
    """Hunt into a run directory. more: further options."""
    asked = ("--seed", str(seed), "--runtime", str(HUNT_S), "--num-objects", "5", "--reduce", "0", "--quiet", *more)
    command([*RACEHOUND, "run", "--release", release, *asked, "--out", str(run)])


def worth(run: Path, *, weaknesses: bool) -> list[Path]:
    """The directories of the findings to reduce."""
    return [path for path in finding_directories(run) if weaknesses or read_finding(path)[0].severity != "known weakness"]


def reduced(finding: Path, arguments: argparse.Namespace) -> Result:
    command([*RACEHOUND, "reduce", str(finding), "--runtime", str(arguments.limit)])
    found = read_reduction(finding)
    if found is None:
        return Result(read_finding(finding)[0].title, None, 0)
    command([*RACEHOUND, "replay", str(finding), "--repetitions", str(REPLAYS)])
    replayed, after = read_finding(finding)[0], read_reduction(finding)
    again = after.replays[after.release] if after and after.scene else replayed.reproduction
    return Result(replayed.title, found, again.reproduced if again else 0)


def command(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


def tell(seed: int, result: Result) -> None:
    facts = result.reduction.facts if result.reduction else "nothing smaller shows it"
    print(f"seed {seed}: {result.title}\n    {facts}; replayed {result.again} of {REPLAYS}", flush=True)


def summarise(results: list[Result], limit: float) -> None:
    steady = sum(result.again >= STEADY * REPLAYS for result in results)
    rows = [(
        str(len(results)), f"{statistics.median(r.statements for r in results):g}",
        f"{statistics.median(r.sessions for r in results):g}", f"{statistics.median(r.seconds for r in results):.1f} s",
        f"{sum(r.seconds < limit for r in results)} of {len(results)}", f"{steady} of {len(results)}",
    )]  # fmt: skip
    header = ("findings", "statements", "sessions", "time", f"under {limit:g} s", f"replayed {STEADY * REPLAYS:g} of {REPLAYS}")
    print(columns((header[0], f"{header[1]} (median)", f"{header[2]} (median)", f"{header[3]} (median)", *header[4:]), rows))


if __name__ == "__main__":
    main()
