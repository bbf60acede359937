"""Facts about processes from /proc (proc(5)): descendants, memory, listening sockets."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from racehound.services.guard import descendants

_PROC = Path("/proc")
_LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp (`TCP_LISTEN`)."""


def tree(pid: int) -> list[int]:
    """Ids of a process and its descendants."""
    return [pid, *descendants(pid)]


def send(pid: int, number: int) -> None:
    """Send a signal, unless the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped a process (state T in proc_pid_stat(5))."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


def memory_kib(pid: int) -> int:
    """The proportional set size of a process in KiB; 0 when it has ended or may not be inspected."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def listening(pids: Iterable[int]) -> list[str]:
    """`HOST:PORT` of every TCP socket that these processes listen on, sorted."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    return sorted({address for inode, address in _listeners().items() if inode in inodes})


def _sockets(pid: int) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for link in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                name = str(link.readlink())
                if name.startswith("socket:["):
                    found.append(name[8:-1])
    return found


def _listeners() -> dict[str, str]:
    """All listening TCP sockets of this network namespace: address by inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        path = _PROC / "net" / table
        if not path.exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                found[fields[9]] = _address(fields[1])
    return found


def _address(text: str) -> str:
    """Decode `0100007F:1F90` as 127.0.0.1:8080: little-endian words of four bytes, then the port."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = getattr(address, "ipv4_mapped", None)
    shown = mapped or address
    return f"[{shown}]:{int(port, 16)}" if shown.version == 6 else f"{shown}:{int(port, 16)}"
