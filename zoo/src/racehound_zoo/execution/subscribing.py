"""Executes SUBSCRIBE: sends the changes of a query's result until one of its inputs is dropped."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from racehound_zoo.backend import Field, MissingCollectionError, Row
from racehound_zoo.catalog.state import Scope
from racehound_zoo.dialect.statements import Subscribe
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.rendering import bind, reads_system, render, require_select
from racehound_zoo.relations.snapshot import SubscriptionFacts

_POLL = 0.1
"""The time, in seconds, after which a subscription that waits for changes checks whether it has to end."""
_PROGRESS = 0.1
"""The time, in seconds, between two progress messages while nothing changes."""
_NUMERIC, _INT8, _BOOL = 1700, 20, 16
_numbers = itertools.count(1)
_FOREVER = 18446744073709551615


class Subscription:
    """A subscription. `next_rows` belongs to one thread; `close` may be called from any."""

    def __init__(self, engine: Engine, scope: Scope, session: str, statement: Subscribe, cluster: str) -> None:
        state = engine.catalog.state
        self._engine = engine
        self._statement = statement
        self._bound = bind(state, scope, statement.query)
        require_select(state, scope, self._bound)
        self._cluster = state.cluster_named(cluster)
        self._names = {key: state.known(key).name for key in self._bound}
        self._system = reads_system(state, self._bound)
        as_of = _moment(statement.as_of)
        self._up_to = _moment(statement.up_to)
        if self._up_to is not None and (as_of or 0) >= self._up_to:
            raise SqlError(
                f'subscription lower ("as of") bound is beyond its upper ("up to") bound: {self._up_to} < {_FOREVER}', "22000"
            )
        self._expanded: str | None = None
        self.fields = self._described()
        self._sent: Counter[tuple[bytes | None, ...]] = Counter()
        self._seen = -1
        self._progress_sent_at = 0.0
        self._closed = threading.Event()
        self._number = next(_numbers)
        self._misses_drops = engine.defects.orphans_subscription(engine.catalog, state.revision)
        facts = SubscriptionFacts(f"t{self._number}", session, self._cluster.id, int(time.time() * 1000), tuple(self._bound))
        engine.subscribed(self._number, facts)

    @property
    def _keys(self) -> list[str]:
        """The relations whose writes change the result. They change when a materialized view among them is replaced."""
        return self._engine.catalog.state.stored_inputs(*self._bound)

    def _is_orphaned(self) -> bool:
        """Whether the subscription should have ended and does not, because of a defect."""
        return self._misses_drops and any(self._engine.catalog.state.item(key) is None for key in self._bound)

    def _described(self) -> tuple[Field, ...]:
        if self._statement.query.has_wildcard and not self._system:
            # Columns that are added to a relation later do not appear in the subscription.
            self._expanded, inner = self._engine.storage.expanded(self._rendered())
        else:
            inner = self._engine.storage.describe(self._rendered()).fields
        progressed = (Field("mz_progressed", _BOOL),) if self._statement.progress else ()
        return (Field("mz_timestamp", _NUMERIC), *progressed, Field("mz_diff", _INT8), *inner)

    def _rendered(self) -> str:
        return render(self._engine.snapshot(), self._statement.query, self._bound)

    def close(self) -> None:
        self._closed.set()
        self._engine.subscribed(self._number, None)
        self._engine.storage.wake()

    def rows(self, stopped: Callable[[], bool]) -> Iterator[Row | None]:
        """All rows until the subscription is closed or `stopped` returns true. It yields None when there are no more for now."""
        while not self._closed.is_set() and not stopped() and not self._is_over():
            yield from self.next_rows(_POLL, stopped)
            yield None

    def _is_over(self) -> bool:
        return self._up_to is not None and self._seen >= self._up_to

    def next_rows(self, timeout: float, stopped: Callable[[], bool]) -> list[Row]:
        """The changes since the last call, after waiting for them for at most `timeout` seconds.

        SqlError when a relation that the query reads was dropped.
        """
        if self._is_orphaned():
            self._closed.wait(timeout)
            return []
        if self._seen >= 0:
            moment = self._engine.storage.await_change(self._keys, self._seen, timeout, lambda: self._must_stop(stopped))
            self._require_inputs()
            if moment <= self._seen:
                return self._progress()
        return self._read()

    def _must_stop(self, stopped: Callable[[], bool]) -> bool:
        return self._closed.is_set() or stopped() or self._dropped() is not None

    def _dropped(self) -> str | None:
        state = self._engine.catalog.state
        return None if self._misses_drops else next((key for key in self._bound if state.item(key) is None), None)

    def _require_inputs(self) -> None:
        gone = self._dropped()
        if gone is not None:
            name = self._names[gone]
            raise SqlError(f'subscribe has been terminated because underlying relation "{name}" was dropped')
        if not self._misses_drops and self._cluster.id not in self._engine.catalog.state.clusters:
            raise SqlError(f"subscribe has been terminated because underlying cluster {self._cluster.name} was dropped")

    def _read(self) -> list[Row]:
        first = self._seen < 0
        self._require_inputs()
        self._seen = self._engine.storage.changed(self._keys)
        now = self._engine.storage.now()
        try:
            with self._engine.storage.reader() as backend:
                text = self._expanded or self._rendered()
                found = Counter(tuple(row) for row in backend.run(text).rows)
        except MissingCollectionError:
            self._require_inputs()
            raise
        changes = [(row, found[row] - self._sent[row]) for row in {**self._sent, **found} if found[row] != self._sent[row]]
        self._sent = found
        progressed: list[bytes | None] = [b"f"] if self._statement.progress else []
        stamp = str(now).encode()
        hidden = first and not self._statement.snapshot
        rows: list[Row] = [] if hidden else [[stamp, *progressed, str(change).encode(), *row] for row, change in changes]
        return [*rows, *self._progress(force=True)]

    def _progress(self, *, force: bool = False) -> list[Row]:
        if not self._statement.progress or (not force and time.monotonic() < self._progress_sent_at + _PROGRESS):
            return []
        self._progress_sent_at = time.monotonic()
        nothing: list[bytes | None] = [None] * (len(self.fields) - 2)
        return [[str(self._engine.storage.now()).encode(), b"t", *nothing]]


def _moment(text: str | None) -> int | None:
    """A time in milliseconds since 1970; None if the text is missing or no plain number."""
    return int(text) if text is not None and text.strip().isdigit() else None
