"""Rows as they lie in the storage's PostgreSQL: where, and how they come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from racehound_zoo.backend import Backend
from racehound_zoo.copy_format import copy_text, quoted
from racehound_zoo.table_changes import TableChange

Update = tuple[Sequence[str | None], int]
"""A row, its values in PostgreSQL's text format, and how many more (or less) of it there are."""
Batch = Sequence[tuple[str, "Sequence[Update] | TableChange"]]
"""What changes in several relations, by their ids."""


def physical_name(key: str) -> str:
    """Where a relation is, as SQL spells it."""
    return f"zoo.{quoted(key)}"


def query_of(key: str) -> str:
    """The view beside a table that is filled from it."""
    return f"{key}_query"


def remove(backend: Backend, key: str) -> None:
    """Drop a relation, and the query that it is filled from."""
    for name in (physical_name(key), physical_name(query_of(key))):
        kind = backend.run(f"SELECT relkind FROM pg_class WHERE oid = to_regclass('{name}')").rows
        if kind:
            backend.script(f"DROP {'VIEW' if kind[0][0] == b'v' else 'TABLE'} {name} CASCADE")


def apply(writer: Backend, key: str, updates: Sequence[Update], unique: Sequence[str]) -> None:
    """TableChange a relation's rows. `unique`: by which columns those that go are found, all where there are none."""
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
    """As many of each row as are listed, none the more often for being there several times."""
    table = physical_name(key)
    writer.script(f"CREATE TEMP TABLE gone (LIKE {table}) ON COMMIT DROP")
    writer.copy_in("COPY gone FROM STDIN", copy_text(rows))
    columns = [quoted(field.name) for field in writer.describe("SELECT * FROM gone").fields]
    # Equality finds the rows through the index; NULL, which a key never is, equals NULL in the other columns.
    found = [f"t.{quoted(c)} = d.{quoted(c)}" for c in unique]
    same = " AND ".join([*found, *(f"t.{c} IS NOT DISTINCT FROM d.{c}" for c in columns)])
    listed = ", ".join(columns)
    writer.script(
        f"DELETE FROM {table} WHERE ctid IN (SELECT zoo_place FROM (SELECT t.ctid AS zoo_place, d.zoo_count, "
        f"row_number() OVER (PARTITION BY {', '.join(f't.{c}' for c in columns)}) AS zoo_nth FROM {table} t "
        f"JOIN (SELECT {listed}, count(*) AS zoo_count FROM gone GROUP BY {listed}) d ON {same}) AS counted "
        "WHERE zoo_nth <= zoo_count)"
    )
    writer.script("DROP TABLE pg_temp.gone")
