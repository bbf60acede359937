"""When a kit is verified, and how long that may take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Baseline, Finding, Reproduction, Store
from racehound.data.reduction import Reduction, write_reduction
from racehound.data.run_directory import RunDirectory
from racehound.data.scene import Line, Scene
from racehound.data.verification import RUNS, SHOWN, Verification, read_verification
from racehound.databases.registry import Opened
from racehound.loops.verification import LIMIT_S, SHORT_LIMIT_S, verify_first, verify_kit
from racehound.report.handover import kit_of
from tests.unit.programs import program
from tests.unit.scripted import ScriptedDatabase, ScriptedTarget

SCENE = Scene((Line(1, "DROP o_1"), Line(2, "CREATE o_1")))


class VerifyingDatabase(ScriptedDatabase):
    """Says that every kit is as promised, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, float, bool]] = []

    def verify_hand_over(
        self, directory: Path, scene: Scene, finding: Finding, release: str, scratch: Path, limit_s: float, *, fetch: bool
    ) -> Verification:
        assert scene == SCENE
        assert (directory / "report.md").is_file()
        assert scratch.is_dir()
        self.asked.append((finding.title, release, limit_s, fetch))
        return Verification(release, "Scripted 1.0", forms={"session": (SHOWN,) * RUNS})


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    scripted = ScriptedTarget()
    yield scripted
    scripted.stop()


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def kept(run: RunDirectory, title: str, *, scene: Scene | None = SCENE) -> Finding:
    """A finding of the run that was reduced before."""
    finding = Finding("errors", "internal error", title, title)
    Store(run.findings, Baseline()).add(finding, program(), [])
    reduction = Reduction(finding.id, "Scripted", "1.0", Reproduction(5, 5), 1.0, "minimal", (), scene)
    write_reduction(run.findings / finding.id, reduction)
    return finding


def test_what_came_of_it_is_kept_and_told_in_the_report(run: RunDirectory, tmp_path: Path) -> None:
    database, finding = VerifyingDatabase(), kept(run, "one")
    directory = run.findings / finding.id
    verification = verify_kit(directory, database, tmp_path)
    assert verification is not None
    assert read_verification(kit_of(directory)) == verification
    assert database.asked == [("one", "1.0", LIMIT_S, True)]
    assert "Verified on a stock server, 1.0: session showed it 2 of 2 times" in (kit_of(directory) / "report.md").read_text()


def test_what_shows_only_in_a_storm_has_no_kit(run: RunDirectory, tmp_path: Path) -> None:
    database, finding = VerifyingDatabase(), kept(run, "one", scene=None)
    assert verify_kit(run.findings / finding.id, database, tmp_path) is None
    assert not database.asked


def test_a_database_that_verifies_nothing_leaves_the_kit_unverified(run: RunDirectory, tmp_path: Path) -> None:
    finding = kept(run, "one")
    assert verify_kit(run.findings / finding.id, ScriptedDatabase(), tmp_path) is None
    assert read_verification(kit_of(run.findings / finding.id)) is None


def test_at_the_end_of_a_hunt_only_the_first_kit_is_verified_and_not_for_long(
    run: RunDirectory, tmp_path: Path, target: ScriptedTarget
) -> None:
    database = VerifyingDatabase()
    findings = [kept(run, "storm only", scene=None), kept(run, "one"), kept(run, "two")]
    for finding in findings:
        verify_kit(run.findings / finding.id, ScriptedDatabase(), tmp_path)  # writes the kit
    verify_first([run.findings / finding.id for finding in findings], Opened(database, target, tmp_path))
    assert database.asked == [("one", "1.0", SHORT_LIMIT_S, False)]
    assert SHORT_LIMIT_S <= 10
