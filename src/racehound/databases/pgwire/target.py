"""The target is a server at an address. The run creates its own schema there, if the user may create one.

Every session has that schema first in its search path, so scripts that name no schema use it. Dropping the schema removes what
scripts create in it. Scripts themselves must remove all else (objects in other schemas, roles, databases).

If the user may not create schemas, or the server has none, racehound creates and removes nothing: --setup and --teardown must.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterator, Mapping

from psycopg.conninfo import make_conninfo

from racehound.databases import addresses
from racehound.databases.dialect import Dialect
from racehound.databases.pgwire.dialect import PGWIRE, WITHOUT_CLASSES
from racehound.databases.pgwire.leftovers import drop, mark, owner_schema
from racehound.databases.pgwire.session import PgwireSession, must, quoted
from racehound.databases.stepping import Stepping
from racehound.databases.target import ServerStart, Target
from racehound.errors import LeftBehindError, TargetError, UnreachableError
from racehound.services.service import Endpoint
from racehound.session import ServerError

_BACK_LIMIT_S = 15.0
"""Time within which a lost server must answer again."""
_DROP_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 5.0
_STARTED = "SELECT pg_postmaster_start_time()"
_LOOK_S = 0.1


class PgwireTarget(Target):
    """See `databases.target.Target`. One thread uses it; others may call `terminate` and `open`."""

    dialect: Dialect = PGWIRE
    owned = False

    def __init__(self, url: str, run_id: str, tell: Callable[[str], object]) -> None:
        """`tell` gets messages for the user about this server. Raises UserError for a malformed address."""
        self._url = url
        self.run_id = run_id
        self._tell = tell
        self._password = addresses.password(url)
        self._release = ""
        self._has_schemas = self._had_schemas = False
        self._can_discard = True
        self.slowest_s = 0.0
        """Duration of the slowest of racehound's own statements."""
        self._number = 0
        self._observer: PgwireSession | None = None
        self._open: weakref.WeakValueDictionary[int, PgwireSession] = weakref.WeakValueDictionary()

    @property
    def release(self) -> str:
        return self._release

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._password,) if self._password else ()

    @property
    def endpoint(self) -> Endpoint | None:
        return addresses.endpoint(self._url)

    @property
    def schema(self) -> str:
        """The working schema, or "" if there is none."""
        return f"{self.run_id}_{self._number}" if self._has_schemas and self._number else ""

    @property
    def observer(self) -> PgwireSession:
        if self._observer is None:
            raise TargetError("there is no working schema yet")
        return self._observer

    def start(self) -> None:
        with self._administration() as session:
            self._release = session.server_version or "of an unknown release"
            error = session.execute(f"SELECT 1 FROM {self.run_id}_no_such_table").error
            if error is not None and error.sqlstate.startswith("XX"):
                self.dialect = WITHOUT_CLASSES
            self._can_discard = session.execute("DISCARD ALL").ok
            with self._timed():
                made = mark(session, self.run_id)
        self._has_schemas = self._had_schemas = made.ok
        if made.error is not None:
            self._tell(
                f"the run has no schema of its own ({made.error.message}): "
                "what scripts make stays on the server unless --teardown drops it"
            )

    def stop(self) -> None:
        self._close_observer()
        if not self._has_schemas:
            return
        named = self.left_behind()
        self._has_schemas = False
        try:
            with self._administration() as session:
                left = drop(session, [*self._working_schemas(), owner_schema(self.run_id)])
        except TargetError as error:
            left = [str(error)]
        if left:
            raise LeftBehindError(left[0], named)

    def rebuild(self) -> None:
        self._close_observer()
        if not self.alive():
            raise UnreachableError("the server does not answer any more")
        if self._has_schemas:
            with self._administration() as session:
                # If this fails, the next schema still has another name, and `stop` tries again.
                drop(session, [self.schema] if self.schema else [], _DROP_LIMIT_S)
                self._number += 1
                create = f"CREATE SCHEMA {quoted(self.schema)}"
                with self._timed():
                    must(session.execute(create), create)
        self._observer = self.open("observer")

    def reset(self) -> bool:
        return self.drop_leftovers(self.observer)

    def drop_leftovers(self, session: PgwireSession) -> bool:
        """Drop and create the working schema again. Return False if a rebuild is needed."""
        if not self._can_discard:
            return False  # a session cannot be reset, so new ones are needed
        if not self.schema:
            return True
        return not drop(session, [self.schema], _DROP_LIMIT_S) and session.execute(f"CREATE SCHEMA {quoted(self.schema)}").ok

    def open(self, session: str, via: Endpoint | None = None) -> PgwireSession:
        # Certificates are still checked against the host.
        url = make_conninfo(self._url, hostaddr=via.host, port=via.port) if via else self._url
        opened = self._connect(session, url)
        if self.schema:
            opened.settings = (f"SET search_path = {_path(self.schema, opened)}",)
            opened.apply()
        self._open[opened.pid] = opened
        return opened

    def alive(self) -> bool:
        deadline = time.monotonic() + _BACK_LIMIT_S
        while True:
            try:
                with self._administration() as session:
                    if session.execute("SELECT 1").ok:
                        return True
            except TargetError:
                pass  # the server may be restarting
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_S)

    def started(self) -> ServerStart | None:
        """Servers that are built on PostgreSQL tell it, and few others do."""
        with self._administration() as session:
            outcome = session.ask_within(_STARTED, _ANSWER_LIMIT_S)
        if outcome.status == "lost":
            raise UnreachableError(f"the connection was lost: {outcome.error.message if outcome.error else ''}")
        cell = outcome.rows.cells[0][0] if outcome.rows and outcome.rows.cells else None
        return ServerStart(cell) if cell else None

    def farewells(self) -> list[ServerError]:
        if self._observer is None:
            return []
        told = self._observer.farewell()
        return [told or ServerError("08006", "")] if told or self._observer.fileno < 0 else []

    def abandon(self) -> None:
        for session in [*self._open.values(), *([self._observer] if self._observer else [])]:
            session.sever()

    def left_behind(self) -> tuple[str, ...]:
        working = (f"schema {self.schema}",) if self.schema else ()
        return (f"schema {owner_schema(self.run_id)}", *working) if self._had_schemas else ()

    def variables(self) -> Mapping[str, str]:
        return {"racehound.run": self.run_id, "racehound.schema": self.schema}

    def terminate(self, pid: int) -> None:
        """The protocol cannot end another session, so this side closes the connection."""
        if (session := self._open.get(pid)) is not None:
            session.sever()

    def stepping(self) -> Stepping:
        from racehound.databases.pgwire.stepping import PgwireStepping

        return PgwireStepping(self)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _working_schemas(self) -> list[str]:
        return [f"{self.run_id}_{number}" for number in range(1, self._number + 1)]

    def _administration(self) -> contextlib.closing[PgwireSession]:
        return contextlib.closing(self._connect("administration", self._url))

    def _connect(self, name: str, url: str) -> PgwireSession:
        session = PgwireSession.connect(url, f"racehound {self.run_id} {name}")
        session.can_discard = self._can_discard
        return session

    def _close_observer(self) -> None:
        if self._observer is not None:
            self._observer.close()
        self._observer = None


def _path(schema: str, session: PgwireSession) -> str:
    """The user's search path, with the schema put first."""
    outcome = session.execute("SHOW search_path")
    known = (outcome.rows.cells[0][0] or "").strip() if outcome.rows and outcome.rows.cells else ""
    return f"{quoted(schema)}, {known}" if known and known != '""' else quoted(schema)
