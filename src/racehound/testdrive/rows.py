"""Rows: how a script writes them, how the server's text becomes the script's, and how two sets of them differ."""

from __future__ import annotations

import binascii
import datetime as dt
import decimal
import difflib
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Sequence

from racehound.targets.session import Rows
from racehound.testdrive.script import Row

NULL = "<null>"
DIFF_LINES_MAX = 200

_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ESCAPED = str.maketrans({"\n": r"\n", "\t": r"\t", "\r": r"\r", "\0": r"\0", "\\": r"\\", '"': r"\""})
_RULE = re.compile(r"-{3,}")


class UnterminatedQuoteError(ValueError):
    """A `"` of a row has no partner; `offset` is where in the line it stands, in characters from 0."""

    def __init__(self, offset: int) -> None:
        super().__init__("unterminated quote")
        self.offset = offset


def split_row(line: str) -> Row:
    """The columns of a result line. A quote begins anywhere, and its end ends the column. Raises `UnterminatedQuoteError`."""
    cells: list[str] = []
    cell, at, opened = "", 0, -1
    while at < len(line):
        char = line[at]
        at += 1
        if char == '"':
            if opened >= 0:
                cells.append(cell)
                cell = ""
            opened = at - 1 if opened < 0 else -1
        elif opened >= 0 and char == "\\" and at < len(line):
            cell += _UNESCAPED.get(line[at], line[at])
            at += 1
        elif opened < 0 and char.isspace():
            cells += [cell] if cell else []
            cell = ""
        else:
            cell += char
    if opened >= 0:
        raise UnterminatedQuoteError(opened)
    return (*cells, cell) if cell else tuple(cells)


def format_row(row: Iterable[str]) -> str:
    """The line that `split_row` reads back as this row."""
    return " ".join(map(format_cell, row))


def format_cell(cell: str) -> str:
    """A column as a script writes it: quoted where it is empty, holds white space or quotes, or could be taken for a rule."""
    if cell and '"' not in cell and not any(map(str.isspace, cell)) and "\0" not in cell and not _RULE.fullmatch(cell):
        return cell
    return f'"{cell.translate(_ESCAPED)}"'


def to_text(rows: Rows | None) -> list[Row]:
    """The cells of a result set as scripts write them, unsorted; no rows where the statement returns none."""
    if rows is None:
        return []
    converters = [_CONVERTERS.get(oid) for oid in rows.types]
    return [
        tuple(
            NULL if cell is None else cell if convert is None else convert(cell)
            for cell, convert in zip(row, converters, strict=True)
        )
        for row in rows.cells
    ]


def md5_of(rows: Iterable[Row]) -> str:
    """MD5, in hex, of the cells of the sorted rows, concatenated."""
    digest = hashlib.md5(usedforsecurity=False)
    for cell in itertools.chain.from_iterable(sorted(rows)):
        digest.update(cell.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def diff_rows(expected: Sequence[Row], actual: Sequence[Row]) -> str:
    """A unified diff of the rows as scripts write them, cut after `DIFF_LINES_MAX` lines; empty where they are equal."""
    before, after = ([line for row in rows for line in _display(row)] for rows in (expected, actual))
    lines = list(difflib.unified_diff(before, after, "expected", "actual", lineterm="", n=3))
    if len(lines) > DIFF_LINES_MAX:
        lines[DIFF_LINES_MAX:] = [f"… {len(lines) - DIFF_LINES_MAX} more lines"]
    return "\n".join(lines)


def _display(row: Row) -> list[str]:
    """A block of text (EXPLAIN) differs line by line; any other row is one line."""
    if len(row) == 1 and "\n" in row[0]:
        return row[0].rstrip("\n").split("\n")
    return [format_row(row)]


def _boolean(text: str) -> str:
    return {"t": "true", "f": "false"}.get(text, text)


# The escapes of Rust's ascii::escape_default, which is how the files' authors saw bytea.
_BYTE = {
    **{byte: f"\\x{byte:02x}" for byte in range(256)},
    **{byte: chr(byte) for byte in range(0x20, 0x7F)},
    **{ord(char): f"\\{name}" for char, name in {"\t": "t", "\r": "r", "\n": "n", "'": "'", '"': '"', "\\": "\\"}.items()},
}
_OCTAL = re.compile(rb"\\(\\|[0-3][0-7]{2})")


def _bytea(text: str) -> str:
    """Either of the two output formats of PostgreSQL ("Binary Data Types": hex, escape) as ASCII with escapes."""
    try:
        raw = binascii.unhexlify(text[2:]) if text.startswith("\\x") else _unescape_octal(text)
    except (binascii.Error, UnicodeEncodeError):
        return text
    return "".join(map(_BYTE.__getitem__, raw))


def _unescape_octal(text: str) -> bytes:
    return _OCTAL.sub(lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1], 8)]), text.encode("ascii"))


_SPECIAL_FLOATS = {"Infinity": "inf", "-Infinity": "-inf"}


def _float(text: str) -> str:
    """Plain notation, however large; infinities and NaN as Rust displays them. The digits are the server's, shortest already."""
    return _SPECIAL_FLOATS.get(text) or _numeric(text)


def _numeric(text: str) -> str:
    return text if "e" not in text.lower() else f"{decimal.Decimal(text):f}"


_FRACTION = re.compile(r"\.(\d+)")


def _fraction(text: str) -> str:
    """Fractions of a second in groups of three digits, as the authors' library writes them: `.5` is `.500`."""
    return _FRACTION.sub(lambda found: "." + found[1].ljust(3 if len(found[1]) <= 3 else 6, "0"), text, count=1)


_ZONED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})")


def _timestamptz(text: str) -> str:
    """In UTC, whatever the zone of the session. What Python cannot hold (infinity, BC, five-digit years) stays as it is."""
    if text.endswith("+00"):
        return f"{_fraction(text[:-3])} UTC"
    zoned = _ZONED.fullmatch(text)
    if zoned is None:
        return text
    try:
        moment = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return text
    return f"{_fraction(_without_zeros(moment))} UTC"


def _without_zeros(moment: dt.datetime) -> str:
    text = moment.replace(tzinfo=None).isoformat(sep=" ")
    return text.rstrip("0") if moment.microsecond else text


# Type OIDs: pg_type.dat of PostgreSQL; they are part of its protocol and never change.
_CONVERTERS: dict[int, Callable[[str], str]] = {
    16: _boolean,
    17: _bytea,
    700: _float,
    701: _float,
    1083: _fraction,
    1114: _fraction,
    1184: _timestamptz,
    1700: _numeric,
}
