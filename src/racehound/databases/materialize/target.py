"""The Materialize target.

A run has its own working database. A program creates objects only in this database, or in the environment under names that begin
with the run's id. Dropping these removes exactly what the run created. In the services, the names of topics contain the run's id
or its number, and sources read a database of the run.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from psycopg.conninfo import make_conninfo

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize import health, sinks
from racehound.databases.materialize.cleanup import EnvironmentCleaner, remove_run
from racehound.databases.materialize.connected_services import ConnectedServices, ServiceFaults
from racehound.databases.materialize.dialect import MATERIALIZE
from racehound.databases.materialize.health import Problem
from racehound.databases.materialize.inventory import inventory
from racehound.databases.materialize.kinds import MaterializeKind
from racehound.databases.materialize.leftovers import mark_statement
from racehound.databases.materialize.server_location import ServerLocation
from racehound.databases.materialize.service_cleanup import ServiceCleaner, service_cleaners
from racehound.databases.materialize.session import MaterializeSession, quoted
from racehound.databases.materialize.settings import Environment, Settings, environment
from racehound.databases.target import ServerStart, Target, Wait
from racehound.errors import LeftBehindError, TargetError, UnreachableError
from racehound.kinds.kind import Kind
from racehound.services import credentials
from racehound.services.service import Endpoint
from racehound.wire.session import LibpqSession

DEFAULT_RECORDS = 1_000_000
"""Number of records in the topic of an UpsertSource."""
_SESSIONS = "SELECT connection_id FROM mz_internal.mz_sessions"
_WAITS_LIMIT_S = 2.0
_ANSWER_LIMIT_S = 5.0
_UPTIME = "SELECT extract(epoch FROM mz_uptime())"
_CLOCK_ERROR_S = 3.0
"""Two starts that differ by less are the same: the answer takes its time."""

_Value = TypeVar("_Value")


class MaterializeTarget(Target):
    """See `databases.target.Target`. One thread uses it, except that any thread may call `waits`, `terminate` and `open`."""

    dialect = MATERIALIZE

    def __init__(
        self, location: ServerLocation, connected: ConnectedServices, run_id: str, *, records: int = DEFAULT_RECORDS,
        service_faults: ServiceFaults | None = None,
    ) -> None:  # fmt: skip
        self.location = location
        self.service_faults = service_faults or ServiceFaults()
        self.run_id = run_id
        self.owned = location.owned
        self._connected = connected.in_database(f"{run_id}_source")
        self._records = records
        self._number = 0
        self._source_password = credentials.draw()
        self._run_number = int(run_id.removeprefix("rh"), 16)
        self._environment: Environment | None = None
        self._settings: Settings | None = None
        self._operator: MaterializeSession | None = None
        self._observer: MaterializeSession | None = None
        self._cleaner: EnvironmentCleaner | None = None
        self._service_cleaners: list[ServiceCleaner] = []
        self._leaks: list[str] = []
        self._open: dict[int, tuple[str, MaterializeSession]] = {}
        self._began_s = 0.0
        """Calendar time of the server's start, in seconds."""

    @property
    def release(self) -> str:
        return _required(self._environment).release

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.location.addresses.secrets, *self._connected.secrets, self._source_password)

    @property
    def database(self) -> str:
        """Name of the working database."""
        return f"{self.run_id}_db{self._number}"

    @property
    def observer(self) -> MaterializeSession:
        return _required(self._observer)

    @property
    def services(self) -> ServiceAddresses:
        """The addresses for testdrive actions."""
        addresses = self.location.addresses
        return self._connected.services(addresses.http, addresses.internal_http)

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities of the environment and the services, by the names that kinds use."""
        http = {"http"} if self.location.addresses.http else set()
        return _required(self._environment).capabilities | self._connected.capabilities | http

    def start(self) -> None:
        self.location.start()
        self._connect_to_server()
        self._service_cleaners = service_cleaners(self._connected, self.run_id, self._run_number)
        self.connect_services()

    def connect_services(self) -> None:
        """Connect to the services, at the start and after the restart of one. TargetError."""
        for cleaner in self._service_cleaners:
            cleaner.connect()

    def stop(self) -> None:
        """Remove everything, and continue after errors. The first error of the services is raised at the end."""
        left = _error_of(self._disconnect_from_server)
        errors = [error for cleaner in self._service_cleaners if (error := _error_of(cleaner.close))]
        self._service_cleaners = []
        self.location.stop()
        if errors:
            raise errors[0]
        if left is not None and not self.owned:
            raise LeftBehindError(str(left), self.left_behind())

    def can_have(self, kind: type[Kind]) -> bool:
        return is_available(kind, self.capabilities)

    def variables(self) -> Mapping[str, str]:
        return {
            **self._connected.variables(),
            **_required(self._environment).variables(),
            "racehound.run": self.run_id,
            "racehound.source-password": self._source_password,
            "racehound.database": self.database,
            "racehound.upsert-records": str(self._records),
            "racehound.upsert-patience": str(30 + self._records // 10_000),
            "testdrive.seed": str(self._run_number),
        }

    @property
    def endpoint(self) -> Endpoint | None:
        parts = urllib.parse.urlsplit(self.location.addresses.sql)
        return Endpoint(parts.hostname, parts.port or 6875) if parts.hostname else None

    def open(self, session_name: str, via: Endpoint | None = None) -> MaterializeSession:
        session = self._connect(session_name, via)
        self._open[session.pid] = (session_name, session)
        return session

    def rebuild(self) -> None:
        if not self.location.alive():
            if not self.owned:
                raise UnreachableError("the server does not answer any more")
            self._discard_sessions()
            self.location.renew()
            self._connect_to_server()
        else:
            self._reconnect_operator()
            if self._observer is not None:
                self._drop_all_leftovers()
        self._close_working()
        if remove_run(_required(self._operator), self.run_id) and self.owned:
            # Objects that cannot be dropped are damage.
            self.restart()
        self._number += 1
        self._make_database()
        self._observer = self._connect("observer")
        self._cleaner = EnvironmentCleaner(self._observer, _required(self._operator), self.run_id, self.database)

    def reset(self) -> bool:
        return self._cleaner is not None and self._drop_all_leftovers()

    def restart(self) -> None:
        self._discard_sessions()
        self.location.renew()
        self._connect_to_server()

    def alive(self) -> bool:
        return self.location.alive()

    def started(self) -> ServerStart | None:
        """The server tells for how long it runs. From that the start follows, to within a few seconds."""
        name = f"racehound {self.run_id} administration"
        session = LibpqSession.connect(self.location.addresses.sql, name, timeout=_ANSWER_LIMIT_S)
        with contextlib.closing(session):
            outcome = session.ask_within(_UPTIME, _ANSWER_LIMIT_S)
        if outcome.status == "lost":
            raise UnreachableError(f"the connection was lost: {outcome.error.message if outcome.error else ''}")
        if outcome.rows is None:
            return None
        began_s = time.time() - float(outcome.rows.cells[0][0] or 0)
        if abs(began_s - self._began_s) > _CLOCK_ERROR_S:
            self._began_s = began_s
        return ServerStart(time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self._began_s)))

    def abandon(self) -> None:
        for _, session in list(self._open.values()):
            session.sever()

    def left_behind(self) -> tuple[str, ...]:
        return (f"database {self.database}",) if self._number and not self.owned else ()

    def waits(self) -> list[Wait]:
        """The run's sessions that the server knows. It has no locks to show, since its coordinator runs one command at a time."""
        known = dict(self._open)
        session = MaterializeSession.connect(
            self.location.addresses.sql, f"racehound {self.run_id} watchdog", limit_s=_WAITS_LIMIT_S
        )
        with contextlib.closing(session):
            try:
                present = {int(pid) for (pid,) in session.ask(_SESSIONS, _WAITS_LIMIT_S)}
            except TargetError:
                # The coordinator hangs. The watchdog reports that.
                return []
        return [Wait(pid, session_name, "connected", "", (), "") for pid, (session_name, _) in known.items() if pid in present]

    def terminate(self, pid: int) -> None:
        """Close the connection from this side, since the server has no command to end a session."""
        if pid in self._open:
            self._open[pid][1].sever()

    def new_log_lines(self) -> list[str]:
        return self.location.new_log_lines()

    def log_around(self, pids: Collection[int]) -> list[str]:  # noqa: ARG002 log lines have no connection number
        return self.location.log_around()

    def names(self) -> Mapping[str, frozenset[str]]:
        """The names of the run's objects, by name space (`inventory.py`). TargetError.

        The query uses the operator's session, so that the observer can run other queries at the same time.
        """
        return inventory(_required(self._operator), self.run_id)

    def problems(self) -> list[Problem]:
        """The problems of the environment at rest, and the leaks that the last reset found. TargetError."""
        leaks, self._leaks = self._leaks, []
        kafka, registry = self._connected.kafka, self._connected.registry
        return [
            *health.catalog_problems(self.location.addresses.internal_http),
            *health.state_problems(self.observer, self.database),
            *(sinks.problems(self.observer, self.database, kafka, registry) if kafka else ()),
            *(Problem("leak", "replication slot", leak) for leak in leaks),
        ]

    def _connect_to_server(self) -> None:
        """Connect to the server, change its settings and read the facts about it."""
        addresses = self.location.addresses
        self._operator = self._connect_operator()
        self._settings = Settings(self._operator)
        self._settings.raise_all()
        session = MaterializeSession.connect(addresses.sql, f"racehound {self.run_id} administration")
        with contextlib.closing(session):
            self._environment = environment(session)

    def _reconnect_operator(self) -> None:
        """Reconnect the operator's session if it was lost in a crash of the server."""
        operator, settings = _required(self._operator), _required(self._settings)
        if not operator.execute("SELECT 1").ok:
            operator.close()
            self._operator = settings.operator = self._connect_operator()

    def _connect_operator(self) -> MaterializeSession:
        return MaterializeSession.connect(self.location.addresses.internal, f"racehound {self.run_id} operator")

    def _disconnect_from_server(self) -> None:
        self._close_working()
        if self._operator is None:
            return
        if not self.owned:
            self._reconnect_operator()
            remove_run(self._operator, self.run_id)
            _required(self._settings).restore()
        self._operator.close()
        self._operator = None

    def _discard_sessions(self) -> None:
        """Discard the sessions with a server that will be replaced."""
        self._close_working()
        if self._operator is not None:
            self._operator.close()
        self._operator = self._settings = None

    def _make_database(self) -> None:
        session = MaterializeSession.connect(self.location.addresses.sql, f"racehound {self.run_id} administration")
        with contextlib.closing(session):
            session.must(
                f"CREATE DATABASE {quoted(self.database)}", mark_statement(self.database, _required(self._settings).before)
            )

    def _drop_all_leftovers(self) -> bool:
        """Drop leftovers in the target first, since it uses topics and slots, and then in all services at the same time."""
        if not _required(self._cleaner).drop_leftovers():
            return False
        with ThreadPoolExecutor(max(1, len(self._service_cleaners))) as pool:
            for leaks in pool.map(lambda cleaner: cleaner.drop_leftovers(), self._service_cleaners):
                self._leaks += leaks
        return True

    def _connect(self, session: str, via: Endpoint | None = None) -> MaterializeSession:
        name = f"racehound {self.run_id} {session}"
        address = self.location.addresses.sql
        if via is not None:
            # The host is kept, since certificates are checked against it.
            address = make_conninfo(address, hostaddr=via.host, port=via.port)
        return MaterializeSession.connect(
            address, name, database=self.database, settings=(f"SET database = {quoted(self.database)}",)
        )

    def _close_working(self) -> None:
        self._open.clear()
        if self._observer is not None:
            self._observer.close()
        self._observer = self._cleaner = None


def is_available(kind: type[Kind], capabilities: frozenset[str]) -> bool:
    """Whether an environment with these capabilities can have objects of a kind."""
    return not issubclass(kind, MaterializeKind) or kind.requires <= capabilities


def _required(value: _Value | None) -> _Value:
    if value is None:
        raise TargetError("the target is not started, or has no working database yet")
    return value


def _error_of(work: Callable[[], object]) -> TargetError | None:
    try:
        work()
    except TargetError as error:
        return error
    return None
