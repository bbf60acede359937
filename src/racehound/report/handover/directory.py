"""The directory `reproduction` in a finding's directory: files that show the reduced finding without racehound."""

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
"""Makes the files that users of a database can run (`Database.hand_over`); None: testdrive scripts are written instead."""


def write_handover(finding_directory: Path, finding: Finding, reduction: Reduction, formats: Formats) -> Path | None:
    """Write all files and return their directory; None for a finding that shows only in a storm, which cannot be run by hand."""
    if reduction.scene is None:
        return None
    scene = plain(reduction.scene)
    forms = formats(scene, finding, f"{finding.title} ({reduction.database} {reduction.release})") or testdrive.scripts(scene)
    files = {**forms.files, "report.md": report(scene, finding, reduction, forms)}
    directory = finding_directory / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, text in files.items():
        write_atomically(directory / name, text.encode())
    return directory
