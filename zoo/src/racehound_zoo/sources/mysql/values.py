"""Converts MySQL's values into PostgreSQL's text format."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re

_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_LENGTH = re.compile(r"\((\d+)\)")


def text(value: object, kind: str, written: str) -> str | None:
    """The text of a value from the binary log or a query.

    `kind` is the column's type without parentheses, `written` the whole type.
    """
    if value is None:
        return None
    if kind in _BINARY:
        return f"\\x{_padded(_octets(value), kind, written).hex()}"
    if kind == "bit":
        return str(int.from_bytes(value, "big") if isinstance(value, bytes) else int(str(value), 2))
    if kind == "json" and not isinstance(value, str):
        return json.dumps(_plain(value))
    return _spelled(value)


def _spelled(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        return _time(value)
    return f"{value:f}" if isinstance(value, decimal.Decimal) else str(value)


def _octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _padded(value: bytes, kind: str, written: str) -> bytes:
    """The value with the trailing zeros of a BINARY column, which the binary log omits."""
    length = _LENGTH.search(written) if kind == "binary" else None
    return value.ljust(int(length[1]), b"\0") if length is not None else value


def _time(value: dt.timedelta) -> str:
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.days * 86_400 + value.seconds, 60)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


def _plain(value: object) -> object:
    """A JSON value of the binary log, with its bytes decoded to strings."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode()
    return float(value) if isinstance(value, decimal.Decimal) else value
