from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import (
    Baseline,
    Finding,
    FirstMet,
    Severity,
    Store,
    consequence,
    finding_directories,
    normalise,
    print_baseline,
    read_baseline,
    read_finding,
    shown,
)
from racehound.errors import UserError
from tests.unit.programs import program, statement


def finding(signature: str = "row missing", severity: Severity = "corruption", statements: int = 3, **more: object) -> Finding:
    told = tuple(statement("o_0", f"CREATE {n}", n, n + 1) for n in range(statements))
    base = Finding("catalog", severity, signature, f"{signature} of o_0", seed=1, repetition=2, statements=told)
    return msgspec.structs.replace(base, **more)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('relation "o_0_tmp" does not exist', 'relation "o_4" does not exist'),
        ("cache lookup failed for relation 16412", "cache lookup failed for relation 99"),
        ("role rh1234abcd_o_0 is not there", "role rhffff0000_o_1_role is not there"),
        ("database rh1234abcd does not exist", "database rhffff0000 does not exist"),
        ("cannot connect to rh1234abcd_4", "cannot connect to rhdeadbeef_11"),
        ("could not open file base/5/16384 at 0/1A2B3C", "could not open file base/6/1 at 1/FF"),
    ],
)
def test_names_and_numbers_do_not_make_a_new_signature(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_different_messages_keep_different_signatures() -> None:
    assert normalise("cache lookup failed for relation 1") != normalise("cache lookup failed for type 1")


def test_a_defect_met_often_is_one_finding_with_a_count_and_the_shortest_evidence(tmp_path: Path) -> None:
    store = Store(tmp_path, Baseline())
    assert store.add(finding(pairs={"A | B": 1}), program(), [])
    assert not store.add(finding(statements=1, repetition=9, pairs={"A | B": 1, "A | C": 1}), program(), [])
    assert not store.add(finding(statements=5), program(), [])
    store.flush()
    (kept,) = store.sorted()
    assert (kept.count, kept.repetition, len(kept.statements)) == (3, 9, 1)
    assert kept.pairs == {"A | B": 2, "A | C": 1}
    assert read_finding(tmp_path / kept.id)[0] == kept


def test_a_finding_keeps_the_moment_of_its_first_meeting(tmp_path: Path) -> None:
    store = Store(tmp_path, Baseline())
    store.add(finding(first_met=FirstMet(1.5, 3)), program(), [])
    store.add(finding(first_met=FirstMet(9.0, 7), statements=1), program(), [])
    store.flush()
    (kept,) = store.sorted()
    assert kept.first_met == FirstMet(1.5, 3)
    assert read_finding(tmp_path / kept.id)[0] == kept


@pytest.mark.parametrize("racy_first", [True, False])
def test_the_evidence_is_that_of_the_meeting_that_needs_a_race(tmp_path: Path, racy_first: bool) -> None:
    racy = finding(statements=5, serial_orders="clean", repetition=1)
    serial = finding(statements=1, serial_orders="show it", repetition=2)
    store = Store(tmp_path, Baseline())
    for each in (racy, serial) if racy_first else (serial, racy):
        store.add(each, program(), [])
    (kept,) = store.sorted()
    assert (kept.serial_orders, kept.repetition, kept.count) == ("clean", 1, 2)


# One defect, one headline

DUMPED = finding("pg_dump fails")
ORPHAN = finding("orphan", consequences=(consequence(DUMPED, certain=True),))


def test_what_follows_from_another_finding_is_listed_under_it_also_where_it_is_met_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "findings", Baseline())
    assert store.add(ORPHAN, program(), [])
    assert not store.add(DUMPED, program(), [])
    assert not store.add(DUMPED, program(), [])
    store.flush()
    (kept,) = store.sorted()
    assert (kept.id, kept.count) == (ORPHAN.id, 1)
    assert kept.consequences == (f"{ORPHAN.consequences[0]} (met without it, too: 2 times)",)
    assert read_finding(tmp_path / "findings" / kept.id)[0] == kept
    assert shown(DUMPED.id, store.sorted())


