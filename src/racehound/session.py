"""The protocol of a session with a target: SQL text in, an `Outcome` out.

An outcome is plain data and never an exception: under concurrency an error is an observation. Only the interpreter of the
language decides whether an error is a failure.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Status = Literal["ok", "error", "lost"]
"""ok: the statement succeeded. error: the server refused it. lost: the connection or the server ended before the answer."""


class ServerError(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a server's error message (PostgreSQL protocol, "Error and Notice Message Fields")."""

    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    context: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    datatype: str = ""
    constraint: str = ""
    source: str = ""
    """Where the server raised it: `file:line function`."""


class Rows(msgspec.Struct, frozen=True):
    """A result set in the server's text form: column names, type OIDs, and one tuple of cells (None is NULL) per row."""

    columns: tuple[str, ...]
    types: tuple[int, ...]
    cells: list[tuple[str | None, ...]]


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of one statement."""

    status: Status
    tag: str = ""
    """Command tag, e.g. `CREATE TABLE` or `INSERT 0 2`."""
    count: int | None = None
    """Rows returned or affected, where the tag says so."""
    error: ServerError | None = None
    rows: Rows | None = None
    """The result set; None for statements that return none."""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class Session(Protocol):
    """One connection to a target. Not thread-safe, but for `cancel`."""

    @property
    def pid(self) -> int:
        """Process id of the server process, 0 where there is none."""

    def execute(self, sql: str) -> Outcome:
        """Run one statement and return its outcome. Never raises for what the server does."""

    def cancel(self) -> None:
        """Ask the server to cancel the running statement. May be called from another thread."""

    def reset(self) -> Outcome:
        """Roll back an open transaction and the state of the session."""

    def close(self) -> None:
        """End the session; an open transaction is rolled back by the server."""
