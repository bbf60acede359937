"""Errors and notices that a session sends to its client."""

from __future__ import annotations

import dataclasses

INTERNAL = "XX000"
"""The SQLSTATE of most of Materialize's errors, including those that the user has caused."""


class SqlError(Exception):
    """The error of a statement that failed. The fields are those of PostgreSQL's ErrorResponse."""

    def __init__(self, message: str, sqlstate: str = INTERNAL, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


@dataclasses.dataclass(frozen=True)
class Notice:
    """A notice that is sent besides the result."""

    message: str
    sqlstate: str = "00000"
    severity: str = "NOTICE"


class PanicError(Exception):
    """A panic of the server: all connections are lost, as if the process had died. Only seeded defects raise it."""


def syntax(message: str) -> SqlError:
    """The error for a syntax error."""
    return SqlError(message, "42601")


def unknown_item(name: str) -> SqlError:
    """The error for a name that no relation, index, sink, connection or secret has."""
    return SqlError(f"unknown catalog item '{name}'")


def unsupported(what: str) -> SqlError:
    """The error for a feature that Materialize may have and the zoo does not."""
    return SqlError(f"{what} is not supported by the zoo", "0A000")
