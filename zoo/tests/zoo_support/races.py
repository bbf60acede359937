"""Repeats the recorded races on the zoo: each in a schema of its own, with all sessions at the same time."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import psycopg
from psycopg import pq

from racehound_zoo.server import Zoo
from zoo_support.recorded import RECORDS, request
from zoo_support.upstream import UpstreamServices

Outcome = tuple[tuple[str, ...], ...]
"""The result of each statement of each session."""
_LOST_TO_A_DROP = re.compile(
    r"0A000 dependency was removed: uN|XX000 query could not complete because relation \"\w+\" was dropped"
    r"|XX000 unknown catalog item '\w+'"
)
"""The error about a relation that was dropped meanwhile depends on how far the statement had come.

The record contains all three.
"""
_OUTSIDE = re.compile(r"KAFKA|TO POSTGRES")
_ERROR = re.compile(r"[0-9A-Z]{5} ")
_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class Race:
    name: str
    setup: tuple[str, ...]
    sessions: tuple[tuple[str, ...], ...]
    outcomes: frozenset[Outcome]

    @property
    def needs_services(self) -> bool:
        return any(_OUTSIDE.search(sql) for sql in (*self.setup, *itertools.chain(*self.sessions)))

    @property
    def errors(self) -> frozenset[str]:
        """The error messages in the record."""
        told = itertools.chain(*(session for outcome in self.outcomes for session in outcome))
        return frozenset(each.partition(" ")[2] for each in told if _ERROR.match(each))

    def interleavings(self) -> Iterator[tuple[int, ...]]:
        """Every serial order: which session executes its next statement, at each step."""
        turns = [number for number, session in enumerate(self.sessions) for _ in session]
        yield from sorted(set(itertools.permutations(turns)) if len(turns) <= 7 else [])


def meant(outcome: Outcome) -> Outcome:
    """The outcome without differences that do not matter."""
    return tuple(tuple(_LOST_TO_A_DROP.sub("dropped", told) for told in session) for session in outcome)


def races() -> list[Race]:
    found = []
    for line in (RECORDS / "race.jsonl").read_text().splitlines():
        record = json.loads(line)
        outcomes = frozenset(meant(tuple(map(tuple, outcome["results"]))) for outcome in record["outcomes"])
        found.append(Race(record["pair"], tuple(record["setup"]), tuple(map(tuple, record["sessions"])), outcomes))
    return found


class RaceSessions:
    """The sessions of one race, in a schema of their own that is dropped with them."""

    def __init__(self, zoo: Zoo, race: Race, outside: UpstreamServices | None = None) -> None:
        self._zoo = zoo
        self._outside = outside
        self._race = race
        self._schema = f"race{next(_numbers)}"
        self._sessions = [self._connect() for _ in race.sessions]
        self._notices: list[list[str]] = [[] for _ in race.sessions]
        self._result(0, f"CREATE SCHEMA {self._schema}")
        for number, session in enumerate(self._sessions):
            session.add_notice_handler(self._listener(number))
            self._result(number, f"SET search_path = {self._schema}")
        for sql in race.setup:
            told = self._result(0, sql.removeprefix("#A "))
            assert told.startswith("ok"), (race.name, sql, told)

    def _listener(self, number: int) -> Callable[[psycopg.errors.Diagnostic], None]:
        return lambda notice: self._notices[number].append(notice.message_primary or "")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._zoo.url, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()
        operator = psycopg.connect(self._zoo.internal_url, autocommit=True)
        for kind in ("SCHEMA", "CLUSTER", "DATABASE"):
            for name in self._names(f"mz_{kind.lower()}s", operator):
                operator.execute(f"DROP {kind} {name} CASCADE")
        operator.close()

    def _names(self, relation: str, operator: psycopg.Connection[Any]) -> list[str]:
        rows = operator.execute(f"SELECT name FROM {relation} WHERE id LIKE 'u%' AND name LIKE '%{self._schema}%'").fetchall()
        return [row[0] for row in rows]

    def at_once(self) -> Outcome:
        """Execute all sessions at the same time, each in a thread."""
        barrier = threading.Barrier(len(self._sessions))
        told: list[tuple[str, ...]] = [() for _ in self._sessions]

        def run(number: int) -> None:
            barrier.wait()
            told[number] = tuple(self._result(number, sql) for sql in self._race.sessions[number])

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(self._sessions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tuple(told)

    def in_order(self, turns: Sequence[int]) -> Outcome:
        """Execute one statement at a time, in this order."""
        positions = [iter(session) for session in self._race.sessions]
        told: list[list[str]] = [[] for _ in self._sessions]
        for number in turns:
            told[number].append(self._result(number, next(positions[number])))
        return tuple(map(tuple, told))

    def _result(self, number: int, sql: str) -> str:
        sql = sql.replace("{sch}", self._schema)
        sql = sql if self._outside is None else self._outside.spelled(sql)
        if sql.startswith("POST "):
            path = f"/api/webhook/materialize/{self._schema}/{sql.removeprefix('POST ')}"
            status, body = request(f"{self._zoo.http_url}{path}", b"x")
            return "ok" if status == 200 else self._normal(f"HTTP {status} {body}")
        self._notices[number].clear()
        result = self._sessions[number].pgconn.exec_(sql.encode())
        if result.status == pq.ExecStatus.FATAL_ERROR:
            sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            return self._normal(f"{sqlstate} {(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b'').decode()}")
        return self._normal("".join(["ok", *(f" notice: {notice}" for notice in self._notices[number])]))

    def _normal(self, text: str) -> str:
        text = text.replace(f"materialize.{self._schema}.", "").replace(self._schema, "S")
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:7876", re.sub(r"\bu\d+\b", "uN", text))
