"""Converts the text of single values from the server's form to the form of scripts, which a Rust library defines."""

from __future__ import annotations

import binascii
import datetime as dt
import decimal
import functools
import re
from collections.abc import Callable, Iterator

Convert = Callable[[str], str]


def converter(oid: int) -> Convert | None:
    """The function that converts values of this type; None if both forms are equal."""
    return _CONVERTERS.get(oid)


def _boolean(text: str) -> str:
    return {"t": "true", "f": "false"}.get(text, text)


# The escapes of Rust's ascii::escape_default, which scripts use for bytea.
_BYTE = {
    **{byte: f"\\x{byte:02x}" for byte in range(256)},
    **{byte: chr(byte) for byte in range(0x20, 0x7F)},
    **{ord(char): f"\\{name}" for char, name in {"\t": "t", "\r": "r", "\n": "n", "'": "'", '"': '"', "\\": "\\"}.items()},
}
_OCTAL = re.compile(rb"\\(\\|[0-3][0-7]{2})")


def _bytea(text: str) -> str:
    """Convert PostgreSQL's hex or escape format ("Binary Data Types") to ASCII with escapes."""
    try:
        raw = binascii.unhexlify(text[2:]) if text.startswith("\\x") else _unescape_octal(text)
    except (binascii.Error, UnicodeEncodeError):
        return text
    return "".join(map(_BYTE.__getitem__, raw))


def _unescape_octal(text: str) -> bytes:
    return _OCTAL.sub(lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1], 8)]), text.encode("ascii"))


_SPECIAL_FLOATS = {"Infinity": "inf", "-Infinity": "-inf"}


def _float(text: str) -> str:
    """Write a float without exponent; infinities and NaN as Rust displays them. The server's digits are the shortest."""
    return _SPECIAL_FLOATS.get(text) or _numeric(text)


def _numeric(text: str) -> str:
    return text if "e" not in text.lower() else f"{decimal.Decimal(text):f}"


_FRACTION = re.compile(r"\.(\d+)")


def _fraction(text: str) -> str:
    """Pad fractions of a second to groups of three digits, as that library does: `.5` becomes `.500`."""
    return _FRACTION.sub(lambda found: "." + found[1].ljust(3 if len(found[1]) <= 3 else 6, "0"), text, count=1)


_ZONED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})")


def _timestamptz(text: str) -> str:
    """Convert to UTC. Values that Python cannot represent (infinity, BC, five-digit years) are not changed."""
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


_ARRAY_TOKEN = re.compile(r'[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _array(convert: Convert | None, text: str) -> str:
    """Write `{a b,NULL}`: each element as a single value, without quotes. Bounds before the braces stay."""
    bounds, equals, elements = text.rpartition("={") if text.startswith("[") else ("", "", text[1:])
    return "".join([bounds, equals or "{", *_array_parts(convert, elements)])


def _array_parts(convert: Convert | None, text: str) -> Iterator[str]:
    for token in _ARRAY_TOKEN.finditer(text):
        element = token[0]
        if element in {"{", "}", ",", "NULL"}:
            yield element
            continue
        plain = element if token[1] is None else _ESCAPED.sub(r"\1", token[1])
        yield convert(plain) if convert else plain


_RANGE = re.compile(r'([\[(])("(?:[^"\\]|\\.|"")*"|[^,"]*),("(?:[^"\\]|\\.|"")*"|[^,"]*)([\])])', re.DOTALL)


def _range(convert: Convert, text: str) -> str:
    """Write `[a b,c)`: each bound as a single value, without quotes. A missing bound stays empty."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return text
    lower, upper = (bound and convert(_unquote_bound(bound)) for bound in (found[2], found[3]))
    return f"{found[1]}{lower},{upper}{found[4]}"


def _unquote_bound(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1].replace('""', '"')) if text.startswith('"') else text


# Type OIDs: pg_type.dat of PostgreSQL; they are part of its protocol and never change.
_SIMPLE: dict[int, Convert] = {
    16: _boolean,
    17: _bytea,
    700: _float,
    701: _float,
    1083: _fraction,
    1114: _fraction,
    1184: _timestamptz,
    1700: _numeric,
}
_RANGES: dict[int, Convert] = {
    oid: functools.partial(_range, _SIMPLE[bound]) for oid, bound in ((3906, 1700), (3908, 1114), (3910, 1184))
}
_ELEMENTS = {
    1000: 16,  # bool
    1009: 25,  # text
    1014: 1042,  # bpchar
    1015: 1043,  # varchar
    1021: 700,  # float4
    1022: 701,  # float8
    1115: 1114,  # timestamp
    1183: 1083,  # time
    1185: 1184,  # timestamptz
    1187: 1186,  # interval
    1231: 1700,  # numeric
    3807: 3802,  # jsonb
    3905: 3904,  # int4range
    3907: 3906,  # numrange
    3909: 3908,  # tsrange
    3911: 3910,  # tstzrange
    3913: 3912,  # daterange
    3927: 3926,  # int8range
}
"""Element type by array type, where elements need conversion or the server quotes them."""
_CONVERTERS: dict[int, Convert] = {
    **_SIMPLE,
    **_RANGES,
    **{oid: functools.partial(_array, (_SIMPLE | _RANGES).get(element)) for oid, element in _ELEMENTS.items()},
}
