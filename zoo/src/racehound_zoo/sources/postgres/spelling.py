"""Names, values and LSNs in PostgreSQL's syntax."""

from __future__ import annotations

import re
import struct
import time

Row = tuple[str | None, ...]
_EPOCH_S = 946_684_800
"""PostgreSQL's timestamps count from the beginning of 2000."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def literal(text: str) -> str:
    """A string literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def identifier(*names: str) -> str:
    """A quoted name, with its qualifiers."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def copied(line: bytes) -> Row:
    """A row of COPY's text format."""
    return tuple(_uncopied(value) for value in line.decode().removesuffix("\n").split("\t"))


def _uncopied(value: str) -> str | None:
    return None if value == "\\N" else _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value)


def lsn_of(text: str) -> int:
    """An LSN such as `16/B374D848`, as a number."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def confirmation(lsn: int, *, reply: bool) -> bytes:
    """A status message to a streaming server: everything before that LSN has been written.

    `reply` asks for the server's position.
    """
    now = int((time.time() - _EPOCH_S) * 1_000_000)
    return struct.pack("!cQQQqB", b"r", lsn, lsn, lsn, now, reply)
