"""Turns the messages of a transaction into changes of rows."""

from __future__ import annotations

from collections.abc import Sequence

from racehound_zoo.rows import Update
from racehound_zoo.sources.following import CeasedError, FollowingIngestion
from racehound_zoo.sources.postgres.pgoutput import UNCHANGED, RelationMessage, RowMessage, TruncateMessage, Value, Values
from racehound_zoo.sources.upstream import UpstreamTable

_Fills = list[tuple[str, list[int]]]
_IDENTITY = "Did you forget to set REPLICA IDENTITY to FULL for your table?"


class UpstreamTransaction:
    """The messages of the current transaction."""

    def __init__(self, source: FollowingIngestion) -> None:
        self._source = source
        self._relations: dict[int, RelationMessage] = {}
        self._events: list[tuple[RelationMessage, RowMessage] | TruncateMessage] = []
        self.is_open = False

    def begin(self) -> None:
        self.is_open = True

    def learn(self, relation: RelationMessage) -> None:
        """Remember the columns of a table, for the rows that follow."""
        self._relations[relation.id] = relation

    def add(self, change: RowMessage) -> None:
        self._events.append((self._relations[change.relation], change))

    def truncate(self, truncate: TruncateMessage) -> None:
        self._events.append(truncate)

    def end(self) -> dict[str, list[Update]]:
        """The changes of the transaction, by relation. A table that cannot be read any more ends with an error."""
        events, self._events, self.is_open = self._events, [], False
        batch: dict[str, list[Update]] = {}
        fills: dict[int, _Fills] = {}
        for event in events:
            if isinstance(event, TruncateMessage):
                for key in (key for number in event.relations for key in self._source.following(str(number))):
                    self._source.cease(key, "table was truncated")
            else:
                relation, change = event
                if id(relation) not in fills:
                    fills[id(relation)] = self._fills(relation)
                for key, positions in fills[id(relation)]:
                    self._add(batch.setdefault(key, []), key, change, positions)
        return batch

    def _fills(self, relation: RelationMessage) -> _Fills:
        """The relations that a table's rows go to, and the positions of the wanted columns in the rows."""
        found = []
        for key in self._source.following(str(relation.id)):
            try:
                table, names = self._source.stored.tables[key].table, self._source.columns_of(key)
                found.append((key, _positions(table, relation, names)))
            except CeasedError as error:
                self._source.cease(key, str(error))
        return found

    def _add(self, updates: list[Update], key: str, change: RowMessage, positions: Sequence[int]) -> None:
        if self._source.error_of(key) is None:
            try:
                updates += _updates(change, positions)
            except CeasedError as error:
                self._source.cease(key, str(error))


def altered(table: UpstreamTable) -> CeasedError:
    """The error for a table that was altered in a way that matters."""
    return CeasedError(f"incompatible schema change: source table {table.name} with oid {table.id} has been altered")


def _positions(table: UpstreamTable, relation: RelationMessage, names: Sequence[str]) -> list[int]:
    """The positions of the wanted columns in the rows. CeasedError if a column was dropped or altered."""
    found = {column.name: (position, f"{column.type}:{column.modifier}") for position, column in enumerate(relation.columns)}
    types = {column.name: column.type for column in table.columns}
    if any(name not in found or found[name][1] != types.get(name) for name in names):
        raise altered(table)
    return [found[name][0] for name in names]


def _updates(change: RowMessage, positions: Sequence[int]) -> list[Update]:
    updates: list[Update] = []
    old = _old(change)
    if old is not None:
        updates.append(([_whole(old[at]) for at in positions], -1))
    if change.new is not None:
        updates.append(([_whole(_later(change.new[at], old, at)) for at in positions], 1))
    return updates


def _old(change: RowMessage) -> Values | None:
    if change.kind != "I" and change.old is None:
        raise CeasedError(f"old row missing from replication stream. {_IDENTITY}")
    return change.old


def _later(value: Value, old: Values | None, at: int) -> Value:
    """The new value of a column; the old value if it was not sent again."""
    return old[at] if value is UNCHANGED and old is not None else value


def _whole(value: Value) -> str | None:
    if value is UNCHANGED:
        raise CeasedError(f"TOASTed value missing from old row. {_IDENTITY}")
    assert value is None or isinstance(value, str)
    return value
