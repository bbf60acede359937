"""The real services that the recorded answers need, under the addresses and names of the record."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Self

import pytest

from racehound.databases.materialize.connected_services import from_variables
from racehound.databases.materialize.kinds.kafka import UpsertSource
from racehound.databases.materialize.kinds.mysql import MySqlSource
from racehound.databases.materialize.kinds.postgres import PostgresSource
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.services.backends.instance import Instance
from racehound.testdrive.interpreter import Context, Interpreter
from racehound.testdrive.parser import parse
from racehound.wire.session import LibpqSession
from racehound_zoo.server import Zoo

_SERVICES = ("kafka", "schema-registry", "postgres", "mysql")
_RUN = "recorded"
_PASSWORD = "of this test"
_seeds = itertools.count(1)
"""The number is part of the names of topics, so that each zoo has topics of its own."""
_RECORDS = 200
_UPSTREAM = re.compile(r"upstream: (.*)|(.*) upstream")


class UpstreamServices:
    """The services. Everything exists before the first statement is executed. Use as a context manager."""

    def __init__(self, zoo: Zoo, instances: list[Instance]) -> None:
        seed = next(_seeds)
        found = {key: value for each in instances for key, value in each.service.variables(each.access).items()}
        around = from_variables(found)
        fixed = {"racehound.run": _RUN, "racehound.source-password": _PASSWORD}
        variables = {**around.variables(), **fixed, "racehound.upsert-records": str(_RECORDS)}
        self._spellings = {
            "127.0.0.1:21092": variables["testdrive.kafka-addr"],
            "http://127.0.0.1:21083": variables["testdrive.schema-registry-url"],
            "testdrive-o_ups-2": f"testdrive-o_ups-{seed}",
            "PORT 21432": f"PORT {variables['racehound.postgres-port']}",
            "PORT 21306": f"PORT {variables['racehound.mysql-port']}",
            "DATABASE postgres": f"DATABASE {variables['racehound.postgres-database']}",
            "USER postgres": f"USER {_RUN}_o_pg_role",
            "USER o_pg_role": f"USER {_RUN}_o_pg_role",
            "USER o_my_role": f"USER {_RUN}_o_my_role",
            "'***'": f"'{_PASSWORD}'",
        }
        self._session = LibpqSession.connect(zoo.url, "outside")
        services = around.services(None, None)
        self._interpreter = Interpreter(
            Context(
                self._session,
                variables=variables,
                services=services,
                support=SCRIPT_SUPPORT,
                connect=LibpqSession.connect,
                seed=seed,
                timeout=60,
            )
        )
        self._environment = pytest.MonkeyPatch()
        self._postgres, self._mysql = PostgresSource("o_pg"), MySqlSource("o_my")

    def __enter__(self) -> Self:
        # The server of the record let roles in without a password. The emulator runs in this process.
        self._environment.setenv("PGPASSWORD", _PASSWORD)
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.undo()
        self._interpreter.close()
        self._session.close()

    def spelled(self, sql: str) -> str:
        """A recorded statement with the current addresses and names."""
        for recorded, here in self._spellings.items():
            sql = sql.replace(recorded, here)
        return sql

    def prepare(self, kind: str) -> None:
        """Create what the recorder had created before the first statement of a kind."""
        prepared = {"UpsertSource": UpsertSource("o_ups"), "PostgresSource": self._postgres, "MySqlSource": self._mysql}
        self._run(prepared[kind].prepare())

    def act(self, kind: str, action: str) -> None:
        """Repeat what the recorder did in another database."""
        found = _UPSTREAM.fullmatch(action)
        assert found is not None, action
        sql = found[1] or found[2]
        if kind == "PostgresSource":
            self._run(self._postgres.upstream(sql))
        else:
            self._run(self._mysql.upstream(sql.replace("o_my_table", self._mysql.reference)))

    def _run(self, fragment: str) -> None:
        self._interpreter.run(parse(fragment, "outside"))


def outside(zoo: Zoo, service: Callable[[str], Instance]) -> UpstreamServices | str:
    """The services, or the reason why they are not installed."""
    try:
        return UpstreamServices(zoo, [service(name) for name in _SERVICES])
    except pytest.skip.Exception as missing:
        return str(missing)
