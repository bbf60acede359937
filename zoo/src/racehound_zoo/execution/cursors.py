"""Executes DECLARE, FETCH and CLOSE."""

from __future__ import annotations

import time
from collections.abc import Callable

from racehound_zoo.backend import Row
from racehound_zoo.dialect.statements import CloseCursor, Declare, Fetch, Select, Show, Subscribe
from racehound_zoo.errors import SqlError, unsupported
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import Session
from racehound_zoo.execution.subscribing import Subscription
from racehound_zoo.execution.transaction import Cursor, TransactionBlock

_ALWAYS = 3600.0


def declare(session: Session, statement: Declare, run: Callable[..., Result]) -> Result:
    """DECLARE. `run` executes the cursor's query, as `dispatch.execute` does."""
    transaction = session.transaction
    if transaction is None:
        raise SqlError("DECLARE CURSOR can only be used in transaction blocks", "25P01")
    if statement.cursor in transaction.cursors:
        raise SqlError(f'cursor "{statement.cursor}" already exists', "42P03")
    if isinstance(statement.inner, Subscribe):
        transaction.become("subscribing")
        subscription = Subscription(session.engine, session.scope, session.uuid, statement.inner, session.cluster)
        cursor = Cursor(statement.inner, None, subscription, subscription.fields)
    elif isinstance(statement.inner, Select | Show):
        result = run(session, statement.inner, "")
        cursor = Cursor(statement.inner, [row for row in result.rows or () if row is not None], None, tuple(result.fields))
    else:
        raise unsupported("a cursor of this statement")
    transaction.cursors[statement.cursor] = cursor
    return Result("DECLARE CURSOR")


def fetch(session: Session, statement: Fetch) -> Result:
    cursor = _cursor(session.transaction, statement.cursor)
    if cursor.subscription is not None:
        rows = _from_subscription(session, cursor, cursor.subscription, statement)
    else:
        assert cursor.rows is not None
        count = len(cursor.rows) if statement.count is None else statement.count
        rows, cursor.rows = cursor.rows[:count], cursor.rows[count:]
    return Result("FETCH #", cursor.fields, rows)


def _cursor(transaction: TransactionBlock | None, name: str) -> Cursor:
    cursor = transaction.cursors.get(name) if transaction is not None else None
    if cursor is None:
        raise SqlError(f'cursor "{name}" does not exist', "34000")
    return cursor


def _from_subscription(session: Session, cursor: Cursor, subscription: Subscription, statement: Fetch) -> list[Row]:
    """Wait for as many rows as FETCH asks for, until its timeout. FETCH ALL returns what there is as soon as there is a row."""
    held = cursor.rows or []
    deadline = time.monotonic() + (_ALWAYS if statement.timeout is None else statement.timeout)
    wanted = statement.count
    while not _enough(held, wanted, timed=statement.timeout is not None):
        left = deadline - time.monotonic()
        if session.interrupted():
            raise SqlError("canceling statement due to user request", "57014")
        held += subscription.next_rows(max(0.0, min(left, 0.1)), session.interrupted)
        if left <= 0:
            break
    count = len(held) if wanted is None else wanted
    cursor.rows = held[count:]
    return held[:count]


def _enough(held: list[Row], wanted: int | None, *, timed: bool) -> bool:
    return len(held) >= wanted if wanted is not None else bool(held) and not timed


def close(session: Session, statement: CloseCursor) -> Result:
    cursor = _cursor(session.transaction, statement.cursor)
    if cursor.subscription is not None:
        cursor.subscription.close()
    assert session.transaction is not None
    del session.transaction.cursors[statement.cursor]
    return Result("CLOSE CURSOR")
