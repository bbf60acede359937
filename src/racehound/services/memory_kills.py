"""How many processes the kernel has killed because memory ran out, by its own counters.

`oom_kill` in /proc/vmstat counts those of the whole machine (proc_vmstat(5)). `oom_kill` in memory.events (Linux, "Control Group
v2"), or in memory.oom_control of version 1, counts those of this process's control group.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Self

_CGROUPS = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class MemoryKills:
    """The counters at one moment; None where they cannot be read."""

    machine: int | None
    group: int | None

    @classmethod
    def now(cls) -> Self:
        return cls(_counter(Path("/proc/vmstat")), _of_group())

    def since(self, before: MemoryKills) -> tuple[bool, str]:
        """Whether processes were killed since then, and a sentence about it; "" where no counter can be read."""
        group = _difference(self.group, before.group)
        machine = _difference(self.machine, before.machine)
        if group:
            return True, f"memory ran out: the kernel killed {group} processes of racehound's control group"
        if machine:
            return True, f"memory ran out: the kernel killed {machine} processes of this machine"
        if group is None and machine is None:
            return False, ""
        return False, "memory did not run out: the kernel killed no process for it"


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


def _counter(path: Path) -> int | None:
    """The number after `oom_kill` in a file of names and numbers."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _of_group() -> int | None:
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return None
    for _, controllers, path in groups:
        if not controllers:
            files = [_CGROUPS / path.lstrip("/") / "memory.events", _CGROUPS / "memory.events"]
        elif "memory" in controllers.split(","):
            files = [_CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control", _CGROUPS / "memory" / "memory.oom_control"]
        else:
            continue
        for file in files:
            # In a container the path may be that of the host, and the group's own files are at the top.
            if (count := _counter(file)) is not None:
                return count
    return None
