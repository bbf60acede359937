"""The owner of a scratch directory or a container is a process. When it has ended, what it owned can be removed.

An owner has a process id, a start time (field 22 of /proc/<pid>/stat, proc_pid_stat(5)), a boot id and a process id namespace.
So no other process is taken for it: not with a reused process id, nor after a reboot, nor in another container.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec


class Owner(msgspec.Struct, frozen=True):
    """What identifies a process among all others."""

    pid: int
    started: int
    """Start time in clock ticks after boot."""
    boot: str
    namespace: str
    """The namespace in which the process id is valid."""


class RunMark(msgspec.Struct, frozen=True):
    """A run's mark on a server. Other racehound processes read it to find out whether the run has ended."""

    racehound: Owner
    """The process of the run."""
    machine: str
    """Host name of its machine. Racehound cannot know whether a process of another machine is alive."""

    @property
    def is_ours(self) -> bool:
        """Whether the run was started on this machine, so that this process can see whether the run has ended."""
        return self.machine == platform.node()

    @property
    def is_dead(self) -> bool:
        """Whether the run is known to have ended."""
        return self.is_ours and not may_live(self.racehound)


def myself() -> Owner:
    """This process."""
    started = _start_time(os.getpid())
    assert started is not None
    return Owner(os.getpid(), started, _boot(), _namespace())


def may_live(owner: Owner) -> bool:
    """Whether it is alive or cannot be seen, because its process id namespace is another one."""
    if owner.boot != _boot():
        return False
    return owner.namespace != _namespace() or _start_time(owner.pid) == owner.started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _start_time(pid: int) -> int | None:
    """Clock ticks after boot at the start; None if the process does not exist or is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] == b"Z" else int(fields[19])
