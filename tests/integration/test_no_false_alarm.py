"""One session cannot race: whatever the oracles find in these scenarios, on a server that initdb has just made, is a false alarm.

The releases are those in RACEHOUND_TEST_RELEASES, or the oldest and the newest that there are. `make releases` names all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Recorder
from racehound.data.plan import ScenarioName
from racehound.data.program import Program
from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.kinds.kind import Kind
from racehound.loops.hunt import choose_kinds, plan_and_program
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner

NEWEST = "newest"
"""The release that pip installs."""
RELEASES = os.environ.get("RACEHOUND_TEST_RELEASES", f"14.0 {NEWEST}").split()
BROKEN = {"Subscription": ("14.0", "15.1", "16.0", "17.0")}
"""Kinds that need no race to go wrong on a release: there DROP SUBSCRIPTION may wait for itself (docs/findings-postgresql.md)."""
SEEDS = range(1, 200)
WORTH_A_PLAN = 4
"""So many kinds that no plan before had."""


@pytest.fixture(scope="module", params=RELEASES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A server of the release."""
    release = None if request.param == NEWEST else request.param
    if release is not None:
        request.getfixturevalue("maven")
    with opened(Choice("postgres", release=release), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["subsequent", "subsequent-chain"])
def test_no_plan_of_any_kind_finds_anything(scenario: ScenarioName, place: Opened, tmp_path: Path) -> None:
    release = place.target.release
    kinds = [kind for kind in choose_kinds(place.catalogue, place.kinds, ()) if release not in BROKEN.get(kind.__name__, ())]
    missing = {kind.__name__ for kind in kinds}
    found: list[str] = []
    for drawn, program in plans(place, kinds, scenario, missing):
        missing -= drawn
        found += [f"seed {program.seed}: {finding.title} {finding.detail[:3]}" for finding in findings(place, program, tmp_path)]
    assert not found, f"PostgreSQL {release}, scenario {scenario}:\n" + "\n".join(found)
    assert not missing


def plans(
    place: Opened, kinds: Sequence[type[Kind]], scenario: ScenarioName, missing: set[str]
) -> Iterator[tuple[set[str], Program]]:
    """Programs with all kinds in `missing`, which the caller makes smaller, and the kinds of each."""

    def drawn(seed: int, of: Sequence[type[Kind]], num_objects: int) -> tuple[set[str], Program]:
        plan, program = plan_and_program(place.target.dialect, of, seed, scenario, num_objects, 1)
        return {each.kind for each in (plan.base, *plan.objects)}, program

    for seed in SEEDS:
        names, program = drawn(seed, kinds, 12)
        if len(names & missing) >= WORTH_A_PLAN:
            yield names, program
    for rare in sorted(missing):
        # Kinds that cost much are drawn seldom. The last link of a chain may be of any kind.
        pair = [kind for kind in kinds if kind.__name__ in ("Table", rare)]
        yield next(each for each in (drawn(seed, pair, 1) for seed in range(1000)) if rare in each[0])


def findings(place: Opened, program: Program, directory: Path) -> list[Finding]:
    """What all oracles find in two repetitions, with what is looked at after the last one of a plan."""
    with contextlib.closing(Recorder(directory / f"{program.seed}-{program.scenario}.jsonl")) as recorder:
        runner = StormRunner(place.target, program, recorder, place.scratch, statement_limit_s=20.0)
        repetitions = RepetitionRunner.of(place.database)
        with contextlib.closing(runner):
            return [f for number in (1, 2) for f in repetitions.run(runner, number, whole_plan=number == 2).findings]
