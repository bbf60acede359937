"""Kafka's readiness by its own protocol: one metadata request, as the first thing that every client sends.

Written out here because it is a few dozen bytes: a client of librdkafka takes threads and a second for it, and tells standard
error of every refused connection. The layout is that of Kafka's protocol guide, Metadata request and response version 1.
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
    """NotReadyError unless the broker knows itself as one that takes requests, and the controller of the cluster."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _ANSWER_LIMIT_S) as connection:
            connection.sendall(_request())
            with connection.makefile("rb") as stream:
                brokers, controller = _response(stream)
    except (OSError, struct.error) as error:
        raise NotReadyError(f"{endpoint}: {error}") from None
    if not brokers or controller < 0:
        raise NotReadyError(f"{endpoint}: it knows of {brokers} brokers and of {'no' if controller < 0 else 'a'} controller")


def _request() -> bytes:
    header = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT_ID)) + _CLIENT_ID
    return struct.pack(">i", len(header) + 4) + header + struct.pack(">i", _NO_TOPICS)


def _response(stream: BinaryIO) -> tuple[int, int]:
    """The number of brokers, and the controller's number, -1 when there is none. struct.error when it ends too soon."""
    (size,) = struct.unpack(">i", stream.read(4))
    body = stream.read(min(size, _MOST_BYTES))
    correlation, brokers = struct.unpack_from(">ii", body)
    if correlation != _CORRELATION:
        raise struct.error("what answers is not Kafka")
    position = 8
    for _ in range(brokers):
        # Number, host, port, rack; the length of a rack that is not there is -1.
        (host,) = struct.unpack_from(">h", body, position + 4)
        (rack,) = struct.unpack_from(">h", body, position + 10 + host)
        position += 12 + host + max(rack, 0)
    (controller,) = struct.unpack_from(">i", body, position)
    return brokers, controller
