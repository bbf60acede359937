"""The progress relation of a source: its columns, and its rows, which are computed from the source's saved progress.

The columns for each system are documented at https://materialize.com/docs/sql/create-source/. They show the first position that
has not been read yet.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence

from racehound_zoo.backend import Backend
from racehound_zoo.catalog.model import Column
from racehound_zoo.copy_format import copy_text
from racehound_zoo.datatypes import builtin
from racehound_zoo.sources.source import Shape
from racehound_zoo.table_changes import Values

_COLUMNS = {
    "KAFKA": (("partition", "numrange"), ("offset", "uint8")),
    "POSTGRES": (("lsn", "uint8"),),
    "MYSQL": (("source_id_lower", "uuid"), ("source_id_upper", "uuid"), ("transaction_id", "uint8")),
    "SQL SERVER": (("lsn", "bytea"),),
}
_COUNTED = (("offset", "uint8"),)
"""The columns for load generators."""
_FIRST, _LAST = 0, (1 << 128) - 1
"""The smallest and the largest UUID, as numbers."""


def shape(system: str) -> Shape:
    """The columns of the progress relation for a system."""
    columns = []
    for name, kind in _COLUMNS.get(system, _COUNTED):
        known = builtin(kind)
        assert known is not None
        columns.append(Column(name, known, nullable=False))
    return Shape(tuple(columns))


def rows(system: str, remembered: Mapping[str, str]) -> list[Values]:
    """The rows of the progress relation. `remembered` is the progress that the ingestion has saved."""
    if system == "KAFKA":
        return _partitions(remembered)
    position = remembered.get("position", "")
    if system == "POSTGRES":
        return [(str(_lsn(position)),)] if position else []
    if system == "MYSQL":
        return _servers(position)
    return [(ticks,)] if (ticks := remembered.get("ticks")) is not None else []


def _partitions(remembered: Mapping[str, str]) -> list[Values]:
    """For each partition, the offset that all tables have reached; 0 for partitions that do not exist yet."""
    offsets: dict[int, int] = {}
    for name, offset in remembered.items():
        _, slash, number = name.rpartition("/")
        if slash:
            offsets[int(number)] = min(offsets.get(int(number), int(offset)), int(offset))
    known: list[Values] = [(f"[{number},{number}]", str(offset)) for number, offset in sorted(offsets.items())]
    return [*known, (f"({max(offsets)},)", "0")] if known else []


def _lsn(text: str) -> int:
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _servers(gtids: str) -> list[Values]:
    """For each server, the next transaction; 0 for the ranges of UUIDs between the servers."""
    found: list[Values] = []
    free = _FIRST
    for server, following in sorted(map(_following, gtids.split(","))) if gtids else ():
        if server > free:
            found.append(_range(free, server - 1, 0))
        found.append(_range(server, server, following))
        free = server + 1
    return [*found, _range(free, _LAST, 0)] if found and free <= _LAST else found


def _following(part: str) -> tuple[int, int]:
    """For a part such as `uuid:1-5:7`: the server as a number, and the next transaction, 8."""
    server, *ranges = part.strip().split(":")
    return uuid.UUID(server).int, max(int(bounds.rpartition("-")[2]) for bounds in ranges) + 1


def _range(first: int, last: int, transaction: int) -> Values:
    return str(uuid.UUID(int=first)), str(uuid.UUID(int=last)), str(transaction)


@dataclasses.dataclass(frozen=True)
class ProgressRows:
    """A `table_changes.TableChange` that replaces all rows of a progress relation."""

    rows: Sequence[Values]

    def __len__(self) -> int:
        return max(1, len(self.rows))

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:  # noqa: ARG002 required by TableChange
        """See `table_changes.TableChange`."""
        writer.script(f"DELETE FROM {table}")
        writer.copy_in(f"COPY {table} FROM STDIN", copy_text(self.rows))
