"""The culprits of a finding, in the summary and in all that is told of one finding."""

from __future__ import annotations

from pathlib import Path

import msgspec

from racehound.data.finding import Culprit, Finding, best_culprits, merged_culprits
from racehound.report.summary import finding_text, summary_text

WEAKNESS = Finding("errors", "known weakness", "XX000 cache lookup failed for type N [f]", "XX000 cache lookup failed for type 3")
LIKELY = (Culprit("ALTER DOMAIN RENAME TO", "DROP TABLE CASCADE", count=2, apart=3), Culprit("ALTER DOMAIN", "DROP TYPE"))


def told(finding: Finding) -> list[str]:
    text = summary_text([finding], "", 0, Path("run"))
    assert [line for line in finding_text(finding, Path("run")).splitlines() if "culprit:" in line] == [
        line for line in text.splitlines() if "culprit:" in line
    ]
    return [line.strip() for line in text.splitlines() if "culprit:" in line]


def test_a_culprit_is_told_with_how_sure_it_is() -> None:
    assert told(msgspec.structs.replace(WEAKNESS, culprits=LIKELY)) == [
        "likely culprit: ALTER DOMAIN RENAME TO | DROP TABLE CASCADE (2 times, 3 times without the error)",
        "likely culprit: ALTER DOMAIN | DROP TYPE (once)",
    ]
    sure = Culprit("ALTER DOMAIN RENAME TO", "DROP TYPE CASCADE", "confirmed")
    finding = msgspec.structs.replace(WEAKNESS, severity="corruption", culprits=(sure,))
    assert told(finding) == ["confirmed culprit: ALTER DOMAIN RENAME TO | DROP TYPE CASCADE"]


def test_of_an_earlier_versions_pairs_the_three_most_frequent_are_told() -> None:
    finding = msgspec.structs.replace(WEAKNESS, pairs={"A | B": 1, "A | C": 7, "A | D": 2, "A | E": 3})
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
