"""Avro's binary encoding back to JSON, in the one spelling in which equal values are equal."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import TypeVar

from racehound.testdrive.formats.avro import encode
from racehound.testdrive.formats.avro_schema import Array, Enum, Fixed, Map, Node, Primitive, Record, Union, branch_names

_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_FLOAT_MAX = _FLOAT.unpack(bytes.fromhex("ffff7f7f"))[0]
_VARINT_BYTES_MAX = 10

_Choice = TypeVar("_Choice")


def decode(node: Node, data: bytes) -> object:
    """The value that all of the bytes stand for; bytes in it are lists of numbers. Raises ValueError."""
    reader = _Reader(data)
    value = reader.read(node)
    if reader.at != len(data):
        raise ValueError(f"{len(data) - reader.at} bytes behind the Avro value")
    return value


def canonical(node: Node, value: object) -> object:
    """The value as `decode` returns it: defaults filled in; branches, bytes and numbers in one spelling. Raises ValueError."""
    return decode(node, encode(node, value))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self, node: Node) -> object:
        value: object
        match node:
            case Record():
                value = {field.name: self.read(field.type) for field in node.fields}
            case Union():
                value = self._union(node)
            case Array():
                value = [self.read(node.items) for _ in self._blocks()]
            case Map():
                value = {self._string(): self.read(node.values) for _ in self._blocks()}
            case Enum():
                value = self._one_of(node.symbols, f"symbol of {node.name}")
            case Fixed():
                value = list(self._take(node.size))
            case Primitive():
                value = self._primitive(node.kind)
        return value

    def _union(self, node: Union) -> object:
        branch = self._one_of(node.branches, "branch of a union")
        value = self.read(branch)
        return None if value is None else {branch_names(branch)[0]: value}

    def _primitive(self, kind: str) -> object:
        value: object = None
        match kind:
            case "boolean":
                value = self._take(1) != b"\0"
            case "int" | "long":
                value = self._long()
            case "float":
                value = _shortest(_FLOAT.unpack(self._take(4))[0])
            case "double":
                (value,) = _DOUBLE.unpack(self._take(8))
            case "bytes":
                value = list(self._take(self._long()))
            case "string":
                value = self._string()
        return value

    def _string(self) -> str:
        return self._take(self._long()).decode("utf-8", "surrogatepass")

    def _blocks(self) -> Iterator[None]:
        """A step for each item of an array or map; a negative count stands for a positive one and the block's size in bytes."""
        while (count := self._long()) != 0:
            if count < 0:
                self._long()
            yield from itertools.repeat(None, abs(count))

    def _one_of(self, choices: tuple[_Choice, ...], what: str) -> _Choice:
        index = self._long()
        if not 0 <= index < len(choices):
            raise ValueError(f"there is no {what} with the number {index}")
        return choices[index]

    def _long(self) -> int:
        number = shift = 0
        for _ in range(_VARINT_BYTES_MAX):
            (byte,) = self._take(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number >> 1 ^ -(number & 1)
            shift += 7
        raise ValueError("an Avro number of more than ten bytes")

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise ValueError("the Avro value ends early")
        taken = self.data[self.at : end]
        self.at = end
        return taken


def _shortest(value: float) -> float:
    """The double with the fewest digits that is the same float of 32 bits: 1.2, not 1.2000000476837158."""
    single = _FLOAT.pack(value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((short for short in candidates if _fits(short) and _FLOAT.pack(short) == single), value)


def _fits(value: float) -> bool:
    """Rounding up to fewer digits may lead beyond the greatest float."""
    return not abs(value) > _FLOAT_MAX
