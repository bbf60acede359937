"""The lines of a server's log from the stretches of time that a report shows."""

from __future__ import annotations

import bisect
import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from racehound.data.run_directory import redact

LINES_LIMIT = 4000
"""Lines that are kept of one span. The report says how many more there were."""
_MARGIN_NS = 2_000_000
"""Logs have milliseconds, and a line about a statement may be logged shortly after the statement's end."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(?: ?(Z|UTC|GMT))?\s*")

LogLineReader = Callable[[str], tuple[int, str]]
"""Reads a logged message without its time: the server process, and the text to show (`Dialect.log_line`)."""


class LoggedLine(msgspec.Struct, frozen=True, array_like=True):
    """A line of a server's log, with the further lines of its message."""

    at_us: float
    """After the beginning of the span."""
    pid: int
    """0 where the log does not say."""
    text: str


class Span(msgspec.Struct):
    """A stretch of time and what the server logged in it. Times are of the monotonic clock."""

    start_ns: int
    end_ns: int
    lines: list[LoggedLine] = []
    left_out: int = 0


def fill(spans: Sequence[Span], log: Path, clock_zero_unix_s: float, read_line: LogLineReader) -> None:
    """Read the log once and give every span its lines: none if the file is missing or its lines have no times.

    `clock_zero_unix_s`: seconds since 1970 at the zero of the monotonic clock.
    """
    if not spans or not log.is_file():
        return
    by_start = sorted(spans, key=lambda span: span.start_ns)
    starts = [span.start_ns - _MARGIN_NS for span in by_start]
    longest_ns = max(span.end_ns - span.start_ns for span in spans) + 2 * _MARGIN_NS
    with log.open(encoding="utf-8", errors="replace") as lines:
        for at_unix_ns, text in _messages(lines):
            at_ns = at_unix_ns - round(clock_zero_unix_s * 1e9)
            last = bisect.bisect_right(starts, at_ns)
            first = bisect.bisect_left(starts, at_ns - longest_ns)
            for span in by_start[first:last]:
                if at_ns <= span.end_ns + _MARGIN_NS:
                    _add(span, at_ns, text, read_line)


def _messages(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Time in nanoseconds since 1970, and the message. A line without a time belongs to the message before it."""
    current: tuple[int, str] | None = None
    for line in lines:
        match = _STAMP.match(line)
        if match:
            if current:
                yield current
            current = _unix_ns(match), line[match.end() :].rstrip("\n")
        elif current:
            current = current[0], f"{current[1]}\n{line.rstrip()}"
    if current:
        yield current


def _unix_ns(match: re.Match[str]) -> int:
    # Servers that racehound starts log in UTC.
    moment = dt.datetime.fromisoformat(f"{match[1]}T{match[2].partition('.')[0]}+00:00")
    fraction = match[2].partition(".")[2].ljust(9, "0")
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction)


def _add(span: Span, at_ns: int, text: str, read_line: LogLineReader) -> None:
    if len(span.lines) >= LINES_LIMIT:
        span.left_out += 1
        return
    pid, message = read_line(text)
    span.lines.append(LoggedLine((at_ns - span.start_ns) / 1e3, pid, redact(message)))
