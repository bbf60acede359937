"""Bytes and text as scripts write them: characters, with escapes for the rest."""

from __future__ import annotations

from racehound.testdrive.formats.recipe import Piece, assemble, text_maker
from racehound.testdrive.values import unescape_bytes

_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def prepare(text: str, variable: str) -> Piece:
    """How the bytes of a text with escapes are made that may hold `variable`, the record's number."""
    if variable not in text:
        return unescape_bytes(text)
    pieces = list[Piece]()
    for part in text.split(variable):
        pieces += [_digits, unescape_bytes(part)]
    return assemble(pieces[1:])


_digits = text_maker(("", ""))


def show(content: bytes) -> str:
    r"""The bytes as a script writes them, in one line: UTF-8, with `\\` for a backslash and `\xNN` for what is no character."""
    return content.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace").translate(_ESCAPED)
