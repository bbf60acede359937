"""Tiny, the smallest database that racehound can hunt in. It is a PostgreSQL that racehound starts, used for tables only."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from racehound.data.history import Statement
from racehound.databases.database import Choice, Database
from racehound.databases.dialect import Dialect
from racehound.databases.target import Target
from racehound.errors import TargetError, UserError
from racehound.kinds.kind import Fragment, Kind, changes
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.service import Endpoint
from racehound.session import Session
from racehound.wire.session import LibpqSession

RACE_OUTCOMES = ("42P01", "42P07", "40P01", "40001", "25P02", "57014")
"""There is no such table, there is one already, a deadlock, a serialization failure, a failed transaction, cancelled."""


def is_internal(statement: Statement) -> bool:
    """Whether the server says that something went wrong inside it."""
    return statement.status == "error" and statement.sqlstate.startswith("XX")


def is_race_outcome(statement: Statement) -> bool:
    """Whether other sessions may have brought the error about."""
    return statement.status == "error" and statement.sqlstate in RACE_OUTCOMES


TINY = Dialect(
    name="tiny",
    title="Tiny",
    allows_transaction=lambda _fragment: True,
    is_internal=is_internal,
    is_race_outcome=is_race_outcome,
    is_transient=lambda error: error.sqlstate.startswith("40"),
)


@dataclasses.dataclass(frozen=True)
class Shelf(Kind):
    """A table to which rows are added two at a time. Verified: their number is even."""

    persistence: Literal["", "UNLOGGED "] = ""

    def create(self) -> Fragment:
        return f"> CREATE {self.persistence}TABLE {self.name} (a int)\n"

    @changes
    def add(self) -> Fragment:
        return f"> INSERT INTO {self.name} VALUES (1), (2)\n"

    @changes
    def copy(self) -> Fragment:
        source = self.refers_to.name if self.refers_to else self.name
        return f"> INSERT INTO {self.name} SELECT 1 FROM {source}\n"

    def verify(self) -> Fragment:
        return f"> SELECT count(*) % 2 FROM {self.name}\n0\n"

    def destroy(self) -> Fragment:
        return f"> DROP TABLE {self.name}\n"


@dataclasses.dataclass(frozen=True)
class Tally(Kind):
    """A table with entries and their number, which two sessions at the same time get wrong. Verified: the number is right."""

    enabled = False  # it is a race on purpose: drawn only when named by --kinds

    def create(self) -> Fragment:
        return f"> CREATE TABLE {self.name} AS SELECT 0 AS n, true AS is_number\n"

    @changes
    def enter(self) -> Fragment:
        tally = self.refers_to.name if self.refers_to else self.name
        entry = f"WITH entry AS (INSERT INTO {tally} VALUES (1, false))"
        number = f"SELECT count(*) + 1 FROM {tally}, pg_sleep(0.02) WHERE NOT is_number"
        return f"> {entry} UPDATE {tally} SET n = ({number}) WHERE is_number\n"

    def verify(self) -> Fragment:
        entries = f"SELECT count(*) FROM {self.name} WHERE NOT is_number"
        return f"> SELECT n = ({entries}) FROM {self.name} WHERE is_number\ntrue\n"

    def destroy(self) -> Fragment:
        return f"> DROP TABLE {self.name}\n"


class TinyTarget(Target):
    """A server of racehound's own, and in it a working database that is replaced when it is damaged."""

    dialect = TINY
    owned = True

    def __init__(self, server: EmbeddedServer, run_id: str) -> None:
        self._server = server
        self.run_id = run_id
        self._observer: Session | None = None

    @property
    def release(self) -> str:
        return self._server.installation.version

    @property
    def observer(self) -> Session:
        if self._observer is None:
            raise TargetError("there is no working database yet")
        return self._observer

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def rebuild(self) -> None:
        if self._observer is not None:
            self._observer.close()
        self._server.start()  # in case it has crashed
        with contextlib.closing(LibpqSession.connect(self._server.address.conninfo())) as session:
            for sql in ("DROP DATABASE IF EXISTS tiny WITH (FORCE)", "CREATE DATABASE tiny"):
                outcome = session.execute(sql)
                if outcome.error:
                    raise TargetError(f"{sql}: {outcome.error.message}")
        self._observer = self.open("observer")

    def reset(self) -> bool:
        return all(self.observer.execute(sql).ok for sql in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))

    def open(self, session: str, via: Endpoint | None = None) -> Session:  # noqa: ARG002 it has no `endpoint` to put a proxy before
        return LibpqSession.connect(self._server.address.conninfo("tiny"), f"racehound {self.run_id} {session}")

    def alive(self) -> bool:
        return self._server.alive()

    def variables(self) -> Mapping[str, str]:
        return {"racehound.run": self.run_id}


class TinyDatabase(Database):
    """What the entry point names."""

    dialect = TINY
    summary = "Tiny: a server that racehound starts"
    can_start = True

    @contextlib.contextmanager
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:
        if choice.url:
            raise UserError("--url: racehound starts its own server of tiny")
        target = TinyTarget(EmbeddedServer(releases.find(choice.release), directory, log_path), run_id)
        try:
            target.start()
            yield target
        finally:
            target.stop()

    def kinds(self) -> Sequence[type[Kind]]:
        return (Shelf, Tally)
