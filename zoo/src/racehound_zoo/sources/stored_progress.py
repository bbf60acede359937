"""The progress that a database source saves for its next ingestion: the position in the stream, and the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec

from racehound_zoo.sources.upstream import UpstreamTable

_POSITION, _SLOT, _TABLES = "position", "slot", "tables"


@dataclasses.dataclass(frozen=True)
class FollowedTable:
    """A table whose snapshot has been written.

    `table` is its definition at that time; `error` is set when it cannot be read any more.
    """

    table: UpstreamTable
    error: str | None = None


class StoredProgress:
    """The progress.

    It belongs to one thread. Everything before `position` (an LSN, a set of GTIDs) has been written; "" at the beginning.
    """

    def __init__(self, saved: Mapping[str, str]) -> None:
        self.position = saved.get(_POSITION, "")
        self.slot = saved.get(_SLOT, "")
        self._tables = msgspec.json.decode(saved.get(_TABLES, "{}"), type=dict[str, FollowedTable])
        self._written = saved.get(_TABLES, "{}")

    @property
    def tables(self) -> Mapping[str, FollowedTable]:
        """The tables, by the ids of the relations that they fill."""
        return self._tables

    def remember(self, key: str, followed: FollowedTable) -> None:
        self._tables[key] = followed
        self._written = msgspec.json.encode(self._tables).decode()

    def forget(self, key: str) -> None:
        self._tables.pop(key, None)
        self._written = msgspec.json.encode(self._tables).decode()

    def saved(self) -> Mapping[str, str]:
        """The progress as text, from which another object of this class can be made."""
        return {_POSITION: self.position, _SLOT: self.slot, _TABLES: self._written}
