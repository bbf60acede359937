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
from racehound.judge.judge import Judge, distinct
from racehound.judge.oracle import HistoryOracle, ObservedHistory

RUN = Path(__file__).parents[1] / "data/version-0.1/run"
HISTORIES = sorted((RUN / "history").iterdir())
FOUND_AT_REST = {"ae8f9ba3e2", "fb204a66eb", "afe12a8427", "45d362342b", "d4f8d2806f"}
"""By the catalog oracle, which asked the server."""
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


def found_again(history: ObservedHistory) -> list[Finding]:
    return distinct(Judge(oracles(OF_HISTORY, {})).history(history))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_as_many_errors_are_in_each_class_as_when_it_was_recorded(path: Path) -> None:
    for history, ended in repetitions(path):
        counts = {"expected": ended.expected, "unexplained": ended.unexplained, "internal": ended.internal, "lost": ended.lost}
        assert history.classification.counts == Counter(counts)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_the_history_oracles_find_the_same_findings(path: Path) -> None:
    recorded = [(history, set(ended.findings) - FOUND_AT_REST) for history, ended in repetitions(path)]
    assert any(ids for _, ids in recorded)
    for history, ids in recorded:
        assert {finding.id for finding in found_again(history)} == ids


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
