"""Throughput of a run over time: statements by outcome and repetitions, and when each finding was met."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from racehound.data.history import Statement
from racehound.report.error_classes import STATEMENT_OUTCOMES, StatementOutcome
from racehound.report.recorded import Repetition

BUCKETS_LIMIT = 240
"""Points of a curve. A longer run has wider buckets."""
_FINEST_S = 0.25
_TIMES_LIMIT = 400
"""Times that are kept for one finding."""


class Bucket(msgspec.Struct, array_like=True):
    """What ended within one stretch of a run."""

    repetitions: int = 0
    outcomes: list[int] = msgspec.field(default_factory=lambda: [0] * len(STATEMENT_OUTCOMES))
    """Number of statements, by `STATEMENT_OUTCOMES`."""


class Throughput(msgspec.Struct):
    """Times are seconds since the first event of the run."""

    width_s: float
    buckets: list[Bucket]
    found_at: dict[str, list[float]]
    """By id of a finding: the ends of the repetitions that met it."""


class ThroughputCounter:
    """Counts without knowing how long the run is: when there are too many buckets, each two become one."""

    def __init__(self) -> None:
        self.throughput = Throughput(_FINEST_S, [], {})
        self._zero_ns: int | None = None

    def add(self, repetition: Repetition, outcomes: Iterable[tuple[Statement, StatementOutcome]]) -> None:
        for statement, outcome in outcomes:
            bucket = self._bucket(statement.end_ns, statement.start_ns)
            bucket.outcomes[STATEMENT_OUTCOMES.index(outcome)] += 1
        if ended := repetition.ended:
            self._bucket(ended.end_ns).repetitions += 1
            at_s = self._seconds(ended.end_ns)
            for finding in ended.findings:
                times = self.throughput.found_at.setdefault(finding, [])
                if len(times) < _TIMES_LIMIT:
                    times.append(at_s)

    def _seconds(self, at_ns: int) -> float:
        if self._zero_ns is None:
            self._zero_ns = at_ns
        return max(0.0, (at_ns - self._zero_ns) / 1e9)

    def _bucket(self, at_ns: int, began_ns: int | None = None) -> Bucket:
        if self._zero_ns is None:
            self._zero_ns = began_ns or at_ns
        at_s = self._seconds(at_ns)
        while at_s >= self.throughput.width_s * BUCKETS_LIMIT:
            self._merge_pairs()
        number = int(at_s / self.throughput.width_s)
        buckets = self.throughput.buckets
        buckets.extend(Bucket() for _ in range(len(buckets), number + 1))
        return buckets[number]

    def _merge_pairs(self) -> None:
        throughput = self.throughput
        pairs = [throughput.buckets[at : at + 2] for at in range(0, len(throughput.buckets), 2)]
        throughput.buckets = [
            Bucket(sum(b.repetitions for b in pair), [sum(counts) for counts in zip(*(b.outcomes for b in pair), strict=True)])
            for pair in pairs
        ]
        throughput.width_s *= 2
