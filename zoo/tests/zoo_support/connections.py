"""Connections to the zoo, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def connect(url: str) -> Connection:
    """A session in autocommit mode."""
    return psycopg.connect(url, autocommit=True)


def refusal(session: Connection, sql: str) -> tuple[str, str]:
    """The SQLSTATE and the message of the error with which a statement must fail."""
    try:
        session.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate or "", error.diag.message_primary or str(error)
    raise AssertionError(f"{sql}: no error")


def rows(session: Connection, sql: str) -> list[tuple[Any, ...]]:
    return session.execute(sql).fetchall()


def until(condition: Callable[[], bool], seconds: float = 60.0, state: Callable[[], object] = lambda: "") -> None:
    """Wait until the condition holds, also on a busy machine. AssertionError, with the state then, if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about: {state()}"
        time.sleep(0.005)
