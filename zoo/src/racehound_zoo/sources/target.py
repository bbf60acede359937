"""The target of a source: what its ingestions, one after the other, write to."""

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
    """The progress relation of a source: its id, None if the source has none, and the name of the source's system."""

    system: str
    key: str | None

    def change(self, before: Mapping[str, str], now: Mapping[str, str]) -> Batch:
        """The change of the progress relation when the saved progress changes."""
        rows = progress.rows(self.system, now)
        is_new = self.key is not None and (not before or rows != progress.rows(self.system, before))
        return [(self.key, progress.ProgressRows(rows))] if is_new and self.key is not None else []


class SourceTarget:
    """The relations and the saved progress of a source. They outlive its ingestions.

    Each ingestion writes through its own lease, and only the newest lease is valid. What a stopped ingestion has read and not
    written is read again by the next one.
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
        """A lease for a new ingestion."""
        self.revoke()
        if self.defects.on("lost-rows-on-restart"):
            return LosingLease(self, self._leases)
        return RepeatingLease(self, self._leases) if self.defects.on("doubled-rows-on-restart") else Lease(self, self._leases)

    def revoke(self) -> None:
        """Make the current lease invalid. Returns at once; a write that is in progress is finished."""
        self._leases += 1

    def is_current(self, lease: int) -> bool:
        return lease == self._leases

    def write(self, lease: int, batch: Batch, saved: Mapping[str, str] | None) -> None:
        """See `source.Target.apply`."""
        with self._writing:
            if not self.is_current(lease):
                return
            changes = [(key, updates) for key, updates in batch if updates]
            if saved is not None:
                changes += self._progress_relation.change(self._progress, saved)
            if changes:
                self._storage.apply(changes, lambda key: self._catalog.state.item(key) is not None)
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
    """The defect `lost-rows-on-restart`: the progress is saved before the batch is written."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        self._target.write(self._number, (), progress)
        self._target.defects.window()
        self._target.write(self._number, batch, None)


class RepeatingLease(Lease):
    """The defect `doubled-rows-on-restart`: the batch is written before the progress is saved."""

    def apply(self, batch: Batch, progress: Mapping[str, str] | None = None) -> None:
        self._target.write(self._number, batch, None)
        self._target.defects.window()
        self._target.write(self._number, (), progress)
