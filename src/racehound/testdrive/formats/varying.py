"""Text with a variable number: an input line is parsed once, not once for each of a million records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from racehound.testdrive.formats.json_text import read_values

_PRIVATE_USE = range(0xE000, 0xF8FF)


@dataclass(frozen=True)
class VaryingText:
    """A string whose parts are joined by the number."""

    parts: tuple[str, ...]

    def at(self, number: int) -> str:
        """The string for one number."""
        return str(number).join(self.parts)


@dataclass(frozen=True)
class VaryingNumber:
    """A number whose digits include the number N, e.g. `-N`, `N00`, `1.N`."""

    parts: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is N itself."""
        return self.parts == ("", "")

    def at(self, number: int) -> object:
        """The int or float for one N. Raises ValueError when the text is not a number."""
        text = str(number).join(self.parts)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{text!r} is not a number") from error


Varying = VaryingText | VaryingNumber


def read_varying(text: str, variable: str) -> list[object]:
    """Parse JSON that may contain `variable`; strings and numbers with it become `Varying`. Raises ValueError."""
    if variable not in text:
        return read_values(text)
    hole, number = _unused(text)
    holder = re.compile(
        r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>[-+.0-9eE]*(?:VARIABLE[-+.0-9eE]*)+)'.replace("VARIABLE", re.escape(variable))
    )

    def mark(found: re.Match[str]) -> str:
        marked = found[0].replace(variable, hole)
        return marked if found["string"] else f'"{number}{marked}"'

    return [_unmark(value, hole, number) for value in read_values(holder.sub(mark, text))]


def _unused(text: str) -> tuple[str, str]:
    """Two characters that the text does not contain, not even as escapes."""
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in text and f"\\u{code:04x}" not in text.lower())
    return next(free), next(free)


def _unmark(value: object, hole: str, number: str) -> object:
    match value:
        case str() if hole in value:
            parts = tuple(value.removeprefix(number).split(hole))
            return VaryingNumber(parts) if value.startswith(number) else VaryingText(parts)
        case list():
            return [_unmark(item, hole, number) for item in value]
        case dict():
            return {_unmark(key, hole, number): _unmark(item, hole, number) for key, item in value.items()}
        case _:
            return value


def varies(value: object) -> bool:
    """Whether the value contains a `Varying` part."""
    match value:
        case list():
            return any(map(varies, value))
        case dict():
            return any(map(varies, value)) or any(map(varies, value.values()))
        case _:
            return isinstance(value, Varying)


def value_at(value: object, number: int) -> object:
    """The plain JSON value for one number. Raises ValueError when an object gets the same key twice."""
    match value:
        case VaryingText() | VaryingNumber():
            return value.at(number)
        case list():
            return [value_at(item, number) for item in value]
        case dict():
            return _object_at(value, number)
        case _:
            return value


def _object_at(value: Mapping[object, object], number: int) -> dict[object, object]:
    plain = {value_at(key, number): value_at(item, number) for key, item in value.items()}
    if len(plain) < len(value):
        raise ValueError(f"the same key twice in an object for {number}")
    return plain
