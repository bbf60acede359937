"""A program of its own, `after.py HOST:PORT PROGRAM ARGUMENT…`: becomes that program as soon as something listens there.

For parts of a server that start one another: one that finds another missing often waits for seconds before it tries again. It
knows nothing of racehound's other modules and is started without them, like `warden.py`.
"""

from __future__ import annotations

import os
import socket
import sys
import time

_LOOK_S = 0.02


def listens(host: str, port: int) -> bool:
    """Whether a connection is accepted there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def main(address: str, argv: list[str]) -> None:
    host, _, port = address.rpartition(":")
    while not listens(host, int(port)):
        # Nothing tells when another program listens.
        time.sleep(_LOOK_S)
    os.execv(argv[0], argv)  # noqa: S606 it has no shell


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
