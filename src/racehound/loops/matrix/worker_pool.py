"""A pool of workers, each with a server of its own, that try pairs until none is left."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.loops.matrix.journal import Journal, PairResult
from racehound.loops.matrix.pair_runner import Keep, TrialCounter, pair_runner
from racehound.scenarios.pairs import Pair


class MatrixProgress(msgspec.Struct):
    """How far a run is."""

    pairs: int
    """How many there are, those of an earlier run among them."""
    over: int = 0
    """How many have been tried."""
    trials: int = 0
    """Of this run."""
    seconds: float = 0.0


Report = Callable[[PairResult, MatrixProgress], None]
OpenTarget = Callable[[], contextlib.AbstractContextManager[Opened]]
"""Opens a target for a worker of its own."""


class WorkerPool:
    """Tries pairs until none is left, the time is up, or Ctrl-C. Pairs that were begun are finished.

    `limit_s`: seconds after which a statement counts as hanging.
    """

    def __init__(self, journal: Journal, keep: Keep, report: Report, progress: MatrixProgress, limit_s: float) -> None:
        self._journal = journal
        self._keep = keep
        self._report = report
        self._progress = progress
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._started = time.monotonic()
        self._counter = TrialCounter()

    def run(self, targets: Sequence[OpenTarget], pairs: Sequence[Pair], runtime_s: float) -> None:
        """Start a worker for each target. An error that ends one worker ends all, and is raised."""
        queue = iter(pairs)
        self._started = time.monotonic()

        def next_pair() -> Pair | None:
            with self._lock:
                late = time.monotonic() - self._started > runtime_s
                return None if late or self._ending.is_set() else next(queue, None)

        with ThreadPoolExecutor(len(targets)) as pool:
            workers = [pool.submit(self._work, target, next_pair) for target in targets]
            try:
                for worker in workers:
                    worker.result()
            except KeyboardInterrupt:
                self._ending.set()
            except BaseException:
                self._ending.set()
                raise

    def _work(self, open_target: OpenTarget, next_pair: Callable[[], Pair | None]) -> None:
        with open_target() as target, pair_runner(target, self._limit_s, self._keep, self._counter) as runner:
            while (pair := next_pair()) is not None:
                self._note(runner.run(pair))

    def _note(self, result: PairResult) -> None:
        self._journal.append(result)
        with self._lock:
            self._progress.over += 1
            self._progress.trials += len(result.trials)
            self._progress.seconds = time.monotonic() - self._started
            self._report(result, self._progress)


def targets(choice: Choice, first: Opened, servers: int, directory: Path) -> list[OpenTarget]:
    """The target that is open already and, where racehound can start servers, others like it for their workers to open."""
    further = range(2, servers + 1 if first.database.can_start and not choice.url else 1)
    logs = [directory / f"server-{number}.log" for number in further]
    return [lambda: contextlib.nullcontext(first), *(functools.partial(opened, choice, log) for log in logs)]
