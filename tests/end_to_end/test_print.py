"""A printed seed is what runs: the same bytes in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import COMMAND, racehound

SEEDS = 1000

PROGRAMS = f"""
import hashlib
from racehound.loops.hunt import choose_kinds, plan_and_program
from racehound.data.program import print_program
from racehound.databases.catalogue import printable_kinds
from racehound.databases.database import Choice
from racehound.databases.registry import database
known = database("postgres")
kinds = choose_kinds(known.kinds(), printable_kinds(known, Choice("postgres")), ())
for scenario in ("subsequent", "subsequent-chain", "concurrent"):
    digest = hashlib.sha256()
    for seed in range({SEEDS}):
        digest.update(print_program(plan_and_program(known.dialect, kinds, seed, scenario, 5, 100)[1]).encode())
    print(scenario, digest.hexdigest())
"""


def with_hash_seed(hash_seed: str, *command: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("scenario", ["subsequent", "subsequent-chain", "concurrent"])
def test_two_processes_print_identical_bytes(scenario: str) -> None:
    one, other = (with_hash_seed(seed, *COMMAND, "print", "--seed", "7", "--scenario", scenario) for seed in ("1", "2"))
    assert one == other
    assert one.startswith(b"--- Scenario to run (--seed=7)\n")


def test_a_thousand_seeds_are_the_same_under_another_hash_seed() -> None:
    one, other = (with_hash_seed(seed, sys.executable, "-c", PROGRAMS) for seed in ("1", "2"))
    assert one == other
    assert len(one.splitlines()) == 3


def test_what_is_printed_is_what_runs(tmp_path: Path) -> None:
    printed = racehound("print", "--seed", "7", cwd=tmp_path).stdout
    run = racehound("run", "--seed", "7", "--runtime", "1", "--out", "out", cwd=tmp_path)
    assert printed in run.stdout
    assert (
        hashlib.sha256(printed.encode()).digest()
        != hashlib.sha256(racehound("print", "--seed", "8", cwd=tmp_path).stdout.encode()).digest()
    )


@pytest.mark.alone
def test_help_is_there_at_once() -> None:
    times = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    assert min(times) < 0.3
