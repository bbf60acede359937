"""The rows of text tables, and the invariant that they keep.

Rows come and go in groups of ten that share a key in column `a`: every INSERT adds ten rows of one key, every DELETE and every
move acts on whole groups. So in every snapshot each key has a multiple of ten rows, whatever runs beside, and a reader that sees
anything else has seen a wrong result. The two sorts of keys are `0`, `1`, … of the initial rows, and `PID.SECONDS` of those that
a statement inserted, unique to the statement.
"""

from __future__ import annotations

COLUMNS = 'a text COLLATE "C", b text'
"""The columns of every text table. "C" lets `a` be a partition key and a unique key on any server, whatever its locale."""

GROUP = 10
"""Rows of a group."""


def fill(table: str, count: int = GROUP, prefix: str = "") -> str:
    """The initial rows: `count / 10` groups with the keys `0`, `1`, … after the prefix."""
    row = f"'{prefix}' || i / {GROUP}, 'b' || i % {GROUP}"
    return f"INSERT INTO {table} (a, b) SELECT {row} FROM generate_series(0, {count - 1}) AS i"


def insert(table: str, prefix: str = "") -> str:
    """One more group, of a key that no other statement uses.

    Rules and triggers may evaluate the key again: it is the same during the whole statement.
    """
    key = f"'{prefix}' || pg_backend_pid() || '.' || extract(epoch FROM statement_timestamp())"
    return f"INSERT INTO {table} (a, b) SELECT {key}, 'b' || i FROM generate_series(0, {GROUP - 1}) AS i"


def update(table: str, key: str) -> str:
    """New versions of the rows of a group, which stay distinct among each other."""
    return f"UPDATE {table} SET b = reverse(b) WHERE a = '{key}'"


def move(table: str, key: str) -> str:
    """The rows of a group again, at other places of the table."""
    gone = f"DELETE FROM {table} WHERE a = '{key}' RETURNING a, b"
    return f"WITH gone AS ({gone}) INSERT INTO {table} (a, b) SELECT a, b FROM gone"


def delete_inserted(table: str) -> str:
    """The end of all groups but the initial ones."""
    return f"DELETE FROM {table} WHERE a LIKE '%.%.%'"


def broken_groups(relation: str) -> str:
    """Asks for the groups that are not whole: none, in any snapshot."""
    return f"SELECT a, count(*) FROM {relation} GROUP BY a HAVING count(*) % {GROUP} <> 0"
