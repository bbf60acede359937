"""The interface of sinks, which write the changes of a relation to an external system.

For CREATE SINK the engine calls `check` before it takes the catalog's lock; SqlError refuses the sink. When the sink is in the
catalog and its cluster has a replica, `start` returns a `RunningSink`, which has a thread of its own. The thread reads the `Feed`
of the relation: first all rows, then the changes, each with the time of its commit or, if several commits are combined, of the
last of them. What it has sent is kept in `SentRows`, so that the sink's next run, on another replica, continues from there. ALTER
SINK … SET FROM gives it another feed (`switch`): the sink then sends the difference between what it has sent and the content of
the new relation.

`start`, `switch` and `stop` are called under the catalog's lock, so they must return at once.
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
"""The values of a row, in PostgreSQL's text format."""


@dataclasses.dataclass(frozen=True)
class CommittedChanges:
    """The changes up to a time (in milliseconds since 1970): rows, with the number of copies that are added or, if negative,
    removed.
    """

    moment: int
    changes: tuple[tuple[Row, int], ...]


class RelationDroppedError(Exception):
    """The relation was dropped, so there is nothing more to read."""


class Feed:
    """The changes of a relation. `read` returns the time and all rows; `await_change` waits for something new."""

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
        """What must be sent after `sent` has been sent, until `stopped` returns true. The caller adds to `sent` what it has sent.

        Yields None when nothing has changed for `pause` seconds, so that the caller can do other work. Ends when the relation is
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
    """The changes that turn `before` into `after`. Deletions come first."""
    gone = [(row, after[row] - count) for row, count in before.items() if after[row] < count]
    come = [(row, count - before[row]) for row, count in after.items() if count > before[row]]
    return (*gone, *come)


class SentRows:
    """The rows that a sink has sent in all of its runs. Only the run that holds `lock` may read or change it.

    `uncertain` is the last commit of a run that ended before it knew the outcome. `identity` is unique to the sink, among all
    servers.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: Counter[Row] = Counter()
        self.uncertain: CommittedChanges | None = None
        self._last = 0
        self.identity = uuid.uuid4().hex

    def dated(self, commit: CommittedChanges) -> CommittedChanges:
        """The commit with a time that is later than those of all commits before it, even if they came from other feeds."""
        self._last = max(self._last + 1, commit.moment)
        return dataclasses.replace(commit, moment=self._last)

    def add(self, commit: CommittedChanges, interrupted: Callable[[], bool]) -> None:  # noqa: ARG002 used by LateSentRows
        """Record that a commit has been sent.

        `interrupted` tells whether the sink has been stopped or has another feed since then.
        """
        for row, count in commit.changes:
            self.rows[row] += count
            if not self.rows[row]:
                del self.rows[row]
        self.uncertain = None


_LATE = 1.0
"""The longest time, in seconds, until `LateSentRows` records a commit."""


class LateSentRows(SentRows):
    """The defect `duplicated-rows-in-sink`: a commit is recorded late, and not at all if the sink is changed before that."""

    def __init__(self, defects: SeededDefects) -> None:
        super().__init__()
        self._defects = defects

    def add(self, commit: CommittedChanges, interrupted: Callable[[], bool]) -> None:
        self._defects.window(_LATE)
        if not interrupted():
            super().add(commit, interrupted)


def new_sent_rows(defects: SeededDefects) -> SentRows:
    """The record for a new sink."""
    return LateSentRows(defects) if defects.on("duplicated-rows-in-sink") else SentRows()


@dataclasses.dataclass(frozen=True)
class SinkFacts:
    """A sink. `options` are those after its connection (TOPIC, …); `catalog_connection` is that of an Iceberg sink."""

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
    """Writes to one external system."""

    def check(self, sink: SinkFacts, columns: Sequence[Column]) -> None: ...

    def start(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> RunningSink: ...


class NoSinkConnector:
    """The connector for a system that the zoo cannot write to."""

    def __init__(self, system: str) -> None:
        self._what = f"writing to {system}"

    def check(self, sink: SinkFacts, columns: Sequence[Column]) -> None:  # noqa: ARG002 required by the protocol
        raise unsupported(self._what)

    def start(self, sink: SinkFacts, feed: Feed, sent: SentRows) -> RunningSink:  # noqa: ARG002 required by the protocol
        raise unsupported(self._what)
