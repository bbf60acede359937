"""Findings of serial orders: those that also show when one session begins after the other has ended. They need no race."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from racehound.data.finding import Finding
from racehound.judge.errors import FAILED, UNDISTURBED

Answer: TypeAlias = tuple[str, str, tuple[str, ...]]


def same_defect(finding: Finding, serial: Finding) -> bool:
    """Whether a finding of a serial order is of the same defect, whichever statement met it there.

    What a check says must hold is broken, too, where other rows come back than in the race, or none.
    """
    if finding.oracle == serial.oracle == "contents":
        return True
    signatures = (each.signature.removesuffix(UNDISTURBED) for each in (finding, serial))
    return finding.oracle == serial.oracle and len(set(signatures)) == 1


class SerialFindings:
    """The findings of the serial orders of one program, to compare with those of its other orders.

    `exact_rows`: a wrong result is the same one only with the same rows. Else names and numbers in them do not matter, which is
    right where rows hold the time or the number of a process.
    """

    def __init__(self, *, exact_rows: bool) -> None:
        self._exact_rows = exact_rows
        self._findings: dict[Answer, Finding] = {}

    def add(self, findings: Iterable[Finding]) -> None:
        """Add the findings of one serial order."""
        self._findings = {**{self._answer(finding): finding for finding in findings}, **self._findings}

    def marked(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings of any order, each with whether a serial order shows it. To be called when all serial orders are known.

        One that a serial order shows is the same finding as there: an internal error is no known weakness then.
        """
        return [self._marked(each) for each in findings]

    def _marked(self, finding: Finding) -> Finding:
        serial = self._findings.get(self._answer(finding))
        if serial is None:
            return msgspec.structs.replace(finding, serial_orders="clean")
        same = {"severity": serial.severity, "signature": serial.signature, "title": serial.title}
        return msgspec.structs.replace(finding, **same, culprits=(), serial_orders="show it")

    def _answer(self, finding: Finding) -> Answer:
        """Equal where the same statements get the same answer. Nothing overlaps in a serial order: an internal error that comes
        in one is an undisturbed one there."""
        told: tuple[str, ...] = ()
        if finding.oracle == "errors":
            told = tuple(line for line in finding.detail if line.startswith(FAILED))
        elif finding.oracle == "contents" and self._exact_rows:
            told = finding.detail
        return finding.oracle, finding.signature.removesuffix(UNDISTURBED), told
