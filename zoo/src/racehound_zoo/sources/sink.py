"""The seam for sinks: what carries the changes of a relation out.

For CREATE SINK the core asks `check` before it takes the catalog's lock (the topic's broker, the registry); SqlError refuses.
When the sink is in the catalog and its cluster has a replica, `start` gives a `RunningSink`, with a thread of its own, that reads
the `Feed` of its relation: first all rows, then what changed, each change at the moment of its commit or, when several fell
into one, at the last of them. What it has sent it keeps in `SentRows`, so that its next run, on another replica, goes on from there.
ALTER SINK … SET FROM gives it another feed (`switch`): what follows is the difference between
what was sent and what the new relation holds. Nothing here may wait while the catalog is locked: `start`, `switch` and `stop`
return at once.
"""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from racehound_zoo.catalog.model import Column
from racehound_zoo.defect_hooks import SeededDefects
from racehound_zoo.errors import unsupported
from racehound_zoo.relations.snapshot import Status
from racehound_zoo.sources.source import ConnectionFacts, Encoding

Row = tuple[str | None, ...]
"""A row's values as PostgreSQL writes them as text."""


@dataclasses.dataclass(frozen=True)
class CommittedChanges:
    """What changed up to a moment (milliseconds since 1970): rows with how many more or less of each there are."""

    moment: int
    changes: tuple[tuple[Row, int], ...]


class RelationDroppedError(Exception):
    """There is nothing more to read."""


class Feed:
    """A relation's changes. `read` gives the moment and all rows; `await_change` says that there is something new."""

    def __init__(
        self,
        columns: Sequence[Column],
        read: Callable[[], tuple[int, Counter[Row]]],
        await_change: Callable[[int, float], int],
    ) -> None:
        self.columns = tuple(columns)
        self._read = read
        self._await_change = await_change
        self._closed = False

    def commits(self, sent: Counter[Row], stopped: Callable[[], bool], pause: float = 0.5) -> Iterator[CommittedChanges | None]:
        """What has to be sent to one who has `sent`, until `stopped`; whoever has sent it adds it there.

        None when nothing changed for `pause` seconds, so that the caller can look at other things. Ends when the relation is
        dropped or the feed is closed.
        """
        seen = -1
        while not stopped() and not self._closed:
            if seen >= 0 and self._await_change(seen, pause) <= seen:
                yield None
                continue
            try:
                seen, rows = self._read()
            except RelationDroppedError:
                return
            changes = difference(sent, rows)
            if changes:
                yield CommittedChanges(seen, changes)

    def close(self) -> None:
        self._closed = True


def difference(before: Counter[Row], after: Counter[Row]) -> tuple[tuple[Row, int], ...]:
    """What must be added to one to get the other; what goes comes first."""
    gone = [(row, after[row] - count) for row, count in before.items() if after[row] < count]
    come = [(row, count - before[row]) for row, count in after.items() if count > before[row]]
    return (*gone, *come)


class SentRows:
    """What a sink has brought out, over all of its runs. The run that holds `lock` reads and changes it, no other.

    `uncertain`: the last commit of a run that ended before it knew what had become of it. `identity` is the sink's own, in this
    server and any other.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: Counter[Row] = Counter()
        self.uncertain: CommittedChanges | None = None
        self._last = 0
        self.identity = uuid.uuid4().hex

    def dated(self, commit: CommittedChanges) -> CommittedChanges:
        """With a moment that is later than those of all commits before it, whatever feeds they came from."""
        self._last = max(self._last + 1, commit.moment)
        return dataclasses.replace(commit, moment=self._last)

    def add(self, commit: CommittedChanges, interrupted: Callable[[], bool]) -> None:  # noqa: ARG002 for the forgetful one
        """A commit has arrived. `interrupted`: whether the sink has been stopped or given another feed meanwhile."""
        for row, count in commit.changes:
            self.rows[row] += count
            if not self.rows[row]:
                del self.rows[row]
        self.uncertain = None


_LATE = 1.0
"""Seconds, at most, until a forgetful one remembers."""


class LateSentRows(SentRows):
    """The defect `duplicated-rows-in-sink`: what has arrived is remembered late, and not if the sink is changed before that."""

    def __init__(self, defects: SeededDefects) -> None:
        super().__init__()
        self._defects = defects

    def add(self, commit: CommittedChanges, interrupted: Callable[[], bool]) -> None:
        self._defects.window(_LATE)
        if not interrupted():
            super().add(commit, interrupted)


def new_sent_rows(defects: SeededDefects) -> SentRows:
    """For a new sink."""
    return LateSentRows(defects) if defects.on("duplicated-rows-in-sink") else SentRows()


@dataclasses.dataclass(frozen=True)
class SinkFacts:
    """A sink: `options` as written behind its connection (TOPIC, …); `catalog_connection` of an Iceberg sink."""

    id: str
    connection: ConnectionFacts
    options: Mapping[str, str]
    encoding: Encoding
    key: tuple[str, ...] = ()
    catalog_connection: ConnectionFacts | None = None


class RunningSink(Protocol):
    """A running sink."""

    def switch(self, feed: Feed) -> None: ...

    def status(self) -> Status: ...

    def stop(self) -> None: ...

    def join(self, timeout: float) -> None: ...


class SinkConnector(Protocol):
    """One outside system to write to."""

    def check(self, sink: SinkFacts, columns: Sequence[Column]) -> None: ...

    def start(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> RunningSink: ...


class NoSinkConnector:
    """Of a system that the zoo cannot write to."""

    def __init__(self, system: str) -> None:
        self._what = f"writing to {system}"

    def check(self, sink: SinkFacts, columns: Sequence[Column]) -> None:  # noqa: ARG002 the protocol's
        raise unsupported(self._what)

    def start(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> RunningSink:  # noqa: ARG002 the protocol's
        raise unsupported(self._what)
