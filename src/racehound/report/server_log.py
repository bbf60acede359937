"""The server's log, cut to the moments that a report shows."""

from __future__ import annotations

import bisect
import datetime as dt
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from racehound.data.run_directory import redact

LINES_LIMIT = 4000
"""Lines that are kept of one span; a report tells how many more there were."""
_MARGIN_NS = 2_000_000
"""Logs count milliseconds, and what is logged of a statement may come a little after its end."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(?: ?(Z|UTC|GMT))?\s*")
_POSTGRES = re.compile(r"(\d+)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)", re.DOTALL)
"""After the time: process, its type, application name, SQLSTATE, and what is said (`targets.postgres.server`)."""


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


def fill(spans: Sequence[Span], log: Path, clock_zero_unix_s: float) -> None:
    """Read the log once and give every span its lines. A log that is not there, or bears no times, gives none."""
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
                    _add(span, at_ns, text)


def _messages(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Time in nanoseconds since 1970, and what was logged; lines without a time belong to the one before."""
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
    # Servers of racehound's own log in UTC.
    moment = dt.datetime.fromisoformat(f"{match[1]}T{match[2].partition('.')[0]}+00:00")
    fraction = match[2].partition(".")[2].ljust(9, "0")
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction)


def _add(span: Span, at_ns: int, text: str) -> None:
    if len(span.lines) >= LINES_LIMIT:
        span.left_out += 1
        return
    match = _POSTGRES.fullmatch(text)
    pid, said = (int(match[1]), _said(match)) if match else (0, text)
    span.lines.append(LoggedLine((at_ns - span.start_ns) / 1e3, pid, redact(said)))


def _said(match: re.Match[str]) -> str:
    """Who said it (the session of a session of racehound's, whose application name ends with it, or the process), and what."""
    who = match[3].rpartition(" ")[2] if match[2] == "client backend" else match[2]
    return f"{who}: {match[5]}" if who else match[5]
