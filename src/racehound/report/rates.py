"""How a run went over time: statements and repetitions per second, the drawers' shares, and when each finding was met."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from racehound.data.history import Statement
from racehound.report.drawers import BECAME, Became
from racehound.report.recorded import Repetition

BUCKETS_LIMIT = 240
"""Points of a curve; a longer run has wider ones."""
_FINEST_S = 0.25
_MEETINGS_LIMIT = 400
"""Moments that are kept of one finding."""


class Bucket(msgspec.Struct, array_like=True):
    """What ended within one stretch of a run."""

    repetitions: int = 0
    drawers: list[int] = msgspec.field(default_factory=lambda: [0] * len(BECAME))
    """Statements, by `BECAME`."""


class Course(msgspec.Struct):
    """A run's course. Times in seconds since its first event."""

    width_s: float
    buckets: list[Bucket]
    meetings: dict[str, list[float]]
    """By finding: the repetitions' ends."""


class Clock:
    """Collects a course without knowing how long the run will be: when the buckets are too many, two become one."""

    def __init__(self) -> None:
        self._course = Course(_FINEST_S, [], {})
        self._zero_ns: int | None = None

    def add(self, repetition: Repetition, sorted_statements: Iterable[tuple[Statement, Became]]) -> None:
        for statement, became in sorted_statements:
            self._bucket(statement.end_ns, statement.start_ns).drawers[BECAME.index(became)] += 1
        if ended := repetition.ended:
            self._bucket(ended.end_ns).repetitions += 1
            at_s = self._seconds(ended.end_ns)
            for identity in ended.findings:
                moments = self._course.meetings.setdefault(identity, [])
                if len(moments) < _MEETINGS_LIMIT:
                    moments.append(at_s)

    def course(self) -> Course:
        return self._course

    def _seconds(self, at_ns: int) -> float:
        if self._zero_ns is None:
            self._zero_ns = at_ns
        return max(0.0, (at_ns - self._zero_ns) / 1e9)

    def _bucket(self, at_ns: int, began_ns: int | None = None) -> Bucket:
        if self._zero_ns is None:
            self._zero_ns = began_ns or at_ns
        at_s = self._seconds(at_ns)
        while at_s >= self._course.width_s * BUCKETS_LIMIT:
            self._halve()
        number = int(at_s / self._course.width_s)
        buckets = self._course.buckets
        buckets.extend(Bucket() for _ in range(len(buckets), number + 1))
        return buckets[number]

    def _halve(self) -> None:
        course = self._course
        pairs = [course.buckets[at : at + 2] for at in range(0, len(course.buckets), 2)]
        course.buckets = [
            Bucket(sum(b.repetitions for b in pair), [sum(counts) for counts in zip(*(b.drawers for b in pair), strict=True)])
            for pair in pairs
        ]
        course.width_s *= 2
