"""The rows of relations in the storage: the names of the tables, and how rows are inserted and deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from racehound_zoo.backend import Backend
from racehound_zoo.copy_format import copy_text, quoted
from racehound_zoo.table_changes import TableChange

Update = tuple[Sequence[str | None], int]
"""A row, as values in PostgreSQL's text format, and the number of copies that are added (or, if negative, removed)."""
Batch = Sequence[tuple[str, "Sequence[Update] | TableChange"]]
"""The changes of several relations, by their ids."""


def physical_name(key: str) -> str:
    """The name of the relation in the storage, as SQL."""
    return f"zoo.{quoted(key)}"


def query_of(key: str) -> str:
    """The id of the view whose rows the table of this id is filled with."""
    return f"{key}_query"


def remove(backend: Backend, key: str) -> None:
    """Drop a relation and the view that it is filled from."""
    for name in (physical_name(key), physical_name(query_of(key))):
        kind = backend.run(f"SELECT relkind FROM pg_class WHERE oid = to_regclass('{name}')").rows
        if kind:
            backend.script(f"DROP {'VIEW' if kind[0][0] == b'v' else 'TABLE'} {name} CASCADE")


def apply(writer: Backend, key: str, updates: Sequence[Update], unique: Sequence[str]) -> None:
    """Insert and delete rows of a relation.

    `unique` has the columns by which the rows to delete are found; if empty, all columns are used.
    """
    net: Counter[tuple[str | None, ...]] = Counter()
    for row, difference in updates:
        net[tuple(row)] += difference
    added = [row for row, difference in net.items() for _ in range(difference)]
    gone = [row for row, difference in net.items() for _ in range(-difference)]
    if gone:
        _take_away(writer, key, gone, unique)
    if added:
        writer.copy_in(f"COPY {physical_name(key)} FROM STDIN", copy_text(added))


def _take_away(writer: Backend, key: str, rows: Sequence[Sequence[str | None]], unique: Sequence[str]) -> None:
    """Delete as many copies of each row as are listed, even if the relation has more of them."""
    table = physical_name(key)
    writer.script(f"CREATE TEMP TABLE gone (LIKE {table}) ON COMMIT DROP")
    writer.copy_in("COPY gone FROM STDIN", copy_text(rows))
    columns = [quoted(field.name) for field in writer.describe("SELECT * FROM gone").fields]
    # Equality lets PostgreSQL use the index. NULL can only be in the other columns, and is compared as equal to NULL there.
    found = [f"t.{quoted(c)} = d.{quoted(c)}" for c in unique]
    same = " AND ".join([*found, *(f"t.{c} IS NOT DISTINCT FROM d.{c}" for c in columns)])
    listed = ", ".join(columns)
    writer.script(
        f"DELETE FROM {table} WHERE ctid IN (SELECT zoo_ctid FROM (SELECT t.ctid AS zoo_ctid, d.zoo_count, "
        f"row_number() OVER (PARTITION BY {', '.join(f't.{c}' for c in columns)}) AS zoo_nth FROM {table} t "
        f"JOIN (SELECT {listed}, count(*) AS zoo_count FROM gone GROUP BY {listed}) d ON {same}) AS counted "
        "WHERE zoo_nth <= zoo_count)"
    )
    writer.script("DROP TABLE pg_temp.gone")
