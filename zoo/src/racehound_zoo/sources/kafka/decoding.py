"""Decodes keys and values into columns, for each format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from racehound.testdrive.formats import confluent
from racehound.testdrive.formats.recipe import zigzag
from racehound_zoo.sources.kafka.columns import text
from racehound_zoo.sources.kafka.schemas import Schemas
from racehound_zoo.table_changes import Values

_AVRO_HEADER = 5
"""The number of bytes before an Avro message: a zero byte and the id of the schema."""


class DecodeError(ValueError):
    """A message does not have the format that it should have."""


class Decoder(Protocol):
    """Decodes the keys or the values of messages."""

    def key_identity(self, payload: bytes) -> bytes:
        """The bytes by which keys are compared: the same for equal keys."""

    def decode(self, payloads: Sequence[bytes]) -> list[Values | None]:
        """The values of the columns; None for a message that means that there is no row. DecodeError."""


class PlainDecoder:
    """A format that needs no schema."""

    def __init__(self, read: Callable[[bytes], Values]) -> None:
        self._read = read

    def key_identity(self, payload: bytes) -> bytes:
        return payload

    def decode(self, payloads: Sequence[bytes]) -> list[Values | None]:
        try:
            return [self._read(payload) for payload in payloads]
        except ValueError as error:
            raise DecodeError(f"Decode error: {error}") from error


def plain(form: str) -> PlainDecoder | None:
    """The decoder for TEXT, BYTES, JSON or CSV, as written after FORMAT; None for other formats."""
    name = form.split(maxsplit=1)[0].upper() if form else ""
    readers: dict[str, Callable[[bytes], Values]] = {"TEXT": _text, "BYTES": _bytes, "JSON": _json, "CSV": _csv(csv_width(form))}
    return PlainDecoder(readers[name]) if name in readers else None


def csv_width(form: str) -> int:
    """The number of columns in CSV WITH n COLUMNS; 1 for other formats."""
    found = re.search(r"WITH\s+(\d+)\s+COLUMNS", form, re.IGNORECASE)
    return int(found[1]) if found else 1


def _text(payload: bytes) -> Values:
    return (payload.decode(),)


def _bytes(payload: bytes) -> Values:
    return (f"\\x{payload.hex()}",)


def _json(payload: bytes) -> Values:
    json.loads(payload)
    return (payload.decode(),)


def _csv(width: int) -> Callable[[bytes], Values]:
    def read(payload: bytes) -> Values:
        row = next(csv.reader(io.StringIO(payload.decode())), [])
        if len(row) != width:
            raise ValueError(f"CSV error: expected {width} columns, got {len(row)}")
        return tuple(row)

    return read


class AvroDecoder:
    """Decodes records in Confluent's wire format. `names` has the columns; `side` is the field of an envelope that holds them."""

    def __init__(self, schemas: Schemas, names: Sequence[str], side: str = "") -> None:
        self._schemas = schemas
        self._names = tuple(names)
        self._side = side

    def key_identity(self, payload: bytes) -> bytes:
        return payload[_AVRO_HEADER:]

    def decode(self, payloads: Sequence[bytes]) -> list[Values | None]:
        values: list[Values | None] = [None] * len(payloads)
        indexes: dict[int, list[int]] = defaultdict(list)
        for index, payload in enumerate(payloads):
            try:
                indexes[confluent.unframe(payload)[0]].append(index)
            except ValueError as error:
                raise DecodeError(f"Decode error: {error}") from error
        for number, found in indexes.items():
            decoded = self._read(number, [payloads[index][_AVRO_HEADER:] for index in found])
            for index, value in zip(found, decoded, strict=True):
                values[index] = self._row(value)
        return values

    def _read(self, number: int, messages: Sequence[bytes]) -> list[Any]:
        """Decode all messages in one call, as an Avro array."""
        from fastavro import schemaless_reader

        joined = io.BytesIO(zigzag(len(messages)) + b"".join(messages) + b"\0")
        try:
            found = schemaless_reader(joined, self._schemas.many(number), None)
        except (EOFError, IndexError, ValueError, KeyError) as error:
            raise DecodeError(f"Decode error: Avro message does not fit schema {number}: {error}") from error
        if not isinstance(found, list) or len(found) != len(messages) or joined.read(1):
            raise DecodeError(f"Decode error: Avro message does not fit schema {number}")
        return found

    def _row(self, value: Any) -> Values | None:  # noqa: ANN401 any value that the schema describes
        if self._side:
            value = value[self._side]
        if value is None:
            return None
        if not isinstance(value, dict):
            return (text(value),)
        get = value.get
        return tuple([found if type(found := get(name)) is str else text(found) for name in self._names])
