"""One session cannot race: whatever shows up in these scenarios is a bug of a kind or of an oracle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from racehound.data.plan import ScenarioName
from racehound.databases.postgres.kinds import KINDS
from tests.end_to_end.command import racehound

SEEDS = range(1, 31)
PLAN = ("--num-objects", "12")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["subsequent", "subsequent-chain"])
def test_thirty_seeds_of_every_kind_find_nothing(scenario: ScenarioName, tmp_path: Path) -> None:
    drawn: set[str] = set()
    for seed in SEEDS:
        drawn |= find_nothing(tmp_path, "--seed", str(seed), "--scenario", scenario, *PLAN)
    for rare in sorted({kind.__name__ for kind in KINDS if kind.enabled} - drawn):
        # Kinds that cost much are drawn seldom. The last link of a chain may be of any kind.
        options = ("--scenario", scenario, "--kinds", f"Table,{rare}", "--num-objects", "1")
        seed = next(s for s in range(1000) if rare in kinds_of(tmp_path, "--seed", str(s), *options))
        drawn |= find_nothing(tmp_path, "--seed", str(seed), *options)
    assert drawn == {kind.__name__ for kind in KINDS if kind.enabled}


def find_nothing(directory: Path, *options: str) -> set[str]:
    """Run the plan of a seed for a few repetitions, and whatever comes next in two seconds; the kinds of that plan."""
    out = directory / "-".join(options).replace(",", "-")
    ended = racehound("run", *options, "--repetitions", "3", "--runtime", "2", "--out", out, "--quiet", cwd=directory)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return kinds_of(directory, *options)


def kinds_of(directory: Path, *options: str) -> set[str]:
    title: str = json.loads(racehound("print", *options, "--json", cwd=directory).stdout)["title"]
    return {part.split()[0] for part in title.split("; ")}
