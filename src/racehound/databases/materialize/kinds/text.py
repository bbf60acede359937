"""How fragments for Materialize are written: SQL and actions in, testdrive text out."""

from __future__ import annotations

from racehound.kinds.kind import Fragment
from racehound.kinds.text import Statements, expect, run

TRUE = "true"
"""How testdrive writes the boolean."""
TIMES = 3
"""How often a manipulation that leaves everything as it was is done in a row."""


def action(head: str, *lines: str) -> Fragment:
    """One `$` command with its input."""
    return "".join(f"{line}\n" for line in (f"$ {head}", *lines))


def retried(fragment: Fragment, seconds: str = "30") -> Fragment:
    """A fragment whose statements are tried again until their rows are there, for that long each: data are on their way.

    What is gone is not waited for. A session's statements are otherwise tried once, so that no retry hides an error.
    """
    return (
        action("set-max-tries max-tries=1000")
        + action(f"set-sql-timeout duration={seconds}s force=true")
        + fragment
        + action("set-max-tries max-tries=1")
        + action("set-sql-timeout duration=default")
    )


def set_variable(variable: str, query: str) -> Fragment:
    """Keep the one cell that a query returns as `${variable}`."""
    return action(f"set-from-sql var={variable}", query)


def expect_none(query: str) -> Fragment:
    """A query for what must not be: it returns no row."""
    return expect(query)


__all__ = ["TIMES", "TRUE", "Statements", "action", "expect", "expect_none", "retried", "run", "set_variable"]
