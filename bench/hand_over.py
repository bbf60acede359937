"""Whether others can run what racehound hands over: kits of real findings on stock servers, by psql, Python and isolationtester.

Hunts on each release, with a seed of its own each time, until there are enough different findings that are no known weaknesses
(with `--weaknesses`, those too). Every other hunt has only kinds that are shared by all databases, and some more. Each finding
is reduced, and each form of its kit is run twice on a freshly initialised server with default settings: `racehound reduce` does
both. A row says in how many runs each form showed its finding.

Run: `python bench/hand_over.py [--release 18.3 --release 18.6 --release 17.5] [--findings 10] [--limit 30] [--weaknesses]`.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

from racehound.data.finding import read_finding
from racehound.data.reduction import read_reduction
from racehound.data.verification import RUNS, SHOWN, Verification, read_verification
from racehound.report.columns import columns
from racehound.report.handover import kit_of
from reduce import RACEHOUND, command, hunt, worth

RELEASES = ("18.3", "18.6", "17.5")
FORMS = ("psql", "race.py", "race.spec")
SHARED = "Role,Tablespace,Database,Comment,DefaultPrivileges,Schema,Function"
"""Kinds of every other hunt: what all databases share is where newer releases still have most findings."""
HUNTS_LIMIT = 8
"""The most hunts on one release: fixed releases have few findings."""


def main() -> None:
    arguments = _arguments()
    wanted = -(-arguments.findings // len(arguments.release))
    rows: list[tuple[str, str, Verification | None]] = []
    for release in arguments.release:
        met: dict[str, tuple[str, str, Verification | None]] = {}
        for seed in range(arguments.first_seed, arguments.first_seed + HUNTS_LIMIT):
            if len(met) >= wanted:
                break
            with tempfile.TemporaryDirectory() as directory:
                run = Path(directory) / "run"
                hunt(run, seed, release, *(("--kinds", SHARED) if seed % 2 else ()))
                for finding in worth(run, weaknesses=arguments.weaknesses):
                    if len(met) < wanted and finding.name not in met and (row := handed_over(finding, release, arguments.limit)):
                        met[finding.name] = row
                        tell(*row)
        rows += met.values()
    summarise(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="append", default=[])
    parser.add_argument("--findings", type=int, default=10)
    parser.add_argument("--limit", type=float, default=30.0, metavar="SECONDS", help="for the reduction of a finding")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--weaknesses", action="store_true")
    arguments = parser.parse_args()
    arguments.release = arguments.release or list(RELEASES)
    return arguments


def handed_over(finding: Path, release: str, limit: float) -> tuple[str, str, Verification | None] | None:
    """Release, title and what came of the kit; None for a finding that no scene in lock-step shows: it has no kit."""
    command([*RACEHOUND, "reduce", str(finding), "--runtime", str(limit)])
    reduction = read_reduction(finding)
    if reduction is None or reduction.scene is None:
        return None
    return release, read_finding(finding)[0].title, read_verification(kit_of(finding))


def tell(release: str, title: str, verification: Verification | None) -> None:
    print(f"{release}: {title}\n    {verification.facts if verification else 'not verified'}", flush=True)


def summarise(rows: list[tuple[str, str, Verification | None]]) -> None:
    table = [(release, title[:70], *(cell(verification, form) for form in FORMS)) for release, title, verification in rows]
    good = [verification for _, _, verification in rows if verification is not None and verification.as_promised]
    print(columns(("release", "finding", *FORMS), table))
    left_out = list(itertools.chain.from_iterable(verification.left_out for verification in good))
    print(f"{len(good)} of {len(rows)} kits as promised, each form {RUNS} times; {len(left_out)} forms could not be written")


def cell(verification: Verification | None, form: str) -> str:
    if verification is None:
        return "-"
    if form in verification.left_out:
        return "left out"
    runs = verification.forms.get(form, ())
    return f"{sum(run == SHOWN for run in runs)} of {len(runs)}"


if __name__ == "__main__":
    main()
