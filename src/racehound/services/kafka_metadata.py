"""Checks whether Kafka is ready, by a metadata request of its protocol.

The request is built here, since it has only a few dozen bytes. A client of librdkafka would need threads and a second for it, and
print every refused connection to standard error. See Kafka's protocol guide, Metadata request and response version 1.
"""

from __future__ import annotations

import socket
import struct
from typing import BinaryIO

from racehound.services.service import Endpoint, NotReadyError

_ANSWER_LIMIT_S = 2.0
_METADATA = 3
_VERSION = 1
_CORRELATION = 1
_CLIENT_ID = b"racehound"
_NO_TOPICS = 0
_MOST_BYTES = 1 << 20


def check_broker(endpoint: Endpoint) -> None:
    """NotReadyError unless the metadata have a broker and a controller."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _ANSWER_LIMIT_S) as connection:
            connection.sendall(_request())
            with connection.makefile("rb") as stream:
                brokers, controller = _response(stream)
    except (OSError, struct.error) as error:
        raise NotReadyError(f"{endpoint}: {error}") from None
    if not brokers or controller < 0:
        raise NotReadyError(f"{endpoint}: its metadata have {brokers} brokers and {'no' if controller < 0 else 'a'} controller")


def _request() -> bytes:
    header = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT_ID)) + _CLIENT_ID
    return struct.pack(">i", len(header) + 4) + header + struct.pack(">i", _NO_TOPICS)


def _response(stream: BinaryIO) -> tuple[int, int]:
    """The number of brokers, and the number of the controller, or -1. struct.error when the response is incomplete."""
    (size,) = struct.unpack(">i", stream.read(4))
    body = stream.read(min(size, _MOST_BYTES))
    correlation, brokers = struct.unpack_from(">ii", body)
    if correlation != _CORRELATION:
        raise struct.error("the response is not one of Kafka")
    position = 8
    for _ in range(brokers):
        # Each broker has a number, host, port and rack. The length of a missing rack is -1.
        (host,) = struct.unpack_from(">h", body, position + 4)
        (rack,) = struct.unpack_from(">h", body, position + 10 + host)
        position += 12 + host + max(rack, 0)
    (controller,) = struct.unpack_from(">i", body, position)
    return brokers, controller
