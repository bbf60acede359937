"""Growth of the server's processes: the memory and open files that they accumulate over the repetitions of a plan.

They are read from `/proc` (proc_pid_status(5), proc_pid_fd(5)). Therefore the server must run on this machine, and racehound must
have the permission to read its processes' entries.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

MEMORY_LIMIT_KIB = 256 * 1024
"""A session's caches grow by some ten MiB over a plan. Growth by a quarter of a GiB has another cause."""
FILES_LIMIT = 800
"""A backend keeps at most `max_files_per_process` (1,000 by default) files open, and far fewer for the few files of a plan."""

_ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Size:
    """The KiB of private memory and the number of open files of a process."""

    memory_kib: int
    files: int


def sizes(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[int, Size]:
    """The sizes of processes, without those that have ended or whose entries may not be read."""
    found = {}
    for pid in pids:
        try:
            status = (proc / str(pid) / "status").read_text()
            files = sum(1 for _ in (proc / str(pid) / "fd").iterdir())
        except OSError:
            continue
        memory = _ANONYMOUS.search(status)
        found[pid] = Size(int(memory[1]) if memory else 0, files)
    return found


def grown(before: dict[int, Size], after: dict[int, Size]) -> list[tuple[str, str]]:
    """The growth beyond the limits: what has grown (`memory` or `open files`), and by how much, in words."""
    found = []
    for pid in sorted(before.keys() & after.keys()):
        old, new = before[pid], after[pid]
        if new.memory_kib - old.memory_kib > MEMORY_LIMIT_KIB:
            found.append(("memory", f"process {pid} grew from {old.memory_kib // 1024} to {new.memory_kib // 1024} MiB"))
        if new.files - old.files > FILES_LIMIT:
            found.append(("open files", f"process {pid} went from {old.files} to {new.files} open files"))
    return found
