"""The messages of PostgreSQL's logical replication (plug-in pgoutput, protocol version 1).

Their format is documented at https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

import dataclasses
import enum
import struct


class Unchanged(enum.Enum):
    """The marker for a large value that an update did not change: it is not sent again."""

    UNCHANGED = "u"


UNCHANGED = Unchanged.UNCHANGED
Value = str | None | Unchanged
Values = tuple[Value, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class BeginMessage:
    xid: int


@dataclasses.dataclass(frozen=True, slots=True)
class CommitMessage:
    """The end of a transaction. `lsn` is the position of the commit record, `end` the position after it."""

    lsn: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class RelationColumn:
    name: str
    type: int
    modifier: int


@dataclasses.dataclass(frozen=True, slots=True)
class RelationMessage:
    """The columns of the rows that follow. `identity` is d(efault), n(othing), f(ull) or i(ndex)."""

    id: int
    namespace: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class RowMessage:
    """The change of a row from `old` to `new`. If only the key of the old row was sent, `old` is None and `partial` is true."""

    relation: int
    old: Values | None
    new: Values | None
    partial: bool = False
    kind: str = "I"
    """I(nsert), U(pdate) or D(elete)."""


@dataclasses.dataclass(frozen=True, slots=True)
class TruncateMessage:
    relations: tuple[int, ...]


Message = BeginMessage | CommitMessage | RelationMessage | RowMessage | TruncateMessage


class _MessageReader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        value: int
        (value,) = struct.unpack_from(f"!{form}", self._data, self._at)
        self._at += struct.calcsize(f"!{form}")
        return value

    def letter(self) -> str:
        self._at += 1
        return chr(self._data[self._at - 1])

    def text(self) -> str:
        end = self._data.index(0, self._at)
        value = self._data[self._at : end].decode()
        self._at = end + 1
        return value

    def value(self) -> Value:
        kind = self.letter()
        if kind == "n":
            return None
        if kind == "u":
            return UNCHANGED
        size = self.number("i")
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def values(self) -> Values:
        return tuple(self.value() for _ in range(self.number("h")))


def decoded(data: bytes) -> Message | None:
    """Decode a message; None for one that is not about rows, such as an origin or a type."""
    reader = _MessageReader(data)
    kind = reader.letter()
    if kind == "B":
        reader.number("q")
        reader.number("q")
        return BeginMessage(reader.number("I"))
    if kind == "C":
        reader.number("B")
        return CommitMessage(reader.number("Q"), reader.number("Q"))
    if kind == "R":
        return _relation(reader)
    if kind in {"I", "U", "D"}:
        return _change(kind, reader)
    if kind == "T":
        count, _ = reader.number("i"), reader.number("B")
        return TruncateMessage(tuple(reader.number("I") for _ in range(count)))
    return None


def _relation(reader: _MessageReader) -> RelationMessage:
    number, namespace, name, identity = reader.number("I"), reader.text(), reader.text(), reader.letter()
    columns = []
    for _ in range(reader.number("h")):
        reader.number("B")
        columns.append(RelationColumn(reader.text(), reader.number("I"), reader.number("i")))
    return RelationMessage(number, namespace or "pg_catalog", name, identity, tuple(columns))


def _change(kind: str, reader: _MessageReader) -> RowMessage:
    relation, part = reader.number("I"), reader.letter()
    old: Values | None = None
    partial = False
    if part in {"K", "O"}:
        old, partial = reader.values(), part == "K"
        part = reader.letter() if kind == "U" else ""
    new = reader.values() if part == "N" else None
    return RowMessage(relation, None if partial else old, new, partial, kind)
