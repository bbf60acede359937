"""Tables of the databases that sources follow, as these describe them."""

from __future__ import annotations

import dataclasses

from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import DataType
from racehound_zoo.sources.source import Offer, Shape


class UpstreamError(Exception):
    """The database cannot be reached, or refuses; the text is what it says."""


@dataclasses.dataclass(frozen=True, slots=True)
class UpstreamColumn:
    """`kind`: its type's name without what is behind it in parentheses; `type`: all of it. `number`: its place in the table."""

    number: int
    name: str
    kind: str
    type: str
    nullable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class UpstreamTable:
    """`id`: what a later table of the same name does not have. `keys`: unique and never NULL, the primary one first."""

    id: str
    namespace: str
    name: str
    columns: tuple[UpstreamColumn, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    full_identity: bool = True
    """Whether its changes come with the whole old row."""

    @property
    def offer(self) -> Offer:
        return Offer((self.namespace, self.name), tuple(column.name for column in self.columns))

    def shape(self, types: dict[str, DataType]) -> Shape:
        """The zoo's columns, of the types that go with the columns' names."""
        columns = tuple(Column(column.name, types[column.name], column.nullable) for column in self.columns)
        return Shape(columns, self.keys[0] if self.keys else ())

    def lost(self, since: UpstreamTable) -> UpstreamColumn | None:
        """The first column of `since` that this, the later one, has no more as it was.

        More columns do no harm, nor does a NOT NULL that has been added.
        """
        there = {column.name: column for column in self.columns}
        return next((column for column in since.columns if not _still(column, there.get(column.name))), None)

    def lost_key(self, since: UpstreamTable) -> bool:
        return not {*since.keys} <= {*self.keys}


def _still(column: UpstreamColumn, now: UpstreamColumn | None) -> bool:
    if now is None or (now.nullable and not column.nullable):
        return False
    return dataclasses.replace(now, nullable=column.nullable) == column
