"""A crew: workers with a server each, who hold one meeting after the other and write down what came of it."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from racehound.data.history import Recorder
from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.loops.matrix.encounter import Host, Keep
from racehound.loops.matrix.journal import Journal, Met
from racehound.run.stage import Scripts, Stage
from racehound.scenarios.pairs import Pair


class Progress(msgspec.Struct):
    """How far a run is."""

    meetings: int
    """How many there are, those of an earlier run among them."""
    over: int = 0
    trials: int = 0
    """Of this run."""
    seconds: float = 0.0


Report = Callable[[Met, Progress], None]
OpenPlace = Callable[[], contextlib.AbstractContextManager[Opened]]
"""Opens a target for a worker of its own."""


class Crew:
    """Holds pairs until none is left, the time is up, or it is told to end: what is under way is brought to its end."""

    def __init__(self, journal: Journal, keep: Keep, report: Report, progress: Progress, limit_s: float) -> None:
        self._journal = journal
        self._keep = keep
        self._report = report
        self._progress = progress
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._started = time.monotonic()

    def work(self, places: Sequence[OpenPlace], pairs: Sequence[Pair], runtime_s: float) -> None:
        """A worker at each place. Ctrl-C ends it early. What one worker cannot go on with ends all: its error is raised."""
        queue = iter(pairs)
        self._started = time.monotonic()

        def next_pair() -> Pair | None:
            with self._lock:
                late = time.monotonic() - self._started > runtime_s
                return None if late or self._ending.is_set() else next(queue, None)

        with ThreadPoolExecutor(len(places)) as pool:
            workers = [pool.submit(self._work, place, next_pair) for place in places]
            try:
                for worker in workers:
                    worker.result()
            except KeyboardInterrupt:
                self._ending.set()
            except BaseException:
                self._ending.set()
                raise

    def _work(self, place: OpenPlace, next_pair: Callable[[], Pair | None]) -> None:
        with place() as own, hosting(own, self._limit_s, self._keep) as host:
            while (pair := next_pair()) is not None:
                self._note(host.hold(pair, own.target.dialect.allows_transaction))

    def _note(self, met: Met) -> None:
        self._journal.append(met)
        with self._lock:
            self._progress.over += 1
            self._progress.trials += len(met.notes)
            self._progress.seconds = time.monotonic() - self._started
            self._report(met, self._progress)


@contextlib.contextmanager
def hosting(place: Opened, limit_s: float, keep: Keep) -> Iterator[Host]:
    """Who holds meetings on a place. There is no history of all statements: what a finding needs is kept with it."""
    recorder = Recorder(Path(os.devnull))
    host = Host(Stage(place.target, recorder, place.scratch, Scripts(()), limit_s), keep)
    try:
        yield host
    finally:
        host.close()
        recorder.close()


def places(choice: Choice, first: Opened, servers: int, directory: Path) -> list[OpenPlace]:
    """The place that is open already and, where the servers are racehound's own, others like it, for their workers to open."""
    logs = [] if choice.url else [directory / f"server-{number}.log" for number in range(2, servers + 1)]
    return [lambda: contextlib.nullcontext(first), *(functools.partial(opened, choice, log) for log in logs)]
