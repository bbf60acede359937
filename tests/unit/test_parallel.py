"""Which worker gets which test, and that a test marked `alone` has the machine to itself. Tried with a small suite of its own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = """
import json, os, time
import pytest

pytest_plugins = ["parallel"]

@pytest.fixture(scope="session")
def composition():
    yield

@pytest.fixture(autouse=True)
def note(request):
    begun = time.monotonic()
    time.sleep(0.02)  # long enough for two workers to meet, if nothing keeps them apart
    yield
    told = {"test": request.node.name, "file": request.node.path.name, "worker": os.getpid()}
    told |= {"begun": begun, "ended": time.monotonic()}
    with open("notes", "a") as notes:
        notes.write(json.dumps(told) + "\\n")
"""

SUITE = """
import pytest

@pytest.mark.parametrize("n", range(10))
def test_plain(n): pass

@pytest.mark.alone
@pytest.mark.parametrize("n", range(5))
def test_alone(n): pass

@pytest.mark.parametrize("n", range(3))
def test_service(n, composition): pass

@pytest.mark.leftovers
@pytest.mark.parametrize("n", range(3))
def test_leftovers(n): pass
"""

Note = dict[str, Any]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> list[Note]:
    """What each test of the small suite noted, in the order in which the tests began."""
    directory = tmp_path_factory.mktemp("suite")
    shutil.copy(ROOT / "tests/parallel.py", directory)
    (directory / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --dist=loadfile --no-loadscope-reorder\n", encoding="utf-8")
    for name in ("one", "two", "three"):
        (directory / f"test_{name}.py").write_text(SUITE, encoding="utf-8")
    lean = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:racehound", "-p", "no:pytest_cov")
    # The workers of this test run must not be taken for those of the small one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", *lean],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line) for line in (directory / "notes").read_text(encoding="utf-8").splitlines()]
    assert len(found) == 3 * (10 + 5 + 3 + 3)
    return sorted(found, key=lambda note: note["begun"])


def test_no_other_test_runs_beside_one_that_is_alone(notes: list[Note]) -> None:
    assert len({note["worker"] for note in notes}) == 2
    for alone in (note for note in notes if note["test"].startswith("test_alone")):
        others = [note for note in notes if note is not alone]
        assert not [note for note in others if note["begun"] < alone["ended"] and alone["begun"] < note["ended"]]


def test_other_tests_do_run_side_by_side(notes: list[Note]) -> None:
    assert any(one["worker"] != two["worker"] and two["begun"] < one["ended"] for one, two in itertools.pairwise(notes))


@pytest.mark.parametrize("group", ["test_service", "test_leftovers"])
def test_a_group_is_on_one_worker(notes: list[Note], group: str) -> None:
    assert len({note["worker"] for note in notes if note["test"].startswith(group)}) == 1


def test_the_other_tests_of_a_file_are_on_one_worker(notes: list[Note]) -> None:
    workers = defaultdict(set)
    for note in notes:
        if note["test"].startswith("test_plain"):
            workers[note["file"]].add(note["worker"])
    assert {len(each) for each in workers.values()} == {1}
