"""Writes records to Kafka. Each input line is parsed and encoded once, then sent `repeat` times."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from racehound.testdrive.formats import avro, confluent, protobuf, raw
from racehound.testdrive.formats.avro_schema import Names
from racehound.testdrive.formats.json_text import read_value
from racehound.testdrive.formats.recipe import Piece, Recipe, assemble
from racehound.testdrive.formats.varying import read_varying
from racehound.testdrive.kafka import ANY_PARTITION, NOW, Header, kafka, real_topic, wait_for_topic
from racehound.testdrive.registry import referred, registry
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.temporary import temporary_file
from racehound.testdrive.values import integer

_ITERATION = "${kafka-ingest.iteration}"
"""The variable of the input that holds the number of the repetition, from `start-iteration` on."""
_TERMINATOR = ":"
_WIRE_FORMAT = "confluent-wire-format"

_Encode: TypeAlias = Callable[[str], Piece]
"""Makes the recipe of a key's or value's bytes from its text in an input line. Raises ValueError."""


@dataclass(frozen=True)
class _Side:
    """The format of the keys or of the values; `is_json`: the text of one is a JSON value."""

    encode: _Encode
    is_json: bool


def _ingest(call: Call, state: State) -> None:
    """Send the lines in order, `repeat` times. Schemas are registered even when there is no line."""
    client, topic = kafka(call, state), real_topic(call, state)
    repeat, start = integer(call.get("repeat", "1")), integer(call.get("start-iteration", "0"))
    partition = integer(call["partition"]) if "partition" in call.arguments else ANY_PARTITION
    timestamp = integer(call["timestamp"]) if "timestamp" in call.arguments else NOW
    headers = _headers(call.get("headers", "{}"))
    key, value = _sides(call, state, topic)
    lines = [_line(line, key, value, call.get("key-terminator", _TERMINATOR)) for line in call.input]
    wait_for_topic(client, topic, state)
    client.deliver(topic, _records(lines, range(start, start + repeat)), partition, timestamp, headers)


def _records(lines: Iterable[tuple[Recipe, Recipe]], numbers: Iterable[int]) -> Iterator[tuple[bytes | None, bytes | None]]:
    makers = [(_maker(key), _maker(value)) for key, value in lines]
    for number in numbers:
        for key, value in makers:
            yield key(number), value(number)


def _maker(recipe: Recipe) -> Callable[[int], bytes | None]:
    return recipe if callable(recipe) else lambda _: recipe


def _headers(text: str) -> list[Header]:
    """The headers of a JSON object, or of a list of objects, which allows a name twice. Raises ValueError."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"headers is not JSON: {error}") from error
    objects = given if isinstance(given, list) else [given]
    if not all(isinstance(each, dict) for each in objects):
        raise ValueError(f"headers must be an object or a list of objects, not {text}")
    return [(name, _header(name, value)) for each in objects for name, value in each.items()]


def _header(name: str, value: object) -> str | bytes | None:
    match value:
        case None | str():
            return value
        case list() if all(isinstance(byte, int) and 0 <= byte <= 0xFF for byte in value):
            return bytes(value)
        case _:
            raise ValueError(f"the header {name} must be a string, null or a list of bytes, not {json.dumps(value)}")


# Lines


def _line(line: str, key: _Side | None, value: _Side | None, terminator: str) -> tuple[Recipe, Recipe]:
    """The recipes of a line's key and value; None where it has none."""
    if key is None:
        texts = "", line
    elif key.is_json:
        texts = _split_json(line)
    else:
        before, found, after = line.partition(terminator)
        if not found and value is not None:
            raise ValueError(f"the line {line!r} has no {terminator!r} behind its key")
        texts = before, after
    return _recipe(texts[0], key), _recipe(texts[1], value)


def _split_json(line: str) -> tuple[str, str]:
    """The first JSON value and the rest of the line. The iteration is read as a number of the same length."""
    _, end = read_value(line.replace(_ITERATION, "1" * len(_ITERATION)))
    return line[:end], line[end:]


def _recipe(text: str, side: _Side | None) -> Recipe:
    if side is None:
        return None
    text = text.strip() if side.is_json else text
    return side.encode(text) if text else None


def _one(text: str) -> object:
    """The JSON value that is all of the text."""
    value, *more = read_varying(text, _ITERATION)
    if more:
        raise ValueError(f"there is more than one value in {text!r}")
    return value


# Formats


def _sides(call: Call, state: State, topic: str) -> tuple[_Side | None, _Side | None]:
    """The formats of keys and values; None where messages have none."""
    has_key = "key-format" in call.arguments and not call.flag("omit-key", default=False)
    key = _side(call, state, topic, "key") if has_key else None
    value = _side(call, state, topic, "value")
    return key, None if call.flag("omit-value", default=False) else value


def _side(call: Call, state: State, topic: str, side: str) -> _Side:
    prefix = "key-" if side == "key" else ""
    match call[f"{prefix}format"]:
        case "avro":
            return _Side(_avro(call, state, f"{topic}-{side}", prefix), is_json=True)
        case "protobuf":
            return _Side(_protobuf(call, state, f"{topic}-{side}", prefix), is_json=True)
        case "bytes" | "text":
            return _Side(lambda text: raw.prepare(text, _ITERATION), is_json=False)
        case unknown:
            raise ValueError(f"unknown {prefix}format {unknown}: one of avro, protobuf, bytes, text")


def _avro(call: Call, state: State, subject: str, prefix: str) -> _Encode:
    """Avro; the schema is registered and its number put before each value, unless `confluent-wire-format` is false."""
    schema = _needed(call, f"{prefix}schema")
    is_framed = call.flag(_WIRE_FORMAT, default=True)
    names, references = Names(), []
    if call.get(f"{prefix}references"):
        schemas = registry(call, state)
        references = referred(schemas, call[f"{prefix}references"])
        for text in schemas.dependencies(references):
            names.read(text)
    node, frame = names.read(schema), b""
    if is_framed:
        number = registry(call, state).publish(subject, schema, references=references)
        frame = confluent.header(number)
        if variable := call.get(f"set-{prefix}schema-id-var"):
            state.variables[variable] = str(number)
    return lambda text: assemble([frame, avro.prepare(node, _one(text))])


def _protobuf(call: Call, state: State, subject: str, prefix: str) -> _Encode:
    """Protobuf; if `confluent-wire-format` is true, the number of a registered schema is put before each value."""
    path = temporary_file(_needed(call, f"{prefix}descriptor-file"), state)
    try:
        descriptors = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path.name}: {error.strerror}; protobuf-compile-descriptors makes it") from error
    kind, frame = protobuf.message_class(descriptors, _needed(call, f"{prefix}message")), b""
    if call.flag(_WIRE_FORMAT, default=False):
        number = registry(call, state).existing(call.get(f"{prefix}schema-id-subject", subject)).id
        frame = confluent.header(number) + _message_id(call.get(f"{prefix}schema-message-id", "0"))
    return lambda text: assemble([frame, protobuf.prepare(kind, _one(text))])


def _message_id(text: str) -> bytes:
    """Which message of its file it is: 0 for the first; files try others as the one byte that readers look at."""
    number = integer(text)
    if number > 0xFF:
        raise ValueError(f"schema-message-id is one byte, not {text}")
    return bytes([number])


def _needed(call: Call, argument: str) -> str:
    if argument not in call.arguments:
        raise ValueError(f"{call.name} needs {argument} for this format")
    return call[argument]


ACTIONS: Mapping[str, Handler] = MappingProxyType({"kafka-ingest": _ingest})
