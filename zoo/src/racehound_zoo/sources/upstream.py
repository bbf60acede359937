"""Tables of upstream databases."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import DataType
from racehound_zoo.sources.source import Offer, Shape


class UpstreamError(Exception):
    """The database cannot be reached or refuses. The text is its message."""


@dataclasses.dataclass(frozen=True, slots=True)
class UpstreamColumn:
    """A column.

    `kind` is the name of its type without parentheses, `type` the whole type. `number` is its position in the table.
    """

    number: int
    name: str
    kind: str
    type: str
    nullable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class UpstreamTable:
    """A table.

    `id` differs from the id of a later table with the same name. `keys` are unique and not nullable; the primary key comes first.
    """

    id: str
    namespace: str
    name: str
    columns: tuple[UpstreamColumn, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    full_identity: bool = True
    """Whether changes contain the whole old row."""

    @property
    def offer(self) -> Offer:
        return Offer((self.namespace, self.name), tuple(column.name for column in self.columns))

    def shape(self, types: dict[str, DataType]) -> Shape:
        """The columns in the zoo, with the type for each column's name."""
        columns = tuple(Column(column.name, types[column.name], column.nullable) for column in self.columns)
        return Shape(columns, self.keys[0] if self.keys else ())

    def lost(self, since: UpstreamTable) -> UpstreamColumn | None:
        """The first column of the earlier definition `since` that this one lacks or has changed.

        Additional columns and an additional NOT NULL do not matter.
        """
        there = {column.name: column for column in self.columns}
        return next((column for column in since.columns if not _still(column, there.get(column.name))), None)

    def lost_key(self, since: UpstreamTable) -> bool:
        return not {*since.keys} <= {*self.keys}


def _still(column: UpstreamColumn, now: UpstreamColumn | None) -> bool:
    if now is None or (now.nullable and not column.nullable):
        return False
    return dataclasses.replace(now, nullable=column.nullable) == column
