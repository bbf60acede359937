"""JSON as scripts write it: several values in a line, and texts that are alike whenever the values are."""

from __future__ import annotations

import json

_WHITE_SPACE = " \t\r\n"


def read_value(text: str, start: int = 0) -> tuple[object, int]:
    """The value that begins at `start` or behind white space there, and where it ends. Raises ValueError."""
    at = skip_space(text, start)
    try:
        return json.JSONDecoder().raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1} of {text!r}") from error
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error


def read_values(text: str) -> list[object]:
    """All values of a text, separated by white space or by nothing. Raises ValueError."""
    values, at = list[object](), skip_space(text, 0)
    while at < len(text):
        value, at = read_value(text, at)
        values.append(value)
        at = skip_space(text, at)
    return values


def skip_space(text: str, start: int) -> int:
    """Where the first character from `start` on stands that is no white space."""
    while start < len(text) and text[start] in _WHITE_SPACE:
        start += 1
    return start


def write_value(value: object, *, sort_keys: bool = False) -> str:
    """One line. With `sort_keys`, equal values are equal texts; `1`, `1.0` and `true` are different values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=sort_keys)
