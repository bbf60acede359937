"""What a session is told: errors with their SQLSTATE, and notices."""

from __future__ import annotations

import dataclasses

INTERNAL = "XX000"
"""The SQLSTATE of most of Materialize's errors, those of the user's making too."""


class SqlError(Exception):
    """A statement failed. The fields are those of PostgreSQL's ErrorResponse."""

    def __init__(self, message: str, sqlstate: str = INTERNAL, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something worth saying beside the result."""

    message: str
    sqlstate: str = "00000"
    severity: str = "NOTICE"


class PanicError(Exception):
    """The server's own reasoning broke: every connection is lost, as when a process dies. Only seeded defects raise it."""


def syntax(message: str) -> SqlError:
    """The statement is not of the language."""
    return SqlError(message, "42601")


def unknown_item(name: str) -> SqlError:
    """There is no relation, index, sink, connection or secret of that name."""
    return SqlError(f"unknown catalog item '{name}'")


def unsupported(what: str) -> SqlError:
    """Materialize may do it; the zoo does not."""
    return SqlError(f"{what} is not supported by the zoo", "0A000")
