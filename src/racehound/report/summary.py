"""The summary of a run as text: each finding, the smallest program known, and the command that replays it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from racehound.data.finding import CONSEQUENCES, SERIAL_ORDERS, Finding
from racehound.data.reduction import FILE as REDUCTION
from racehound.data.reduction import read_reduction
from racehound.data.verification import read_verification
from racehound.report.handover import kit_of
from racehound.report.scenes import reduction_text
from racehound.report.sessions import sessions_text

PAIRS_LIMIT = 3
LINES_LIMIT = 150
"""Lines of a finding's statements on the console. The file has all of them."""


def summary_text(findings: Sequence[Finding], facts: str, silenced: int, directory: Path) -> str:
    """Findings first, each with its statements by session; then known weaknesses, each with the pairs that showed it; then what
    needs no race."""
    headlines = [f for f in findings if f.is_headline]
    weaknesses = [f for f in findings if f.is_weakness and not f.needs_no_race]
    alone = [f for f in findings if f.needs_no_race]
    lines = ["", "=== Summary", facts]
    if silenced:
        lines.append(f"{silenced} meetings with findings of the baseline")
    for finding in headlines:
        lines += ["", *_headline(finding, directory)]
    if weaknesses:
        lines += ["", "=== Known weaknesses: internal errors while another session changed the same object"]
    for finding in weaknesses:
        lines += ["", *_weakness(finding, directory)]
    if alone:
        lines += ["", "=== No race needed: a serial order of the same statements shows it, too"]
    for finding in alone:
        lines += ["", *_headline(finding, directory)]
    lines += ["", _total(headlines, weaknesses, alone), f"everything is in {directory}"]
    return "\n".join(lines)


def finding_text(finding: Finding, directory: Path) -> str:
    """One finding with everything that is known about it."""
    lines = _headline(finding, directory)
    if finding.pairs:
        lines += ["    pairs of statements (failed | disturbed by):", *_pairs(finding)]
    lines += [f"    log: {line}" for line in finding.log]
    return "\n".join(lines)


def _headline(finding: Finding, directory: Path) -> list[str]:
    lines = [f"--- {finding.severity} {finding.id}, met {_times(finding.count)}: {finding.title}", _first_met(finding)]
    lines += [f"    {line}" for line in finding.detail]
    lines += [f"    and then: {line}" for line in finding.consequences]
    if replayed := finding.reproduction:
        lines.append(f"    replayed: {replayed.reproduced} of {replayed.tried} repetitions showed it again")
    lines.append(f"    again: racehound replay {_kept(finding, directory)}")
    return [*lines, *_statements(finding, directory)]


def _weakness(finding: Finding, directory: Path) -> list[str]:
    return [
        f"--- {finding.id}, met {_times(finding.count)}: {finding.signature}",
        _first_met(finding),
        *_pairs(finding),
        *_statements(finding, directory),
    ]


def _kept(finding: Finding, directory: Path) -> Path:
    """The directory of a finding in that of a run."""
    apart = directory / CONSEQUENCES / finding.id
    return apart if apart.is_dir() else directory / "findings" / finding.id


def _first_met(finding: Finding) -> str:
    """When it was first met, and whether it needs a race."""
    met = f"first met {finding.first_met}; " if finding.first_met else ""
    return f"    {met}{SERIAL_ORDERS[finding.serial_orders]}"


def _statements(finding: Finding, directory: Path) -> list[str]:
    """The statements that it was reduced to, or else those that ran when it was met."""
    kept = _kept(finding, directory)
    reduction = read_reduction(kept)
    if reduction is None:
        return _shortened(sessions_text(finding), kept / "sessions.sql")
    handed_over = handover_text(kept, directory)
    return [*_shortened(reduction_text(reduction), kept / REDUCTION), *([f"    {handed_over}"] if handed_over else [])]


def handover_text(finding_directory: Path, run: Path) -> str:
    """Where the files for others are, and whether they show the finding on a server like theirs; "" where there are none."""
    kit = kit_of(finding_directory)
    if not kit.is_dir():
        return ""
    verification = read_verification(kit)
    if verification is None:
        return f"not yet verified, so perhaps not for others to run: {kit} (racehound report {run} verifies it)"
    if verification.hindered:
        said = f"{verification.facts}; racehound report {run} tries again"
        return f"not verified to the end, so perhaps not for others to run: {kit} ({said})"
    word = "for others to run" if verification.as_promised else "not all of it is for others to run"
    return f"{word}: {kit} ({verification.facts})"


def _shortened(text: str, file: Path) -> list[str]:
    lines = [f"    {line}".rstrip() for line in text.splitlines()]
    return lines if len(lines) <= LINES_LIMIT else [*lines[:LINES_LIMIT], f"    -- … and so on: {file}"]


def _pairs(finding: Finding) -> list[str]:
    most = sorted(finding.pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:PAIRS_LIMIT]
    more = len(finding.pairs) - len(most)
    return [f"    {count:4} × {pair}" for pair, count in most] + ([f"    … and {more} other pairs"] if more else [])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _total(headlines: Sequence[Finding], weaknesses: Sequence[Finding], alone: Sequence[Finding]) -> str:
    if not headlines and not weaknesses and not alone:
        return "no findings"
    apart = f", {len(alone)} that need no race" if alone else ""
    return f"{len(headlines)} findings, {len(weaknesses)} known weaknesses{apart}"
