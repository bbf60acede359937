"""The lines of a server's log that belong to a stretch of time."""

from __future__ import annotations

from pathlib import Path

from racehound.report.server_log import LINES_LIMIT, Span, fill


def read_line(message: str) -> tuple[int, str]:
    """A log in which the process stands before the message, as `7: …`."""
    pid, colon, text = message.partition(": ")
    return (int(pid), text) if colon and pid.isdecimal() else (0, message)


def test_the_log_is_cut_to_each_span_and_keeps_no_password(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(
        "no time at all\n"
        "1970-01-01 00:00:10.000 UTC\t7: early\n"
        "1970-01-01 00:00:20.000 UTC\t8: gone\n"
        "\tdb://me:secret@host/\n"
        "1970-01-01T00:00:21.500000Z INFO without a process\n"
        "1970-01-01 00:00:30.000 UTC\t7: late\n"
    )
    zero = 5.0
    one, other = Span(14_900_000_000, 17_000_000_000), Span(25_000_000_000, 25_000_000_000)
    fill([one, other], log, zero, read_line)
    first, second = one.lines
    assert (first.at_us, first.pid) == (100_000, 8)
    assert first.text == "gone\n\tdb://me:***@host/"
    assert (second.pid, second.text) == (0, "INFO without a process")
    assert [line.text for line in other.lines] == ["late"]


def test_a_long_log_says_how_much_was_left_out(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("1970-01-01 00:00:01.000 UTC said\n" * (LINES_LIMIT + 3))
    span = Span(0, 2_000_000_000)
    fill([span], log, 0.0, read_line)
    assert (len(span.lines), span.left_out) == (LINES_LIMIT, 3)


def test_a_missing_log_leaves_the_spans_empty(tmp_path: Path) -> None:
    span = Span(0, 1)
    fill([span], tmp_path / "server.log", 0.0, read_line)
    assert span.lines == []
