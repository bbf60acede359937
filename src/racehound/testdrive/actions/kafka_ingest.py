"""Records written to Kafka: each input line is read and encoded once, then sent as often as the script says."""

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
"""What stands in the input for the number of the round, from `start-iteration` on."""
_TERMINATOR = ":"
_WIRE_FORMAT = "confluent-wire-format"

_Encode: TypeAlias = Callable[[str], Piece]
"""How the bytes of a key or value are made, from its text in an input line. Raises ValueError."""


@dataclass(frozen=True)
class _Side:
    """A key or value of all lines; `is_json` says that its text is one JSON value."""

    encode: _Encode
    is_json: bool


def _ingest(call: Call, state: State) -> None:
    """Send the lines, in order, `repeat` times; schemas are registered also when there is no line."""
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
    """A JSON object, or a list of them where a name comes twice. Raises ValueError."""
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
    """The recipes of a line's key and value: None without a side, or where there is nothing in the line for it."""
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
    """The first JSON value and the rest. A number of the same length stands in for the iteration."""
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
    """What keys and values are written with; None for those that there are not."""
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
    """In the registry's frame, and the schema registered for it, unless `confluent-wire-format` is false."""
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
    """In the registry's frame, with the number of a schema that is there already, if `confluent-wire-format` is true."""
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
