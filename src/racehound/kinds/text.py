"""How fragments are written in Python: SQL statements in, testdrive text out."""

from __future__ import annotations

from racehound.kinds.kind import Fragment

Statements = tuple[str, ...]
"""SQL statements, to be run in order, none of which returns a row."""


def run(*statements: str) -> Fragment:
    """Commands that must succeed and return no row."""
    return "".join(expect(statement) for statement in statements)


def expect(query: str, *rows: str) -> Fragment:
    """One command that must return exactly these rows. Without any: none, as of a query for rows that violate what must hold."""
    command = "> " + query.replace("\n", "\n  ")
    return "".join(f"{line}\n" for line in (command, *rows))
