"""Verifies the kits of reduced findings: whether others can run them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from racehound.data.finding import read_finding
from racehound.data.reduction import read_reduction
from racehound.data.verification import Verification, write_verification
from racehound.databases.database import Database
from racehound.databases.registry import Opened
from racehound.report.handover import kit_of, write_handover

LIMIT_S = 120.0
"""Seconds for a kit; usually it takes a few."""
SHORT_LIMIT_S = 10.0
"""Seconds for a kit where somebody waits for the end of a hunt."""


def verify_kit(
    directory: Path, database: Database, scratch: Path, limit_s: float = LIMIT_S, *, fetch: bool = True
) -> Verification | None:
    """Verify the kit of a finding's directory, and keep the result in it; None for a finding without kit, or one that cannot be.

    fetch: also get the release that it was reduced on, where it is not here.
    """
    reduction = read_reduction(directory)
    if reduction is None or reduction.scene is None:
        return None
    finding, _ = read_finding(directory)
    write_handover(directory, finding, reduction, database.hand_over)
    verification = database.verify_hand_over(
        kit_of(directory), reduction.scene, finding, reduction.release, scratch, limit_s, fetch=fetch
    )
    if verification is not None:
        write_verification(kit_of(directory), verification)
        write_handover(directory, finding, reduction, database.hand_over)
    return verification


def verify_first(directories: Iterable[Path], opened: Opened) -> None:
    """Verify the kit of the first finding that has one, for a short time: somebody waits for a hunt to end. Ctrl-C ends it."""
    with_kit = (directory for directory in directories if kit_of(directory).is_dir())
    with contextlib.suppress(KeyboardInterrupt):
        for directory in with_kit:
            verify_kit(directory, opened.database, opened.scratch, SHORT_LIMIT_S, fetch=False)
            return
