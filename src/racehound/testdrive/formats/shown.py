"""Converts messages and expected lines to one form, in which equal messages are equal text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from racehound.testdrive.formats import avro_decode, confluent, raw
from racehound.testdrive.formats.avro_schema import Node
from racehound.testdrive.formats.json_text import read_value, skip_space, write_value
from racehound.testdrive.values import unescape_bytes

NULL = "<null>"
MISSING = "<missing>"
_PARTITION = re.compile(r"\s+partition=([0-9]+)\s*$")
_WORD = re.compile(r"\S+")


class Form(Protocol):
    """Converts keys or values of one format."""

    def show(self, content: bytes) -> str:
        """Convert a message's key or value to text. Invalid bytes give some text, too."""

    def spell(self, text: str, start: int, *, to_the_end: bool) -> tuple[Sequence[str], int]:
        """Parse the text at `start`, which is no white space. Return what it may mean, as `show` writes it, and its end.

        The likeliest meaning comes first. Raises ValueError.
        """


class JsonForm:
    """JSON, compared as values."""

    def show(self, content: bytes) -> str:
        try:
            text = content.decode()
            value, end = read_value(text)
        except ValueError:
            return raw.show(content)
        return write_value(value, sort_keys=True) if skip_space(text, end) == len(text) else raw.show(content)

    def spell(self, text: str, start: int, *, to_the_end: bool) -> tuple[Sequence[str], int]:  # noqa: ARG002 JSON ends by itself
        value, end = read_value(text, start)
        return [write_value(value, sort_keys=True)], end


class AvroForm:
    """Avro after a schema registry's header, which has the number of the schema."""

    def __init__(self, schema: Callable[[int], Node]) -> None:
        self._schema = schema
        self._met = dict[int, Node]()

    def show(self, content: bytes) -> str:
        try:
            number, data = confluent.unframe(content)
            if number not in self._met:
                self._met[number] = self._schema(number)
            return write_value(avro_decode.decode(self._met[number], data))
        except ValueError as error:
            return f"<{error}> {raw.show(content)}"

    def spell(self, text: str, start: int, *, to_the_end: bool) -> tuple[Sequence[str], int]:  # noqa: ARG002 JSON ends by itself
        """Read the text by each schema of the messages, since defaults and floats depend on it."""
        value, end = read_value(text, start)
        return list(self._spellings(value)) or [write_value(value)], end

    def _spellings(self, value: object) -> Iterator[str]:
        for node in self._met.values():
            try:
                yield write_value(avro_decode.canonical(node, value))
            except ValueError:
                continue


class RawForm:
    """Bytes or text: a word, the rest of the line (both may have escapes), or a quoted string."""

    def show(self, content: bytes) -> str:
        return raw.show(content)

    def spell(self, text: str, start: int, *, to_the_end: bool) -> tuple[Sequence[str], int]:
        if text.startswith('"', start):
            value, end = read_value(text, start)
            if not to_the_end or skip_space(text, end) == len(text):
                return [raw.show(str(value).encode())], end
        word = text[start:] if to_the_end else text[start:].split(maxsplit=1)[0]
        return [raw.show(unescape_bytes(word)), raw.show(word.encode())], start + len(word)


@dataclass(frozen=True)
class Layout:
    """What an expected line shows of a message, in this order. `key` is None if keys are not shown."""

    headers: tuple[str, ...]
    key: Form | None
    value: Form
    has_partition: bool = False

    def line(self, headers: Mapping[str, str | bytes | None], key: bytes | None, value: bytes | None, partition: int) -> str:
        """The line that shows a message."""
        cells = [_header(headers[name]) if name in headers else MISSING for name in self.headers]
        cells += [_shown(self.key, key)] if self.key is not None else []
        cells += [_shown(self.value, value)]
        cells += [f"partition={partition}"] if self.has_partition else []
        return " ".join(cells)

    def spellings(self, line: str) -> list[str]:
        """The lines that an expected line may mean, likeliest first. Raises ValueError if it cannot be parsed."""
        tail = _PARTITION.search(line)
        text = line[: tail.start()] if tail else line
        cells, at = list[Sequence[str]](), 0
        for name in self.headers:
            header, at = _spell_header(text, at, name)
            cells.append([header])
        forms = [*([(self.key, False)] if self.key is not None else []), (self.value, True)]
        for form, is_last in forms:
            spelled, at = _spell(form, text, at, to_the_end=is_last)
            cells.append(spelled)
        if skip_space(text, at) < len(text):
            raise ValueError(f"there is more than a message in {line!r}")
        if self.has_partition:
            cells.append([f"partition={tail[1]}" if tail else ""])
        return [" ".join(chosen) for chosen in itertools.product(*cells)]


def shows_partition(line: str) -> bool:
    """Whether an expected line says in which partition the message is."""
    return _PARTITION.search(line) is not None


def _shown(form: Form, content: bytes | None) -> str:
    return NULL if content is None else form.show(content)


def _spell(form: Form, text: str, start: int, *, to_the_end: bool) -> tuple[Sequence[str], int]:
    """Parse a key or value. An empty text is null."""
    start = skip_space(text, start)
    word = _WORD.match(text, start)
    if word is None or word[0] in {NULL, f'"{NULL}"'}:
        return [NULL], word.end() if word else start
    return form.spell(text, start, to_the_end=to_the_end)


def _spell_header(text: str, start: int, name: str) -> tuple[str, int]:
    start = skip_space(text, start)
    if text.startswith('"', start):
        value, end = read_value(text, start)
        return _header(str(value)), end
    word = _WORD.match(text, start)
    if word is None:
        raise ValueError(f"{text!r} lacks the header {name}")
    return word[0], word.end()


def _header(value: str | bytes | None) -> str:
    """The header's text, quoted if it is empty or has spaces."""
    text = NULL if value is None else raw.show(value.encode() if isinstance(value, str) else value)
    return text if _WORD.fullmatch(text) else write_value(text)
