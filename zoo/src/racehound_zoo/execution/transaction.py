"""A transaction block: what kind it has become by its first statement, and what it holds for COMMIT.

A block does one kind of thing (https://materialize.com/docs/sql/begin/): it reads, or it inserts, or it subscribes, or it renames
and swaps, or it holds a single other change, which is planned and done at COMMIT.
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
    """Of a query: its rows, all there. Of a subscription: it goes on."""

    statement: Statement
    rows: list[Row] | None = None
    subscription: Subscription | None = None
    fields: tuple[Field, ...] = ()


@dataclasses.dataclass
class TransactionBlock:
    """One block."""

    mode: Mode = ""
    implicit: bool = False
    """Nobody began it: it is made of the statements of one message."""
    failed: bool = False
    backend: Backend | None = None
    """Holds the snapshot of a block that reads."""
    writes: list[tuple[str, str, Parameters]] = dataclasses.field(default_factory=list)
    """Relation, text, parameters."""
    single: Statement | None = None
    base: State | None = None
    """The state from which renames and swaps go on."""
    plans: list[CatalogPlan] = dataclasses.field(default_factory=list)
    cursors: dict[str, Cursor] = dataclasses.field(default_factory=dict)
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    """What SET LOCAL and SET have replaced, for when the block fails."""

    def become(self, mode: Mode) -> None:
        """The next statement is of this kind. SqlError when the block is of another."""
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


def closed(cursors: Iterable[Cursor]) -> None:
    """End the subscriptions of these."""
    for cursor in cursors:
        if cursor.subscription is not None:
            cursor.subscription.close()
