"""What the tests of the zoo share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def connect(url: str) -> Connection:
    """A session, each statement a transaction."""
    return psycopg.connect(url, autocommit=True)


def refusal(session: Connection, sql: str) -> tuple[str, str]:
    """SQLSTATE and message of the error that a statement must fail with."""
    try:
        session.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate or "", error.diag.message_primary or str(error)
    raise AssertionError(f"{sql}: no error")


def rows(session: Connection, sql: str) -> list[tuple[Any, ...]]:
    return session.execute(sql).fetchall()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Ask until it holds. AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)
