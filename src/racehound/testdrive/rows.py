"""Rows: how a script writes them, how the server's text becomes the script's, and how two sets of them differ."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from racehound.session import Rows
from racehound.testdrive.cells import converter
from racehound.testdrive.script import Row

NULL = "<null>"
DIFF_LINES_MAX = 200

_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ESCAPED = str.maketrans({"\n": r"\n", "\t": r"\t", "\r": r"\r", "\0": r"\0", "\\": r"\\", '"': r"\""})
_RULE = re.compile(r"-{3,}")


class UnterminatedQuoteError(ValueError):
    """A `"` of a row is not closed; `offset` is its place in the line, in characters from 0."""

    def __init__(self, offset: int) -> None:
        super().__init__("unterminated quote")
        self.offset = offset


class Cell(NamedTuple):
    """A column of a result line: its text, and its range in the line with quotes."""

    text: str
    start: int
    end: int


def split_row(line: str) -> Row:
    """The columns of a result line. A quote may begin anywhere; its end ends the column. Raises `UnterminatedQuoteError`."""
    return tuple(cell.text for cell in split_cells(line))


def split_cells(line: str) -> list[Cell]:
    """As `split_row`, with the places of the columns."""
    cells: list[Cell] = []
    text, start, at, opened = "", 0, 0, -1
    while at < len(line):
        char = line[at]
        at += 1
        if char == '"':
            if opened >= 0:
                cells.append(Cell(text, start, at))
                text, start = "", at
            opened = at - 1 if opened < 0 else -1
        elif opened >= 0 and char == "\\" and at < len(line):
            text += _UNESCAPED.get(line[at], line[at])
            at += 1
        elif opened < 0 and char.isspace():
            cells += [Cell(text, start, at - 1)] if text else []
            text, start = "", at
        else:
            text += char
    if opened >= 0:
        raise UnterminatedQuoteError(opened)
    return [*cells, Cell(text, start, at)] if text else cells


def format_row(row: Iterable[str]) -> str:
    """The line that `split_row` reads back as this row."""
    return " ".join(map(format_cell, row))


def format_cell(cell: str) -> str:
    """A column as a script writes it: quoted where it is empty, has white space or quotes, or looks like a line of dashes."""
    if cell and '"' not in cell and not any(map(str.isspace, cell)) and "\0" not in cell and not _RULE.fullmatch(cell):
        return cell
    return f'"{cell.translate(_ESCAPED)}"'


def to_text(rows: Rows | None) -> list[Row]:
    """The cells of a result set as scripts write them, unsorted; no rows where the statement returns none."""
    if rows is None:
        return []
    converters = [converter(oid) for oid in rows.types]
    return [
        tuple(
            NULL if cell is None else cell if convert is None else convert(cell)
            for cell, convert in zip(row, converters, strict=True)
        )
        for row in rows.cells
    ]


def text_block(lines: Iterable[str]) -> str:
    """Lines as one cell of text: white space at its end is cut to one newline; empty where there is nothing else."""
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return "".join(f"{line}\n" for line in kept)


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
