"""What a source that follows another database remembers over a restart: how far it is, and with which tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec

from racehound_zoo.sources.upstream import UpstreamTable

_PLACE, _SLOT, _TABLES = "place", "slot", "tables"


@dataclasses.dataclass(frozen=True)
class FollowedTable:
    """A table whose snapshot is there. `table`: as it was then; `error`: why it is followed no more."""

    table: UpstreamTable
    error: str | None = None


class StoredProgress:
    """Belongs to one thread. `place`: all up to there has been taken (an LSN, a set of GTIDs), "" before anything was."""

    def __init__(self, saved: Mapping[str, str]) -> None:
        self.place = saved.get(_PLACE, "")
        self.slot = saved.get(_SLOT, "")
        self._tables = msgspec.json.decode(saved.get(_TABLES, "{}"), type=dict[str, FollowedTable])
        self._written = saved.get(_TABLES, "{}")

    @property
    def tables(self) -> Mapping[str, FollowedTable]:
        """By the ids of the relations that they fill."""
        return self._tables

    def remember(self, key: str, followed: FollowedTable) -> None:
        self._tables[key] = followed
        self._written = msgspec.json.encode(self._tables).decode()

    def forget(self, key: str) -> None:
        self._tables.pop(key, None)
        self._written = msgspec.json.encode(self._tables).decode()

    def saved(self) -> Mapping[str, str]:
        """To be made one of again."""
        return {_PLACE: self.place, _SLOT: self.slot, _TABLES: self._written}
