"""The summary of a run: findings with their culprits, known weaknesses and what needs no race, each in its place."""

from __future__ import annotations

from pathlib import Path

import msgspec

from racehound.data.finding import Culprit, Finding, FirstMet, best_culprits, merged_culprits
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


FAILED_LOOKUP = Finding(
    "errors", "known weakness", "XX000 cache lookup failed for type N [f]", "XX000 cache lookup failed for type 3"
)
LIKELY = (Culprit("ALTER DOMAIN RENAME TO", "DROP TABLE CASCADE", count=2, apart=3), Culprit("ALTER DOMAIN", "DROP TYPE"))


def told(finding: Finding) -> list[str]:
    text = summary_text([finding], "", 0, Path("run"))
    assert [line for line in finding_text(finding, Path("run")).splitlines() if "culprit:" in line] == [
        line for line in text.splitlines() if "culprit:" in line
    ]
    return [line.strip() for line in text.splitlines() if "culprit:" in line]


def test_a_culprit_is_told_with_how_sure_it_is() -> None:
    assert told(msgspec.structs.replace(FAILED_LOOKUP, culprits=LIKELY)) == [
        "likely culprit: ALTER DOMAIN RENAME TO | DROP TABLE CASCADE (2 times, 3 times without the error)",
        "likely culprit: ALTER DOMAIN | DROP TYPE (once)",
    ]
    sure = Culprit("ALTER DOMAIN RENAME TO", "DROP TYPE CASCADE", "confirmed")
    finding = msgspec.structs.replace(FAILED_LOOKUP, severity="corruption", culprits=(sure,))
    assert told(finding) == ["confirmed culprit: ALTER DOMAIN RENAME TO | DROP TYPE CASCADE"]


def test_of_an_earlier_versions_pairs_the_three_most_frequent_are_told() -> None:
    finding = msgspec.structs.replace(FAILED_LOOKUP, pairs={"A | B": 1, "A | C": 7, "A | D": 2, "A | E": 3})
    assert [line.split(" | ")[1] for line in told(finding)] == ["C (7 times)", "E (3 times)", "D (2 times)"]


def test_what_is_confirmed_hides_what_is_likely() -> None:
    sure = Culprit("A", "Z", "confirmed", doubt=90)
    assert best_culprits([*LIKELY, sure]) == (sure,)
    assert len(best_culprits([Culprit("A", str(number)) for number in range(9)])) == 3


def test_of_several_errors_the_pair_with_the_least_doubt_and_then_the_most_frequent_comes_first() -> None:
    merged = merged_culprits(
        [Culprit("A", "often"), Culprit("A", "doubtful", doubt=25)],
        [Culprit("A", "often", apart=1), Culprit("A", "once")],
        [Culprit("A", "doubtful", count=9, doubt=25)],
    )
    assert [(each.other, each.count, each.apart) for each in merged] == [("often", 2, 1), ("once", 1, 0), ("doubtful", 10, 0)]
