"""A transaction block: what it does, and what it holds until COMMIT.

The first statement decides what a block may do (https://materialize.com/docs/sql/begin/): read, insert, subscribe, change the
catalog by statements such as RENAME and SWAP, or hold a single other change that is planned and executed at COMMIT.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from racehound_zoo.backend import Backend, Field, Parameters, Row
from racehound_zoo.catalog.state import State
from racehound_zoo.dialect.statements import Statement
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.execution.subscribing import Subscription

Mode = Literal["", "reading", "writing", "subscribing", "single", "changing"]
_READS_ONLY = "SELECT queries cannot be combined with other query types, including SUBSCRIBE."


@dataclasses.dataclass
class Cursor:
    """A cursor. That of a query has all its rows; that of a subscription gets new ones."""

    statement: Statement
    rows: list[Row] | None = None
    subscription: Subscription | None = None
    fields: tuple[Field, ...] = ()


@dataclasses.dataclass
class TransactionBlock:
    """A transaction block."""

    mode: Mode = ""
    implicit: bool = False
    """Whether it was begun for the statements of one message, without BEGIN."""
    failed: bool = False
    backend: Backend | None = None
    """The connection that holds the snapshot of a block that reads."""
    writes: list[tuple[str, str, Parameters]] = dataclasses.field(default_factory=list)
    """The id of the relation, the text of the statement, and its parameters."""
    single: Statement | None = None
    base: State | None = None
    """The state of the catalog on which the first change was planned."""
    plans: list[CatalogPlan] = dataclasses.field(default_factory=list)
    cursors: dict[str, Cursor] = dataclasses.field(default_factory=dict)
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    """The values that SET and SET LOCAL have replaced. A rollback restores them."""

    def become(self, mode: Mode) -> None:
        """Note that the next statement is of this mode. SqlError if the block has another mode."""
        if self.mode in {"", mode} and mode != "single":
            self.mode = mode
        elif self.mode == "single":
            raise SqlError("this transaction can only execute a single statement", "25000")
        elif self.mode in {"", "subscribing"}:
            self.mode = mode
        elif self.mode == "reading":
            raise SqlError("transaction in read-only mode", "25006", _READS_ONLY)
        elif self.mode == "writing":
            raise SqlError("transaction in write-only mode", "25000")
        else:
            raise SqlError("this transaction can only execute DDL statements", "25000")


def close_subscriptions(cursors: Iterable[Cursor]) -> None:
    """Close the subscriptions of these cursors."""
    for cursor in cursors:
        if cursor.subscription is not None:
            cursor.subscription.close()
