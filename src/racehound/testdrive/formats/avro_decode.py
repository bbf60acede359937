"""Decodes Avro's binary encoding to JSON. Equal values become equal text. fastavro reads the bytes.

fastavro leaves out the name of a union's branch where the branch has no name of its own. Therefore each branch is passed to it as
a record with one field, named like the branch; a record adds no bytes (Avro specification, "Records").

fastavro counts a negative index of a branch or symbol from the end, and accepts numbers of more than ten bytes. Such bytes are
not reported as invalid.
"""

from __future__ import annotations

import functools
import io
import itertools
import struct
from typing import Any

from racehound.testdrive import extras
from racehound.testdrive.formats.avro import encode
from racehound.testdrive.formats.avro_schema import Array, Enum, Fixed, Map, Node, Primitive, Record, Union, branch_names

_FLOAT = struct.Struct("<f")
_FLOAT_MAX = _FLOAT.unpack(bytes.fromhex("ffff7f7f"))[0]
_AS_JSON = "racehound-json"
"""The logical type for which fastavro calls our functions, which convert bytes and floats to JSON."""


def decode(node: Node, data: bytes) -> object:
    """Decode all of the bytes; bytes in the value become lists of numbers. Raises ValueError."""
    stream = io.BytesIO(data)
    try:
        value: object = _fastavro().schemaless_reader(stream, _schema(node), None, handle_unicode_errors="surrogatepass")
    except EOFError:
        raise ValueError("the Avro value ends early") from None
    except IndexError:
        raise ValueError("the Avro value ends early, or has a branch or symbol that its schema does not have") from None
    if stream.tell() != len(data):
        raise ValueError(f"{len(data) - stream.tell()} bytes behind the Avro value")
    return value


def canonical(node: Node, value: object) -> object:
    """The value as `decode` returns it: with defaults, and branches, bytes and numbers in one form. Raises ValueError."""
    return decode(node, encode(node, value))


@functools.cache
def _fastavro() -> Any:  # noqa: ANN401 a module without types, imported late
    fastavro = extras.load("fastavro", "fastavro")
    readers = extras.load("fastavro.read", "fastavro").LOGICAL_READERS
    readers[f"bytes-{_AS_JSON}"] = readers[f"fixed-{_AS_JSON}"] = lambda value, *_: list(value)
    readers[f"float-{_AS_JSON}"] = lambda value, *_: _shortest(value)
    return fastavro


@functools.lru_cache(maxsize=256)
def _schema(node: Node) -> object:
    """Convert the schema to fastavro's form. Raises ValueError for an invalid schema."""
    fastavro = _fastavro()
    try:
        return fastavro.parse_schema(_Translation().of(node))
    except fastavro.schema.SchemaParseException as error:
        raise ValueError(f"the Avro schema is refused: {error}") from error


class _Translation:
    """Converts a schema to JSON. Named types get new, unique names, so that branches can be wrapped."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._records: dict[Record, str] = {}

    def of(self, node: Node) -> object:
        schema: object
        match node:
            case Record():
                schema = self._records.get(node) or self._record(node)
            case Union():
                schema = [self._branch(branch) for branch in node.branches]
            case Array():
                schema = {"type": "array", "items": self.of(node.items)}
            case Map():
                schema = {"type": "map", "values": self.of(node.values)}
            case Enum():
                schema = {"type": "enum", "name": self._name(), "symbols": list(node.symbols)}
            case Fixed():
                schema = {"type": "fixed", "name": self._name(), "size": node.size, "logicalType": _AS_JSON}
            case Primitive(kind="bytes" | "float" as kind):
                schema = {"type": kind, "logicalType": _AS_JSON}
            case Primitive():
                schema = node.kind
        return schema

    def _name(self) -> str:
        return f"type_{next(self._numbers)}"

    def _record(self, node: Record) -> object:
        self._records[node] = name = self._name()
        fields = [{"name": field.name, "type": self.of(field.type)} for field in node.fields]
        return {"type": "record", "name": name, "fields": fields}

    def _branch(self, branch: Node) -> object:
        if isinstance(branch, Primitive) and branch.kind == "null":
            return "null"
        field = {"name": branch_names(branch)[0], "type": self.of(branch)}
        return {"type": "record", "name": self._name(), "fields": [field]}


def _shortest(value: float) -> float:
    """The double with the fewest digits that is the same float of 32 bits: 1.2, not 1.2000000476837158."""
    single = _FLOAT.pack(value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((short for short in candidates if _fits(short) and _FLOAT.pack(short) == single), value)


def _fits(value: float) -> bool:
    """Whether it is in range: rounding up to fewer digits may exceed the greatest float."""
    return not abs(value) > _FLOAT_MAX
