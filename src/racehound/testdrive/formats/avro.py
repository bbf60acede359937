"""Encodes JSON, as scripts write it, in Avro's binary encoding (Avro specification, "Binary Encoding", "JSON Encoding").

A union's value is null or an object whose only key is the branch's name. Bytes, fixed and decimals are lists of numbers, or
strings with one character per byte. Values of logical types are written as their underlying numbers or bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from racehound.testdrive.formats.avro_schema import (
    NO_DEFAULT,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Node,
    Primitive,
    Record,
    Union,
    branch_names,
)
from racehound.testdrive.formats.json_text import write_value
from racehound.testdrive.formats.recipe import LONG_MAX, Piece, assemble, counted, counted_text_maker, zigzag, zigzag_maker
from racehound.testdrive.formats.varying import Varying, VaryingNumber, VaryingText, value_at

_MAXIMUM = {"int": 2**31 - 1, "long": LONG_MAX}
_FLOATS = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}


class AvroError(ValueError):
    """A value does not fit its schema. The text says where in the value, and why."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)


def encode(node: Node, value: object, path: str = "") -> bytes:
    """Encode a JSON value. Errors call it `path`. Raises AvroError."""
    return b"".join(piece for piece in _pieces(node, value, path) if isinstance(piece, bytes))


def prepare(node: Node, value: object) -> Piece:
    """Prepare the encoding of a JSON value that may contain `Varying` strings and numbers.

    Raises AvroError. A returned function raises it, too, for a number with which the value does not fit.
    """
    return assemble(_pieces(node, value, ""))


def _pieces(node: Node, value: object, path: str) -> Iterator[Piece]:
    if isinstance(value, Varying):
        yield _varying(node, value, path)
        return
    if isinstance(value, dict) and not isinstance(node, Map) and any(isinstance(key, Varying) for key in value):
        yield lambda number: encode(node, value_at(value, number), path)
        return
    match node:
        case Record():
            yield from _record(node, value, path)
        case Union():
            yield from _union(node, value, path)
        case Array():
            yield from _array(node, value, path)
        case Map():
            yield from _map(node, value, path)
        case Enum():
            yield _enum(node, value, path)
        case Fixed():
            yield _fixed(node, value, path)
        case Primitive():
            yield _primitive(node, value, path)


def _varying(node: Node, value: VaryingText | VaryingNumber, path: str) -> Piece:
    match node, value:
        case Primitive(kind="int" | "long" as kind), VaryingNumber(is_plain=True):
            return zigzag_maker(_MAXIMUM[kind])
        case Primitive(kind="string"), VaryingText():
            return counted_text_maker(value.parts)
        case _:
            return lambda number: encode(node, value.at(number), path)


def _record(node: Record, value: object, path: str) -> Iterator[Piece]:
    if not isinstance(value, dict):
        raise AvroError(path, f"expected an object for the record {node.name}, not {write_value(value)}")
    unknown = value.keys() - {field.name for field in node.fields}
    if unknown:
        raise AvroError(path, f"the record {node.name} has no field {', '.join(sorted(unknown))}")
    for field in node.fields:
        below = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            yield from _pieces(field.type, value[field.name], below)
        else:
            yield _default(field, below)


def _default(field: Field, path: str) -> bytes:
    """A union's default is a value of its first branch, without the branch's name."""
    if field.default is NO_DEFAULT:
        raise AvroError(path, "missing, and the schema has no default")
    if isinstance(field.type, Union):
        return zigzag(0) + encode(field.type.branches[0], field.default, path)
    return encode(field.type, field.default, path)


def _union(node: Union, value: object, path: str) -> Iterator[Piece]:
    names = [branch_names(branch) for branch in node.branches]
    if value is None:
        name, inner = "null", None
    elif isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
    else:
        shape = " or ".join("null" if name == "null" else f'{{"{name}": …}}' for name, *_ in names)
        raise AvroError(path, f"a union's value is written {shape}, not {write_value(value)}")
    index = next((index for index, known in enumerate(names) if name in known), None)
    if index is None:
        raise AvroError(path, f"the union has no branch {name}: one of {', '.join(known[0] for known in names)}")
    yield zigzag(index)
    yield from _pieces(node.branches[index], inner, f"{path}.{name}" if path else name)


def _array(node: Array, value: object, path: str) -> Iterator[Piece]:
    if not isinstance(value, list):
        raise AvroError(path, f"expected a list, not {write_value(value)}")
    if value:
        yield zigzag(len(value))
        for index, item in enumerate(value):
            yield from _pieces(node.items, item, f"{path}[{index}]")
    yield b"\0"


def _map(node: Map, value: object, path: str) -> Iterator[Piece]:
    if not isinstance(value, dict):
        raise AvroError(path, f"expected an object, not {write_value(value)}")
    if value:
        yield zigzag(len(value))
        for key, item in value.items():
            yield from _pieces(Primitive("string"), key, path)
            yield from _pieces(node.values, item, f"{path}.{key}")
    yield b"\0"


def _enum(node: Enum, value: object, path: str) -> bytes:
    if value not in node.symbols:
        raise AvroError(path, f"{write_value(value)} is none of the symbols of {node.name}: {', '.join(node.symbols)}")
    return zigzag(node.symbols.index(str(value)))


def _fixed(node: Fixed, value: object, path: str) -> bytes:
    content = _bytes(value, path)
    if len(content) != node.size:
        raise AvroError(path, f"{node.name} has {node.size} bytes, not {len(content)}")
    return content


def _primitive(node: Primitive, value: object, path: str) -> bytes:
    match node.kind, value:
        case "null", None:
            return b""
        case "boolean", bool():
            return b"\1" if value else b"\0"
        case "int" | "long" as kind, int() if not isinstance(value, bool):
            return _integer(kind, value, path)
        case "float" | "double" as kind, int() | float() if not isinstance(value, bool):
            return _float(kind, value, path)
        case "string", str():
            return counted(value.encode("utf-8", "surrogatepass"))
        case "bytes", list() | str():
            return counted(_bytes(value, path))
        case kind, _:
            raise AvroError(path, f"{write_value(value)} is no {kind}")


def _integer(kind: str, value: int, path: str) -> bytes:
    maximum = _MAXIMUM[kind]
    if not -maximum - 1 <= value <= maximum:
        raise AvroError(path, f"{value} is out of the range of {kind}")
    return zigzag(value)


def _float(kind: str, value: float, path: str) -> bytes:
    try:
        return _FLOATS[kind].pack(value)
    except (OverflowError, struct.error) as error:
        raise AvroError(path, f"{value} is out of the range of {kind}") from error


def _bytes(value: object, path: str) -> bytes:
    try:
        match value:
            case str():
                return value.encode("latin-1")
            case list():
                return bytes(value)
    except (ValueError, TypeError) as error:
        raise AvroError(path, f"{write_value(value)} has items that are no bytes") from error
    raise AvroError(path, f"expected bytes as a list of numbers or a string, not {write_value(value)}")
