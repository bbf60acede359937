"""What the benchmarks share: an embedded server of a release, opened as a run opens it, and a table of figures."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened


@contextlib.contextmanager
def server(release: str | None = None) -> Iterator[Opened]:
    """An embedded server and a scratch directory, both gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as directory,
        opened(Choice("postgres", release=release), Path(directory) / "server.log") as place,
    ):
        yield place


def print_ratio(ours: Sequence[float], peer: Sequence[float], unit: str, names: tuple[str, str]) -> float:
    """Print median, minimum and maximum of both and the ratio of the medians, which is returned."""
    for name, figures in zip(names, (ours, peer), strict=True):
        print(f"{name:40} median {statistics.median(figures):10.2f} {unit}  ({min(figures):.2f}…{max(figures):.2f})")
    ratio = statistics.median(ours) / max(statistics.median(peer), 1e-9)
    print(f"ratio {ratio:.2f}")
    return ratio
