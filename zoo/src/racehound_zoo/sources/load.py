"""The ingestion of a load generator."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from racehound_zoo.dialect.session_statements import seconds
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.rows import Update
from racehound_zoo.sources.generators import Batch, Generator
from racehound_zoo.sources.source import SourceFacts, TableFacts, Target

_TICK = 1.0
_BATCH_PERIOD = 0.01
"""The time, in seconds, within which due ticks are written together."""
_TICKS_AT_ONCE = 1000
_SAVED = "ticks"
_STARTING = Status("starting")


class LoadIngestion:
    """Generates data until it is stopped. After a restart it continues after the last tick that was written."""

    def __init__(self, generator: Generator, source: SourceFacts, tables: Sequence[TableFacts], target: Target) -> None:
        self._generator = generator
        self._source = source
        self._target = target
        self._tables = {table.id: table for table in tables}
        self._lock = threading.Lock()
        self._joining: list[TableFacts] = []
        self._stopped = False
        self._woken = threading.Event()
        self._status = Status("running", since=int(time.time() * 1000))
        self._begun: set[str] = set()
        self._past: list[Batch] = []
        self._count = 0
        self._thread = threading.Thread(target=self._run, name=f"zoo-load-{source.id}", daemon=True)
        self._thread.start()

    def add_table(self, table: TableFacts) -> None:
        with self._lock:
            self._joining.append(table)
        self._woken.set()

    def remove_table(self, key: str) -> None:
        with self._lock:
            self._tables.pop(key, None)

    def status(self, key: str) -> Status:
        return self._status if key in self._begun else _STARTING

    def stop(self) -> None:
        self._stopped = True
        self._woken.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        period = seconds(self._source.options.get("TICK INTERVAL", "")) or _TICK
        ticks = self._generator.run(self._source.options)
        self._count = int(self._target.progress.get(_SAVED, "0"))
        for _ in range(self._count):
            self._remember(next(ticks))
        if self._count > 0:
            self._begun |= {self._source.id, *self._tables}
        else:
            self._write([next(ticks)])
        due = time.monotonic() + period
        while not self._stopped:
            woken = self._woken.wait(max(0.0, due - time.monotonic()))
            self._woken.clear()
            self._fill_new_tables()
            if not woken:
                count = min(_TICKS_AT_ONCE, 1 + int(max(0.0, time.monotonic() + _BATCH_PERIOD - due) / period))
                self._write([next(ticks) for _ in range(count)])
                due += count * period

    def _remember(self, batch: Batch) -> None:
        """Keep the rows for tables that are added later. A source with one output needs none."""
        if not self._generator.is_single:
            self._past.append(batch)

    def _fill_new_tables(self) -> None:
        """Write to new tables all that has been generated so far."""
        with self._lock:
            joining, self._joining = self._joining, []
        for table in joining:
            self._target.apply([(table.id, self._of(table, self._past))])
            with self._lock:
                self._tables[table.id] = table
            self._begun.add(table.id)

    def _write(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._remember(batch)
        with self._lock:
            tables = list(self._tables.values())
        merged = [(table.id, self._of(table, batches)) for table in tables]
        self._count += len(batches)
        self._target.apply([each for each in merged if each[1]], {_SAVED: str(self._count)})
        self._status = Status("running", None, self._status.since, self._count, self._count)
        self._begun |= {self._source.id, *(table.id for table in tables)}

    @staticmethod
    def _of(table: TableFacts, batches: Sequence[Batch]) -> list[Update]:
        name = table.offer.name[-1]
        return [update for batch in batches for output, updates in batch if output == name for update in updates]
