"""A run as a trace in the JSON format of Chrome's tracing, which ui.perfetto.dev and chrome://tracing open.

There is a process per plan, a thread per session, and a slice per statement (its category is its outcome) and per repetition.
Faults, hangs and mismatches are instants. Times are microseconds since the run's first event.
Source: "Trace Event Format", Google.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from racehound.data.history import Fault, LogLine, Mismatch, Overdue, Statement
from racehound.databases.dialect import Dialect
from racehound.judge.shapes import shape
from racehound.report.error_classes import StatementOutcome, statement_outcomes
from racehound.report.recorded import Repetition

_REPETITIONS = 0
"""The thread that shows the repetitions; sessions count from 1."""

TraceEvent = dict[str, Any]


def write_trace(out: BinaryIO, recorded: Iterable[Repetition], dialect: Dialect, facts: dict[str, Any]) -> int:
    """Write the trace, event by event; how many were written. `facts`: what stands beside the events."""
    out.write(b'{"displayTimeUnit":"ms","otherData":' + msgspec.json.encode(facts) + b',"traceEvents":[')
    written = 0
    for written, event in enumerate(_Tracing(dialect).events(recorded), 1):
        out.write((b",\n" if written > 1 else b"\n") + msgspec.json.encode(event))
    out.write(b"\n]}\n")
    return written


class _Tracing:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._zero_ns: int | None = None
        self._threads: dict[tuple[int, str], int] = {}

    def events(self, recorded: Iterable[Repetition]) -> Iterator[TraceEvent]:
        for plan, repetitions in itertools.groupby(recorded, lambda repetition: repetition.plan):
            first, others = _peeked(repetitions)
            yield _meta("process_name", plan, _REPETITIONS, f"plan {plan}, seed {first.program.seed}: {first.program.title}")
            yield _meta("thread_name", plan, _REPETITIONS, "repetitions")
            for repetition in others:
                yield from self._repetition(repetition)

    def _repetition(self, repetition: Repetition) -> Iterator[TraceEvent]:
        outcomes = statement_outcomes(repetition, self._dialect)
        if self._zero_ns is None:
            self._zero_ns = min((s.start_ns for s, _ in outcomes), default=None)
        if repetition.started and repetition.ended:
            yield {
                "name": f"repetition {repetition.number}", "cat": "repetition", "ph": "X", "pid": repetition.plan,
                "tid": _REPETITIONS, "ts": self._us(repetition.started.start_ns),
                "dur": (repetition.ended.end_ns - repetition.started.start_ns) / 1e3,
                "args": {"findings": list(repetition.ended.findings)},
            }  # fmt: skip
        for statement, outcome in outcomes:
            yield from self._thread(repetition.plan, statement.session)
            yield self._slice(repetition.plan, statement, outcome)
        yield from self._instants(repetition)

    def _slice(self, plan: int, statement: Statement, outcome: StatementOutcome) -> TraceEvent:
        args = {
            "sql": statement.sql, "object": statement.object, "phase": statement.phase, "repetition": statement.repetition,
            "attempt": statement.attempt, "process": statement.pid, "tag": statement.tag, "sqlstate": statement.sqlstate,
            "message": statement.message, "detail": statement.detail, "source": statement.source,
        }  # fmt: skip
        return {
            "name": shape(statement.sql) or "statement", "cat": outcome, "ph": "X", "pid": plan,
            "tid": self._threads[plan, statement.session], "ts": self._us(statement.start_ns),
            "dur": (statement.end_ns - statement.start_ns) / 1e3, "args": {key: value for key, value in args.items() if value},
        }  # fmt: skip

    def _instants(self, repetition: Repetition) -> Iterator[TraceEvent]:
        for event in repetition.events:
            match event:
                case Fault():
                    yield self._instant(repetition.plan, _REPETITIONS, "fault", event.text, event.at_ns)
                case Overdue():
                    text = "\n".join([event.sql, *event.waits])
                    yield from self._thread(repetition.plan, event.session)
                    at_ns = event.start_ns + round(event.limit_s * 1e9)
                    yield self._instant(
                        repetition.plan, self._threads[repetition.plan, event.session], event.verdict, text, at_ns
                    )
                case Mismatch():
                    yield from self._thread(repetition.plan, event.session)
                    thread = self._threads[repetition.plan, event.session]
                    yield self._instant(repetition.plan, thread, "mismatch", event.difference, event.end_ns)
                case LogLine() if repetition.ended:
                    yield self._instant(repetition.plan, _REPETITIONS, "server log", event.text, repetition.ended.end_ns)

    def _instant(self, plan: int, thread: int, name: str, text: str, at_ns: int) -> TraceEvent:
        at_us = self._us(at_ns)
        return {
            "name": name,
            "cat": "event",
            "ph": "i",
            "s": "t",
            "pid": plan,
            "tid": thread,
            "ts": at_us,
            "args": {"text": text},
        }

    def _thread(self, plan: int, session: str) -> Iterator[TraceEvent]:
        """The event that names the session's thread, when it is first met."""
        if (plan, session) not in self._threads:
            number = sum(other == plan for other, _ in self._threads) + 1
            self._threads[plan, session] = number
            yield _meta("thread_name", plan, number, session)
            yield {"name": "thread_sort_index", "ph": "M", "pid": plan, "tid": number, "args": {"sort_index": number}}

    def _us(self, at_ns: int) -> float:
        return max(0.0, (at_ns - (self._zero_ns or at_ns)) / 1e3)


def _peeked(repetitions: Iterator[Repetition]) -> tuple[Repetition, Iterator[Repetition]]:
    first = next(repetitions)
    return first, itertools.chain([first], repetitions)


def _meta(name: str, plan: int, thread: int, value: str) -> TraceEvent:
    return {"name": name, "ph": "M", "pid": plan, "tid": thread, "args": {"name": value}}
