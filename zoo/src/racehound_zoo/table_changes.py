"""Changes of a relation for which a list of added and removed rows is not enough: by key, by staging table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from racehound_zoo.backend import Backend
from racehound_zoo.copy_format import copy_text, quoted

Values = tuple[str | None, ...]
"""The values of a row, in PostgreSQL's text format; None for NULL."""


class TableChange(Protocol):
    """A change of a table, made inside the transaction of a writer. It is false if there is nothing to do."""

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        """Make the change. `table` is the table's name as SQL; `unique` has the columns of its key."""

    def __len__(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class RowReplacement:
    """The new row for each key, or None if there is no row any more.

    The values of a key are in the order of the key's columns.
    """

    rows: Mapping[Values, Values | None]

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        """Delete the rows with these keys, and insert the new ones."""
        self._take_away(writer, table, unique)
        writer.copy_in(f"COPY {table} FROM STDIN", copy_text(row for row in self.rows.values() if row is not None))

    def _take_away(self, writer: Backend, table: str, unique: Sequence[str]) -> None:
        columns = ", ".join(map(quoted, unique))
        writer.script(f"CREATE TEMP TABLE replaced AS SELECT {columns} FROM {table} LIMIT 0")
        writer.copy_in("COPY replaced FROM STDIN", copy_text(self.rows))
        # Only equality lets PostgreSQL use an index, and it does not match NULL.
        equals = "IS NOT DISTINCT FROM" if any(None in key for key in self.rows) else "="
        same = " AND ".join(f"t.{quoted(column)} {equals} r.{quoted(column)}" for column in unique)
        writer.script(f"DELETE FROM {table} t USING pg_temp.replaced r WHERE {same}; DROP TABLE pg_temp.replaced")


class Staging:
    """A staging table: rows are collected in it where nobody sees them. As a `TableChange`, it makes them visible in one
    transaction.

    It belongs to one thread, which must `close` it.
    """

    def __init__(self, backend: Backend, table: str, staging: str, unique: Sequence[str]) -> None:
        """Create the staging table `staging`, whose name is given as SQL. SqlError if `table` was dropped."""
        self._backend = backend
        self._staging = staging
        self._unique = unique
        self._count = 0
        backend.script(f"CREATE UNLOGGED TABLE {staging} (LIKE {table})")

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Sequence[Values]) -> None:
        """Add rows without a key."""
        self._backend.copy_in(f"COPY {self._staging} FROM STDIN", copy_text(rows))
        self._count += len(rows)

    def replace(self, change: RowReplacement) -> None:
        """Replace the rows with these keys."""
        if self._count:
            change.write(self._backend, self._staging, self._unique)
        else:
            self.append([row for row in change.rows.values() if row is not None])
        self._count += len(change)

    def write(self, writer: Backend, table: str, unique: Sequence[str]) -> None:  # noqa: ARG002 required by TableChange
        """See `TableChange`."""
        writer.script(f"INSERT INTO {table} SELECT * FROM {self._staging}")

    def close(self) -> None:
        """Drop the staging table."""
        if self._backend.usable:
            self._backend.script(f"DROP TABLE {self._staging}")
