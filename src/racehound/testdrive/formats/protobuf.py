"""Protobuf messages from JSON, by descriptors alone: no generated code (Protocol Buffers, "ProtoJSON Format")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racehound.testdrive import extras
from racehound.testdrive.formats.recipe import Piece
from racehound.testdrive.formats.varying import value_at, varies

if TYPE_CHECKING:
    from google.protobuf.message import Message


def message_class(descriptor_set: bytes, name: str) -> type[Message]:
    """The class of a message of a compiled descriptor set, a `FileDescriptorSet` with all imports.

    A dot in front of the name, as some write it, means nothing. Raises ValueError, UserError without the package protobuf.
    """
    extras.load("google.protobuf", "protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file:
            pool.Add(file)
        kind: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name.removeprefix(".")))
    except (message.DecodeError, TypeError) as error:
        raise ValueError(f"not a Protobuf descriptor set: {error}") from error
    except KeyError as error:
        raise ValueError(f"the Protobuf descriptors hold no message {name}") from error
    return kind


def encode(kind: type[Message], value: object) -> bytes:
    """The bytes of a JSON object, the same each time. Raises ValueError when it does not fit the message."""
    from google.protobuf import json_format

    if not isinstance(value, dict):
        raise ValueError(f"expected an object for the message {kind.DESCRIPTOR.full_name}, not {value!r}")
    try:
        encoded: bytes = json_format.ParseDict(value, kind()).SerializeToString(deterministic=True)
    except (json_format.Error, TypeError, ValueError) as error:
        raise ValueError(f"{kind.DESCRIPTOR.full_name}: {error}") from error
    return encoded


def prepare(kind: type[Message], value: object) -> Piece:
    """How the bytes of a JSON object are made that may hold `Varying` strings and numbers. Raises ValueError."""
    if not varies(value):
        return encode(kind, value)
    return lambda number: encode(kind, value_at(value, number))
