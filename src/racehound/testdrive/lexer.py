"""From text to logical lines, and from the text of an action to its arguments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from racehound.testdrive.script import Position

ACTION = "$"
SQL_SIGILS = ">!?"
COMMANDS = ACTION + SQL_SIGILS
COMMENT = "#"
PROTECTION = "\\"
CONTINUATION = "  "

CLOSING = {"{": "}", "[": "]"}
_BRACKET_NAMES = {"{": "brace", "}": "brace", "[": "bracket", "]": "bracket"}
_SEPARATOR = " "
_BYTE_ORDER_MARK = "\ufeff"


class LexicalError(Exception):
    """An error in the text of an action, at `offset` (characters from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True)
class Piece:
    """The origin of a part of a logical line: its offset in that line, and its line and column (from 0) in the file."""

    offset: int
    line: int
    column: int


@dataclass(frozen=True)
class Line:
    """A logical line: a command with its continuation lines joined, or any other line of the file as it is."""

    text: str
    pieces: tuple[Piece, ...]

    @property
    def sigil(self) -> str:
        """The first character if it begins a command or a comment, else the empty text."""
        first = self.text[:1]
        return first if first and first in COMMANDS + COMMENT else ""

    @property
    def is_blank(self) -> bool:
        """Whether the line has only white space."""
        return not self.text.strip()

    def position(self, offset: int = 0) -> Position:
        """The position in the file of the character at this offset of the logical line."""
        piece = self.pieces[bisect_right(self.pieces, offset, key=lambda piece: piece.offset) - 1]
        return Position(piece.line, piece.column + offset - piece.offset + 1)


def split_lines(source: str) -> list[Line]:
    """The logical lines of a script, blank lines and comments included."""
    physical = [line.removesuffix("\r") for line in source.removeprefix(_BYTE_ORDER_MARK).split("\n")]
    if physical[-1] == "":
        physical.pop()
    lines, at = [], 0
    while at < len(physical):
        end = at + 1
        if physical[at].startswith(tuple(COMMANDS)):
            while end < len(physical) and physical[end].startswith(CONTINUATION):
                end += 1
        lines.append(_join(physical, at, end))
        at = end
    return lines


def _join(physical: list[str], start: int, end: int) -> Line:
    """Join a continuation. SQL keeps the newline and loses both spaces; an action loses the newline and one space."""
    joint, dropped = ("", 1) if physical[start].startswith(ACTION) else ("\n", 2)
    text, pieces = physical[start], [Piece(0, start + 1, 0)]
    for number in range(start + 1, end):
        text += joint
        pieces.append(Piece(len(text), number + 1, dropped))
        text += physical[number][dropped:]
    return Line(text, tuple(pieces))


@dataclass(frozen=True)
class Token:
    """One argument of an action without its outer quotes, and the offset at which it begins."""

    text: str
    offset: int


def split_arguments(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, separated by spaces that stand outside braces, brackets and quotes.

    Quotes within braces and braces within quotes are text like any other. Raises `LexicalError` for a brace, bracket or quote
    without a partner.
    """
    at = start
    while at < len(text):
        if text[at] == _SEPARATOR:
            at += 1
            continue
        token, at = _read_token(text, at)
        yield token


def _read_token(text: str, start: int) -> tuple[Token, int]:
    kept: list[str] = []
    at, quote, open_at = start, -1, list[int]()
    while at < len(text):
        char = text[at]
        if char == '"' and not open_at:
            quote = at if quote < 0 else -1
            at += 1
            continue
        if quote >= 0:
            pass
        elif char in "{[":
            open_at.append(at)
        elif char in "}]":
            _close(text, at, open_at)
        elif char == _SEPARATOR and not open_at:
            break
        kept.append(char)
        at += 1
    if open_at:
        raise LexicalError(f"command argument has an open {_BRACKET_NAMES[text[open_at[-1]]]} that is never closed", open_at[-1])
    if quote >= 0:
        raise LexicalError("command argument has an unterminated quote", quote)
    return Token("".join(kept), start), at


def _close(text: str, at: int, open_at: list[int]) -> None:
    if not open_at or CLOSING[text[open_at[-1]]] != text[at]:
        raise LexicalError(f"command argument has an unbalanced closing {_BRACKET_NAMES[text[at]]}", at)
    open_at.pop()
