"""A program, `start_when_listening.py HOST:PORT PROGRAM ARGUMENT…`: it runs PROGRAM as soon as HOST:PORT accepts connections.

It is for servers of several processes. A process that does not find another one often waits for seconds before it tries again.
This file uses only the standard library, like `guard.py`.
"""

from __future__ import annotations

import os
import socket
import sys
import time

_LOOK_S = 0.02


def listens(host: str, port: int) -> bool:
    """Whether a connection is accepted at this address."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def main(address: str, argv: list[str]) -> None:
    host, _, port = address.rpartition(":")
    while not listens(host, int(port)):
        # There is no event for the moment in which another program begins to listen.
        time.sleep(_LOOK_S)
    os.execv(argv[0], argv)  # noqa: S606 it has no shell


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
