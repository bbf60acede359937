"""What the values of arguments mean: numbers, booleans, durations, escaped bytes, regular expressions."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Match, Pattern

_UNIT_SECONDS = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_DURATION_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zµ]*)\s*")


def integer(text: str) -> int:
    """A non-negative integer. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def boolean(text: str) -> bool:
    """`true` or `false`. Raises ValueError."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def duration(text: str) -> float:
    """Seconds: `10s`, `500ms`, `1m30s`, `2 minutes`; a number alone counts seconds. Raises ValueError."""
    seconds, at = 0.0, 0
    while (part := _DURATION_PART.match(text, at)) and part[2] in _UNIT_SECONDS:
        seconds += float(part[1]) * _UNIT_SECONDS[part[2]]
        at = part.end()
    if not text or at != len(text):
        raise ValueError(f"{text!r} is not a duration such as 10s, 500ms or 1m30s")
    return seconds


_BYTE_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([ntr0\\]))")
_BYTES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"\\": b"\\"}


def unescape_bytes(text: str) -> bytes:
    r"""The bytes that a line with `\n \t \r \0 \\ \xNN` stands for; any other backslash stands for itself."""
    return _BYTE_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else _BYTES[found[2]], text.encode())


@functools.lru_cache(maxsize=1024)
def regex(pattern: str) -> Pattern[str]:
    """A pattern as scripts write it: in the syntax of Rust's regex crate, which the package `regex` knows nearly all of.

    Raises ValueError for what it cannot read.
    """
    import regex as engine

    try:
        return engine.compile(pattern, engine.V1)
    except (engine.error, OverflowError, RecursionError) as error:
        raise ValueError(f"invalid regular expression {pattern!r}: {error}") from error


_REFERENCE = re.compile(r"\$(?:\$|([0-9A-Za-z_]+)|\{([^}]+)\})")


def replace_all(pattern: Pattern[str], replacement: str, text: str) -> str:
    """Every match replaced. `$1`, `$name` and `${name}` stand for groups, `$$` for a dollar, as in Rust's regex crate."""
    if "$" not in replacement:
        return pattern.sub(lambda _: replacement, text)

    def expand(found: Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _group(found, reference), replacement)

    return pattern.sub(expand, text)


def _group(found: Match[str], reference: re.Match[str]) -> str:
    """The text of the group, empty for a group that the pattern lacks or that took no part in the match."""
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    key: int | str = int(name) if name.isdecimal() else name
    known = key in found.re.groupindex or (isinstance(key, int) and key <= found.re.groups)
    return (found[key] or "") if known else ""
