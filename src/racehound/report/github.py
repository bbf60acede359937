"""Findings as annotations of a GitHub Actions job: the runner turns each line on standard output into an annotation.

Source: "Workflow commands for GitHub Actions", GitHub.
"""

from __future__ import annotations

from collections.abc import Sequence

from racehound.data.finding import SERIAL_ORDERS, Finding

_LIMIT = 4000
"""Characters of a message. The runner cuts longer ones."""


def annotation_lines(findings: Sequence[tuple[Finding, str]]) -> str:
    """`findings`: each with the command that reproduces it. Known weaknesses, and
    what needs no race, are warnings; all others are errors."""
    return "".join(_annotation(finding, replay) for finding, replay in findings)


def _annotation(finding: Finding, replay: str) -> str:
    level = "error" if finding.is_headline else "warning"
    title = f"{finding.severity} {finding.id} in {finding.database} {finding.release}"
    times = "once" if finding.count == 1 else f"{finding.count} times"
    lines = [
        finding.title,
        *finding.detail,
        *(f"and then: {line}" for line in finding.consequences),
        f"met {times}, seed {finding.seed}, repetition {finding.repetition}",
        *([f"first met {finding.first_met}"] if finding.first_met else []),
        SERIAL_ORDERS[finding.serial_orders],
        f"again: {replay}",
    ]
    message = "\n".join(lines)[:_LIMIT]
    return f"::{level} title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
