"""The directory `reproduction` beside a finding: the reduced finding in forms that others can run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from racehound.data.finding import Finding, write_atomically
from racehound.data.reduction import HandOver, Reduction
from racehound.data.scene import Scene
from racehound.report.handover import testdrive
from racehound.report.handover.plain import plain
from racehound.report.handover.report import report

DIRECTORY = "reproduction"

Formats = Callable[[Scene, Finding, str], HandOver | None]
"""Makes the forms that a database's users can run (`Database.hand_over`); None where scripts of the language are to serve."""


def write_handover(finding_directory: Path, finding: Finding, reduction: Reduction, formats: Formats) -> Path | None:
    """Write all forms and a bug report; where. None for a reduction to a storm, which nobody can run by hand."""
    if reduction.scene is None:
        return None
    scene = plain(reduction.scene)
    forms = formats(scene, finding, f"{finding.title} ({reduction.database} {reduction.release})") or testdrive.scripts(scene)
    files = {**forms.files, "report.md": report(scene, finding, reduction, forms)}
    directory = finding_directory / DIRECTORY
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        write_atomically(directory / name, text.encode())
    return directory
