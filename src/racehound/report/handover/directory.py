"""The directory `reproduction` beside a finding."""

from __future__ import annotations

from pathlib import Path

from racehound.data.finding import Finding, write_atomically
from racehound.data.reduction import Reduction
from racehound.databases.postgres.handover import isolation, psql
from racehound.databases.postgres.handover.script import script
from racehound.report.handover import testdrive
from racehound.report.handover.plain import check_of, plain
from racehound.report.handover.report import report

DIRECTORY = "reproduction"
_PSQL = "PostgreSQL"


def write_handover(finding_directory: Path, finding: Finding, reduction: Reduction) -> Path | None:
    """Write all forms that fit the database; where. None for a reduction that is no scene: a storm cannot be taken by hand."""
    if reduction.scene is None:
        return None
    scene = plain(reduction.scene)
    title = f"{finding.title} ({reduction.database} {reduction.release})"
    if reduction.database == _PSQL:
        check = check_of(finding.title)
        files = psql.scripts(scene, check)
        files["race.py"] = script(scene, "race.py", title, check)
        if isolation.can_hold(scene):
            files["race.spec"] = isolation.spec(scene, title, check)
    else:
        check = ""
        files = testdrive.scripts(scene)
    files["report.md"] = report(scene, finding, reduction, files, check)
    directory = finding_directory / DIRECTORY
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        write_atomically(directory / name, text.encode())
    return directory
