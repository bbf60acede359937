"""Where the ingestions of one source write, one after the other."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.defect_hooks import SeededDefects
from racehound_zoo.rows import Batch
from racehound_zoo.sources import progress
from racehound_zoo.storage import Storage
from racehound_zoo.table_changes import Staging


@dataclasses.dataclass(frozen=True)
class ProgressRelation:
    """The id of the relation that tells how far a source is, if it has one, and the source's system."""

    system: str
    key: str | None

    def change(self, before: Mapping[str, str], now: Mapping[str, str]) -> Batch:
        """What becomes of it when the source remembers something else."""
        rows = progress.rows(self.system, now)
        is_new = self.key is not None and (not before or rows != progress.rows(self.system, before))
        return [(self.key, progress.ProgressRows(rows))] if is_new and self.key is not None else []


class SourceTarget:
    """What a source has written and remembers; it outlives the ingestions.

    Each ingestion writes through a lease of its own, and only the newest lease counts: what an ingestion that was stopped still
    has in its hands is read again by the next.
    """

    def __init__(self, catalog: Catalog, storage: Storage, defects: SeededDefects, progress_relation: ProgressRelation) -> None:
        self._progress_relation = progress_relation
        self._catalog = catalog
        self._storage = storage
        self.defects = defects
        self._writing = threading.Lock()
        self._leases = 0
        self._progress: Mapping[str, str] = {}

    def lease(self) -> Lease:
        """For a new ingestion."""
        self.revoke()
        if self.defects.on("lost-rows-on-restart"):
            return LosingLease(self, self._leases)
        return RepeatingLease(self, self._leases) if self.defects.on("doubled-rows-on-restart") else Lease(self, self._leases)

    def revoke(self) -> None:
        """Whoever had a lease writes no more, but for what is being written at this moment. Returns at once."""
        self._leases += 1

    def is_current(self, lease: int) -> bool:
        return lease == self._leases

    def write(self, lease: int, batch: Batch, saved: Mapping[str, str] | None) -> None:
        """See `source.Target.apply`."""
        with self._writing:
            if not self.is_current(lease):
                return
            told = [(key, updates) for key, updates in batch if updates]
            if saved is not None:
                told += self._progress_relation.change(self._progress, saved)
            if told:
                self._storage.apply(told, lambda key: self._catalog.state.item(key) is not None)
            if saved is not None:
                self._progress = dict(saved)

    def staging(self, key: str) -> AbstractContextManager[Staging]:
        return self._storage.staging(key)

    @property
    def progress(self) -> Mapping[str, str]:
        with self._writing:
            return self._progress


class Lease:
    """A `source.Target`."""

    def __init__(self, target: SourceTarget, number: int) -> None:
        self._target = target
        self._number = number

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        self._target.write(self._number, batch, progress)

    def staging(self, key: str) -> AbstractContextManager[Staging]:
        return self._target.staging(key)

    @property
    def progress(self) -> Mapping[str, str]:
        return self._target.progress

    @property
    def is_current(self) -> bool:
        return self._target.is_current(self._number)

    def has_defect(self, defect: str) -> bool:
        return self._target.defects.on(defect)


class LosingLease(Lease):
    """The defect `lost-rows-on-restart`: it remembers that a batch was read before the batch is written."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        self._target.write(self._number, (), progress)
        self._target.defects.window()
        self._target.write(self._number, batch, None)


class RepeatingLease(Lease):
    """The defect `doubled-rows-on-restart`: a batch is written before it is remembered that it was read."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        self._target.write(self._number, batch, None)
        self._target.defects.window()
        self._target.write(self._number, (), progress)
