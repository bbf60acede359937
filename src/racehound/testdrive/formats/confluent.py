"""What a schema registry's clients put in front of messages: a zero byte and the schema's number (Confluent, "Wire format")."""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">bI")
_MAGIC = 0


def header(schema_id: int) -> bytes:
    """What stands in front of a message written with this schema."""
    return _HEADER.pack(_MAGIC, schema_id)


def unframe(message: bytes) -> tuple[int, bytes]:
    """The number of the schema, and the message. Raises ValueError for bytes without a frame."""
    if len(message) < _HEADER.size:
        raise ValueError(f"a message of {len(message)} bytes has no schema number in front")
    magic, schema_id = _HEADER.unpack_from(message)
    if magic != _MAGIC:
        raise ValueError(f"the message begins with the byte {magic}, not with 0 and a schema number")
    return schema_id, message[_HEADER.size :]