def test_what_was_met_before_its_cause_moves_below_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    store = Store(tmp_path / "findings", Baseline())
    assert store.add(DUMPED, program(), [])
    assert store.add(ORPHAN, program(), [])
    store.flush()
    (kept,) = store.sorted()
    assert kept.consequences == (f"{ORPHAN.consequences[0]} (met without it, too: 1 time)",)
    assert [directory.name for directory in finding_directories(tmp_path)] == [ORPHAN.id]
    assert read_finding(tmp_path / "consequences" / DUMPED.id)[0] == DUMPED


def test_what_only_came_with_another_finding_stays_one_of_its_own_where_it_is_met_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "findings", Baseline())
    store.add(finding("orphan", consequences=(consequence(DUMPED, certain=False),)), program(), [])
    assert store.add(DUMPED, program(), [])
    assert {each.id for each in store.sorted()} == {ORPHAN.id, DUMPED.id}


def test_consequences_of_consequences_are_listed_under_the_first_cause(tmp_path: Path) -> None:
    error = finding("cache lookup failed", "internal error")
    dumped = msgspec.structs.replace(DUMPED, consequences=(consequence(error, certain=True),))
    store = Store(tmp_path / "findings", Baseline())
    for each in (error, dumped, ORPHAN, dumped, error):
        store.add(each, program(), [])
    (kept,) = store.sorted()
    assert kept.id == ORPHAN.id
    assert shown(error.id, [kept])
    assert shown(DUMPED.id, [kept])


def test_a_known_weakness_is_no_consequence(tmp_path: Path) -> None:
    weakness = msgspec.structs.replace(DUMPED, severity="known weakness")
    store = Store(tmp_path / "findings", Baseline())
    for each in (weakness, ORPHAN, weakness):
        store.add(each, program(), [])
    assert {each.id: each.count for each in store.sorted()} == {ORPHAN.id: 1, weakness.id: 2}


def test_what_follows_from_a_finding_of_the_baseline_is_silenced_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "findings", Baseline(ids=frozenset((ORPHAN.id,))))
    store.add(ORPHAN, program(), [])
    assert not store.add(DUMPED, program(), [])
    assert store.sorted() == []
    assert store.silenced == {ORPHAN.id: 2}


def test_the_worst_comes_first(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    store = Store(tmp_path / "findings", Baseline())
    severities: tuple[Severity, ...] = ("known weakness", "wrong result", "crash", "corruption")
    for severity in severities:
        store.add(finding(severity, severity), program(), [])
    assert [f.severity for f in store.sorted()] == ["crash", "corruption", "wrong result", "known weakness"]
    assert store.headlines == 3
    assert [read_finding(d)[0] for d in finding_directories(tmp_path)] == store.sorted()


def test_a_baseline_silences_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    known, new = finding("known"), finding("new")
    file = tmp_path / "known.toml"
    file.write_text(print_baseline([known]))
    baseline = read_baseline(file)
    store = Store(tmp_path / "findings", baseline)
    assert not store.add(known, program(), [])
    assert store.add(new, program(), [])
    assert store.sorted() == [new]
    assert store.silenced == {known.id: 1}


def test_a_baseline_can_silence_a_severity(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text('severities = ["known weakness"]\n')
    assert read_baseline(file).knows(finding(severity="known weakness"))
    assert not read_baseline(file).knows(finding())


def test_a_printed_baseline_is_toml_whatever_the_signature() -> None:
    odd = finding('quotes " and \\ and \n newline')
    assert tomllib.loads(print_baseline([odd]))["known"][0]["signature"] == odd.signature


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("not toml", "known.toml"), ("[[known]]\nx = 1", "needs an id"), ('severities = ["grave"]', "unknown severity 'grave'")],
)
def test_a_broken_baseline_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "known.toml"
    file.write_text(content)
    with pytest.raises(UserError, match=complaint):
        read_baseline(file)


def test_missing_and_foreign_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.toml"):
        read_baseline(tmp_path / "absent.toml")
    with pytest.raises(UserError, match="neither a run directory"):
        finding_directories(tmp_path)
    (tmp_path / "finding.json").write_text("{")
    with pytest.raises(UserError, match="holds no finding"):
        read_finding(tmp_path)
