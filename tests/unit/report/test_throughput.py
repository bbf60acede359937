"""Throughput over time."""

from __future__ import annotations

import msgspec

from racehound.data.history import RepetitionEnded
from racehound.report.recorded import Repetition
from racehound.report.throughput import BUCKETS_LIMIT, ThroughputCounter
from tests.unit.programs import program
from tests.unit.report.examples import DROPS


def test_a_long_run_has_wider_buckets_and_loses_nothing() -> None:
    counter = ThroughputCounter()
    for second in range(1000):
        at_ns = 10**12 + second * 10**9
        done = msgspec.structs.replace(DROPS, start_ns=at_ns, end_ns=at_ns)
        case = Repetition(1, program(), second, [done, RepetitionEnded(second, at_ns, findings=("f",))])
        counter.add(case, [(done, "ok")])
    throughput = counter.throughput
    assert len(throughput.buckets) <= BUCKETS_LIMIT
    assert sum(bucket.repetitions for bucket in throughput.buckets) == 1000
    assert sum(bucket.outcomes[0] for bucket in throughput.buckets) == 1000
    assert throughput.found_at["f"][:3] == [0, 1, 2]
