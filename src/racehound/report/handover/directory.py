"""The directory `reproduction` in a finding's directory: files that show the reduced finding without racehound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from racehound.data.finding import Finding, write_atomically
from racehound.data.reduction import HandOver, Reduction
from racehound.data.scene import Scene
from racehound.data.verification import FILE as VERIFICATION
from racehound.data.verification import read_verification
from racehound.report.handover import testdrive
from racehound.report.handover.plain import plain
from racehound.report.handover.report import report

DIRECTORY = "reproduction"
REPORT = "report.md"

Formats = Callable[[Scene, Finding, str], HandOver | None]
"""Makes the files that users of a database can run (`Database.hand_over`); None: testdrive scripts are written instead."""


def kit_of(finding_directory: Path) -> Path:
    """Where the files of a finding are."""
    return finding_directory / DIRECTORY


def write_handover(finding_directory: Path, finding: Finding, reduction: Reduction, formats: Formats) -> Path | None:
    """Write all files and return their directory; None for a finding that shows only in a storm, which cannot be run by hand.

    What an earlier kit has left goes. A verification stays as long as it is one of these files, and is part of the report.
    """
    if reduction.scene is None:
        return None
    forms = formats(reduction.scene, finding, f"{finding.title} ({reduction.database} {reduction.release})")
    forms = forms or testdrive.scripts(plain(reduction.scene))
    directory = kit_of(finding_directory)
    directory.mkdir(mode=0o700, exist_ok=True)
    known = {
        path.name: path.read_text(errors="replace") for path in directory.iterdir() if path.name not in (REPORT, VERIFICATION)
    }
    if known != dict(forms.files):
        for name in (*known, VERIFICATION):
            (directory / name).unlink(missing_ok=True)
    files = {**forms.files, REPORT: report(finding, reduction, forms, read_verification(directory))}
    for name, text in files.items():
        write_atomically(directory / name, text.encode())
    return directory
