"""The summary of a run as text: each finding, the smallest program known, and the command that replays it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from racehound.data.finding import CONSEQUENCES, CULPRITS_LIMIT, SERIAL_ORDERS, Culprit, Finding
from racehound.data.history import Outage
from racehound.data.reduction import FILE as REDUCTION
from racehound.data.reduction import read_reduction
from racehound.data.verification import read_verification
from racehound.report.handover import kit_of
from racehound.report.progress import outage_line
from racehound.report.scenes import reduction_text
from racehound.report.sessions import sessions_text

LINES_LIMIT = 150
"""Lines of a finding's statements on the console. The file has all of them."""


def summary_text(
    findings: Sequence[Finding],
    facts: str,
    silenced: int,
    directory: Path,
    outages: Sequence[Outage] = (),
    early: Sequence[str] = (),
) -> str:
    """Findings, each with its statements by session; then known weaknesses, each with its culprits; then what needs no race;
    then outages.

    `early`: why the run ended before its time, and what to do, a line each.
    """
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
    if outages:
        lines += ["", "=== Lost connections"]
        for outage in outages:
            lines += ["", *outage_lines(outage)]
    lines += ["", _total(headlines, weaknesses, alone), *early, f"everything is in {directory}"]
    return "\n".join(lines)


def outage_lines(outage: Outage) -> list[str]:
    """When the server, or connections to it, were lost: why, what was seen, and what was in flight."""
    what = [*outage.evidence, *(f"in flight: {statement}" for statement in outage.in_flight)]
    meaning = [] if outage.verdict == "server crashed" else ["no finding of the database"]
    return [f"--- {outage_line(outage)}", *(f"    {line}" for line in (*what, *meaning))]


def early_lines(reason: str, command: str) -> list[str]:
    """Why a run ended before its time, and the command that removes what it may have left."""
    return [f"ended early: {reason}", f"what may be left behind is removed by: {command}"]


def finding_text(finding: Finding, directory: Path) -> str:
    """One finding with everything that is known about it."""
    lines = _headline(finding, directory)
    lines += [f"    log: {line}" for line in finding.log]
    return "\n".join(lines)


def _headline(finding: Finding, directory: Path) -> list[str]:
    lines = [f"--- {finding.severity} {finding.id}, met {_times(finding.count)}: {finding.title}", _first_met(finding)]
    lines += [f"    {line}" for line in finding.detail]
    lines += [f"    and then: {line}" for line in finding.consequences]
    if replayed := finding.reproduction:
        lines.append(f"    replayed: {replayed.reproduced} of {replayed.tried} repetitions showed it again")
    lines += culprit_lines(finding)
    lines.append(f"    again: racehound replay {_kept(finding, directory)}")
    return [*lines, *_statements(finding, directory)]


def _weakness(finding: Finding, directory: Path) -> list[str]:
    return [
        f"--- {finding.id}, met {_times(finding.count)}: {finding.signature}",
        _first_met(finding),
        *([f"    run again at rest: {finding.at_rest}"] if finding.at_rest else []),
        *culprit_lines(finding),
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


def culprit_lines(finding: Finding) -> list[str]:
    """The statements that brought it about, as far as that is known: `failed | the other one`, in the words of the report."""
    return [f"    {each.certainty} culprit: {each.failed} | {each.other}{_odds(each)}" for each in known_culprits(finding)]


def known_culprits(finding: Finding) -> list[Culprit]:
    """The culprits of a finding. A file of an earlier version has pairs of statements instead; the most frequent of those."""
    if finding.culprits or not finding.pairs:
        return list(finding.culprits)
    most = sorted(finding.pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:CULPRITS_LIMIT]
    return [Culprit(pair.partition(" | ")[0], pair.partition(" | ")[2], count=count) for pair, count in most]


def _odds(culprit: Culprit) -> str:
    """How often the other statement was there with the error, and without it."""
    if culprit.certainty == "confirmed":
        return ""
    apart = f", {_times(culprit.apart)} without the error" if culprit.apart else ""
    return f" ({_times(culprit.count)}{apart})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _total(headlines: Sequence[Finding], weaknesses: Sequence[Finding], alone: Sequence[Finding]) -> str:
    if not headlines and not weaknesses and not alone:
        return "no findings"
    apart = f", {len(alone)} that need no race" if alone else ""
    return f"{len(headlines)} findings, {len(weaknesses)} known weaknesses{apart}"
