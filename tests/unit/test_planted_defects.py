"""Defects that are planted in the core on purpose are noticed by unit tests.

`tests/planted/` holds each defect as a patch, whose header names the tests. Where a patch does not apply any more, the text in
`tests/planted/make.py` has to follow the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests/planted").glob("*.patch"))
TESTS = "Tests: "
PASSED, FAILED = 0, 1
"""Exit codes of pytest. Others say that no test could be run."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with a copy of `src/`."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    return tmp_path


def named_by(patch: Path) -> list[str]:
    """The tests that a patch names."""
    lines = patch.read_text(encoding="utf-8").splitlines()
    (named,) = (line.removeprefix(TESTS) for line in lines if line.startswith(TESTS))
    return named.split()


def run_tests(copy: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of this repository with the `src/` of the copy, until one fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "PYTHONPATH"))}
    path = os.pathsep.join([str(copy / "src"), str(ROOT / "zoo/src")])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=ROOT, env={**kept, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False
    )


def apply(patch: Path, copy: Path) -> None:
    """Apply a patch to the copy. AssertionError where it does not fit."""
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)}
    done = subprocess.run(["git", "apply", str(patch)], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{patch.name} does not apply any more: {done.stderr}"


def test_each_of_the_eight_defects_has_a_patch() -> None:
    assert {patch.name.partition("-")[0] for patch in PATCHES} == set("12345678")


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_defect_is_noticed(patch: Path, copy: Path) -> None:
    apply(patch, copy)
    done = run_tests(copy, named_by(patch))
    assert done.returncode == FAILED, done.stdout + done.stderr


def test_without_a_defect_the_same_tests_pass(copy: Path) -> None:
    done = run_tests(copy, sorted({test for patch in PATCHES for test in named_by(patch)}))
    assert done.returncode == PASSED, done.stdout + done.stderr


def test_a_patch_that_does_not_fit_is_noticed(copy: Path) -> None:
    file = copy / "src/racehound/loops/repetition.py"
    file.write_text("# nothing of what was here\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="does not apply any more"):
        apply(next(patch for patch in PATCHES if patch.stem == "1-damage"), copy)
