"""A run of version 0.1, judged again: the oracles find in its histories what they found when it was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event, PlanStarted, Recorder, RepetitionEnded, Statement, error_classes, judged, read_history
from racehound.databases.postgres.dialect import POSTGRES
from racehound.judge import CORE, oracles
from racehound.judge.judge import Judge, distinct, without_consequences
from racehound.judge.oracle import HistoryOracle, ObservedHistory

RUN = Path(__file__).parents[2] / "data/version-0.1/run"
HISTORIES = sorted((RUN / "history").iterdir())
AT_REST = [
    Finding("catalog", "corruption", signature, signature)
    for signature in (
        "pg_operator.oprright -> pg_type.oid: row missing",
        "pg_proc.proargtypes -> pg_type.oid: row missing",
        "pg_depend.refobjid -> pg_type.oid: row missing",
        "pg_operator.oprcode -> pg_proc.oid: row missing",
        "pg_depend.refobjid -> pg_proc.oid: row missing",
    )
]
"""What the catalog oracle found on the server."""
OF_HISTORY = [name for name, oracle in CORE.items() if isinstance(oracle(), HistoryOracle)]


def repetitions(path: Path) -> Iterator[tuple[ObservedHistory, RepetitionEnded]]:
    """Each repetition as the oracles saw it, and how it ended."""
    program, events = None, list[Event]()
    for event in read_history(path):
        if isinstance(event, PlanStarted):
            program = event.program
        elif isinstance(event, RepetitionEnded):
            assert program is not None
            yield ObservedHistory(program, event.repetition, events, POSTGRES, "18.3"), event
            events = []
        else:
            events.append(event)


def found_again(history: ObservedHistory, ended: RepetitionEnded) -> set[str]:
    """Ids of what the oracles of a history find, beside what was found at rest."""
    at_rest = [finding for finding in AT_REST if finding.id in ended.findings]
    found = Judge(oracles(OF_HISTORY, {})).history(history)
    return {finding.id for finding in without_consequences(distinct([*at_rest, *found]))}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_as_many_errors_are_in_each_class_as_when_it_was_recorded(path: Path) -> None:
    for history, ended in repetitions(path):
        own = len(history.classification.overtaken_checks)  # version 0.1 took them for internal errors of the session
        internal, expected = ended.internal - own, ended.expected + own
        counts = {"expected": expected, "unexplained": ended.unexplained, "internal": internal, "lost": ended.lost}
        assert history.classification.counts == Counter(counts)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_the_oracles_find_the_same(path: Path) -> None:
    recorded = list(repetitions(path))
    assert any(ended.findings for _, ended in recorded)
    for history, ended in recorded:
        found = found_again(history, ended)
        if history.classification.overtaken_checks:
            assert found < set(ended.findings)  # version 0.1 told these as known weaknesses
        else:
            assert found == set(ended.findings)


def test_the_classes_of_a_repetition_are_written_and_read_again(tmp_path: Path) -> None:
    for history, ended in repetitions(HISTORIES[0]):
        failed = history.classification.failed
        recorder = Recorder(tmp_path / f"{history.number}.jsonl")
        for event in (*history.events, *(judged(n, history.events, failed) for n in (0, history.number)), ended):
            recorder.append(event)
        recorder.close()
        read = list(read_history(recorder.path))
        classes = error_classes(read)
        assert [classes.get(id(event)) for event in read if isinstance(event, Statement)] == [
            {id(s): each for s, each in failed}.get(id(event)) for event in history.statements
        ]


def test_a_history_of_version_0_1_has_no_classes() -> None:
    assert error_classes(read_history(HISTORIES[0])) == {}
