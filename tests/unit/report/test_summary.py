"""The summary of a run: findings, known weaknesses and what needs no race, each in its place."""

from __future__ import annotations

from pathlib import Path

from racehound.data.finding import Finding, FirstMet
from racehound.report.junit import write_hunt_junit
from racehound.report.progress import finding_line
from racehound.report.summary import finding_text, summary_text

MET = FirstMet(12.5, 340)
ORPHAN = Finding(
    "catalog", "corruption", "row missing", "row missing (function f)",
    first_met=MET, serial_orders="clean", consequences=("corruption 0123456789: pg_dump fails",),
)  # fmt: skip
WEAKNESS = Finding("errors", "known weakness", "XX000 oops", "XX000 oops", first_met=FirstMet(1.0, 3))
ALONE = Finding("errors", "internal error", "23505 again", "23505 again", serial_orders="show it")
HANG = Finding("hang", "hang", "held", "held for ever", serial_orders="show it")


def test_each_finding_says_when_it_was_first_met_and_whether_it_needs_a_race(tmp_path: Path) -> None:
    text = finding_text(ORPHAN, tmp_path)
    assert "first met after 12.5 s, in repetition 340 of the run; no serial order of the same statements shows it" in text
    assert "    and then: corruption 0123456789: pg_dump fails" in text
    assert "first met after 12.5 s, in repetition 340 of the run" in finding_line(ORPHAN)
    assert "serial orders not tried" in finding_text(Finding("crash", "crash", "x", "x"), tmp_path)


def test_what_needs_no_race_is_listed_apart(tmp_path: Path) -> None:
    text = summary_text([ORPHAN, HANG, WEAKNESS, ALONE], "facts", 0, tmp_path)
    findings, _, rest = text.partition("=== Known weaknesses")
    weaknesses, _, apart = rest.partition("=== No race needed")
    assert ORPHAN.id in findings
    assert HANG.id in findings, "a hang is a defect in any order"
    assert "no race needed: a serial order of the same statements shows it, too" in findings
    assert WEAKNESS.id in weaknesses
    assert "first met after 1.0 s" in weaknesses
    assert ALONE.id in apart
    assert "2 findings, 1 known weaknesses, 1 that need no race" in apart


def test_what_needs_no_race_fails_no_test_case(tmp_path: Path) -> None:
    write_hunt_junit(tmp_path / "junit.xml", ["errors", "hang"], [(ALONE, "alone"), (HANG, "held")], 1.0, {})
    written = (tmp_path / "junit.xml").read_text()
    assert 'failures="1"' in written
    assert ALONE.id not in written
