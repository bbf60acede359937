"""Changes of a relation that are more than a few rows more or less: rows found by their key, and rows gathered beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from racehound_zoo.backend import Backend
from racehound_zoo.copy_format import copy_text, quoted

Values = tuple[str | None, ...]
"""As PostgreSQL reads them; None: NULL."""


class TableChange(Protocol):
    """Something that a writer does to a table, inside of its transaction. False: nothing to do."""

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        """`table`: as SQL spells it; `unique`: its key's columns."""

    def __len__(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class RowReplacement:
    """By keys, in the order of the key's columns: the row that there is from now on, or None."""

    rows: Mapping[Values, Values | None]

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        """What is there under these keys goes, what they mean now comes."""
        self._take_away(writer, table, unique)
        writer.copy_in(f"COPY {table} FROM STDIN", copy_text(row for row in self.rows.values() if row is not None))

    def _take_away(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        columns = ", ".join(map(quoted, unique))
        writer.script(f"CREATE TEMP TABLE replaced AS SELECT {columns} FROM {table} LIMIT 0")
        writer.copy_in("COPY replaced FROM STDIN", copy_text(self.rows))
        # Only equality finds rows through an index, and it does not find NULL.
        equals = "IS NOT DISTINCT FROM" if any(None in key for key in self.rows) else "="
        same = " AND ".join(f"t.{quoted(column)} {equals} r.{quoted(column)}" for column in unique)
        writer.script(f"DELETE FROM {table} t USING pg_temp.replaced r WHERE {same}; DROP TABLE pg_temp.replaced")


class Staging:
    """Rows for a relation, gathered where nobody sees them; as a `TableChange` they appear, all in one moment.

    Belongs to one thread. `close` it in any case.
    """

    def __init__(self, backend: Backend, table: str, place: str, unique: Sequence[str]) -> None:
        """`place`: the name of a table to gather in, as SQL spells it. SqlError when `table` is gone."""
        self._backend = backend
        self._place = place
        self._unique = unique
        self._count = 0
        backend.script(f"CREATE UNLOGGED TABLE {place} (LIKE {table})")

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Sequence[Values]) -> None:
        """Rows without a key."""
        self._backend.copy_in(f"COPY {self._place} FROM STDIN", copy_text(rows))
        self._count += len(rows)

    def replace(self, change: RowReplacement) -> None:
        """The later word counts."""
        if self._count:
            change.write(self._backend, self._place, self._unique)
        else:
            self.append([row for row in change.rows.values() if row is not None])
        self._count += len(change)

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:  # noqa: ARG002 of TableChange
        """See `TableChange`."""
        writer.script(f"INSERT INTO {table} SELECT * FROM {self._place}")

    def close(self) -> None:
        """What was gathered goes."""
        if self._backend.usable:
            self._backend.script(f"DROP TABLE {self._place}")
