"""One actor cannot race: whatever shows up in these scenarios is a bug of a kind or of an oracle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.end_to_end.command import racehound

from racehound.plan import ScenarioName
from racehound.targets.postgres.dialect import POSTGRES

PLANS = 30
OBJECTS = 12


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["subsequent", "subsequent-chain"])
def test_thirty_seeds_of_every_kind_find_nothing(scenario: ScenarioName, tmp_path: Path) -> None:
    drawn: set[str] = set()
    seed = 1
    for number in range(PLANS):
        out = tmp_path / f"out{number}"
        drawn |= kinds_of(seed, scenario, tmp_path)
        arguments = ("run", "--seed", seed, "--scenario", scenario, "--num-objects", OBJECTS, "--repetitions", 3, "--runtime", 2)
        ended = racehound(*map(str, arguments), "--out", out, "--quiet", cwd=tmp_path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        seed += 1
    assert drawn == {kind.__name__ for kind in POSTGRES.kinds if kind.enabled and (kind.can_refer or scenario == "subsequent")}


def kinds_of(seed: int, scenario: str, cwd: Path) -> set[str]:
    printed = racehound("print", "--seed", str(seed), "--scenario", scenario, "--num-objects", str(OBJECTS), "--json", cwd=cwd)
    title: str = json.loads(printed.stdout)["title"]
    return {part.split()[0] for part in title.split("; ")}
