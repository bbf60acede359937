"""Free TCP ports of the loopback interface. No port is returned twice in one process."""

from __future__ import annotations

import random
import socket
import threading
from pathlib import Path

_given: set[int] = set()
_lock = threading.Lock()
_random = random.SystemRandom()
_LOWEST = 10_000
_TRIES = 1000


def free() -> int:
    """A port on which no program listens, outside the range from which the kernel takes ports for outgoing connections.

    Any program's next connection may take a port of that range (ip(7), `ip_local_port_range`) before the server has started.
    """
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    with _lock:
        for _ in range(_TRIES):
            port = _random.randrange(_LOWEST, max(first_ephemeral, _LOWEST + 10_000))
            if port not in _given and _is_free(port):
                _given.add(port)
                return port
    raise OSError("no free TCP port was found")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
