"""Makes the bytes of messages: an input line is parsed once, then a function is called for each record."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TypeAlias

Piece: TypeAlias = bytes | Callable[[int], bytes]
"""Bytes that are equal in every record, or a function that makes them from the record's number."""
Recipe: TypeAlias = Piece | None
"""All bytes of a key or value; None if it is absent (no key, a tombstone)."""

_BYTE = tuple(bytes([byte]) for byte in range(256))
LONG_MAX = 2**63 - 1
_DIGITS_MAX = len(str(LONG_MAX))


def assemble(pieces: Iterable[Piece]) -> Piece:
    """Concatenate the pieces into one."""
    merged = _merge(pieces)
    makers = [piece for piece in merged if not isinstance(piece, bytes)]
    if not makers:
        return b"".join(piece for piece in merged if isinstance(piece, bytes))
    layout = b"".join(piece.replace(b"%", b"%%") if isinstance(piece, bytes) else b"%b" for piece in merged)
    match makers:
        # This runs for each record, so the most frequent counts have faster code.
        case [first]:
            return lambda number: layout % first(number)
        case [first, second]:
            return lambda number: layout % (first(number), second(number))
        case [first, second, third]:
            return lambda number: layout % (first(number), second(number), third(number))
        case _:
            return lambda number: layout % tuple([make(number) for make in makers])


def _merge(pieces: Iterable[Piece]) -> list[Piece]:
    merged = list[Piece]()
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def varint(number: int) -> bytes:
    """Encode a non-negative number: seven bits a byte, lowest first; all bytes but the last have the high bit."""
    encoded = b""
    while number > 0x7F:
        encoded += _BYTE[number & 0x7F | 0x80]
        number >>= 7
    return encoded + _BYTE[number]


def zigzag(number: int) -> bytes:
    """Encode a signed number as the varint of its place in 0, -1, 1, -2, … (Avro's int and long)."""
    return varint(number << 1 if number >= 0 else ~number << 1 | 1)


# In sequential numbers, the bits after the first byte change only once in 64 numbers.
_high_bits = functools.lru_cache(maxsize=64)(varint)
_LOW_BITS = tuple(_BYTE[low << 1 | 0x80] for low in range(64))
_SHORT = tuple(map(zigzag, range(64)))


def zigzag_maker(limit: int) -> Callable[[int], bytes]:
    """A `zigzag` that is fast for sequential numbers. It raises ValueError for a number greater than `limit`."""

    def make(number: int) -> bytes:
        if 64 <= number <= limit:
            return _LOW_BITS[number & 63] + _high_bits(number >> 6)
        if 0 <= number <= limit:
            return _SHORT[number]
        raise ValueError(f"{number} is out of range")

    return make


def text_maker(parts: tuple[str, ...]) -> Callable[[int], bytes]:
    """Return a function that joins the parts with the record's number, as UTF-8."""
    encoded = [part.encode() for part in parts]
    return lambda number: (b"%d" % number).join(encoded)


def counted_text_maker(parts: tuple[str, ...]) -> Callable[[int], bytes]:
    """Like `text_maker`, with the length in bytes before the text, as `zigzag` (Avro's string)."""
    encoded = [part.encode() for part in parts]
    if len(encoded) != 2:
        make = text_maker(parts)
        return lambda number: counted(make(number))
    before, after = encoded
    beginnings = [zigzag(len(before) + digits + len(after)) + before for digits in range(_DIGITS_MAX + 1)]

    def make_short(number: int) -> bytes:
        digits = b"%d" % number
        return beginnings[len(digits)] + digits + after

    return make_short


def counted(content: bytes) -> bytes:
    """Put the number of bytes before them."""
    return zigzag(len(content)) + content
