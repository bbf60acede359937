"""The sizes of cluster replicas in a development build of Materialize."""

from __future__ import annotations

import dataclasses

_GIB = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    name: str
    processes: int = 1
    workers: int = 1
    memory_bytes: int = 4 * _GIB

    @property
    def credits(self) -> int:
        """The credits per hour that a licence counts: memory times workers."""
        return self.memory_bytes // _GIB * self.processes * self.workers


SIZES = (
    *(Size(name) for name in ("1", "1-4G", "1-no-disk", "100cc", "1C", "1cc")),
    *(Size(name, workers=2) for name in ("2", "200cc")),
    Size("25cc"),
    Size("4", workers=4),
    *(Size(name) for name in ("50cc", "bootstrap")),
    Size("medium", workers=4),
    Size("mem-1"),
    Size("small", workers=2),
    Size("xsmall"),
    *(Size(f"2-{workers}", 2, workers) for workers in (1, 2, 4)),
)
NAMES = tuple(size.name for size in SIZES)
