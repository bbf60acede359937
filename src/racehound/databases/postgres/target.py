"""The PostgreSQL target.

A run has a template database, made once, and a working database cloned from it. A program creates objects only in the working
database, or in the cluster under names that begin with the run's id. Dropping these removes exactly what the run created.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
import time
import weakref
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from racehound.databases.postgres.cleanup import DatabaseCleaner
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.inventory import inventory
from racehound.databases.postgres.kinds import OTHER_SCHEMA, PostgresKind
from racehound.databases.postgres.server_location import ServerLocation
from racehound.databases.postgres.shared_catalogs import BrokenRow, broken_rows, note, remove_rows
from racehound.databases.stepping import Stepping
from racehound.databases.target import Clone, Condition, ServerStart, Target, Traces, Wait
from racehound.errors import LeftBehindError, TargetError, UnreachableError, UserError
from racehound.kinds.kind import Kind
from racehound.services.embedded import installation
from racehound.services.service import Endpoint
from racehound.session import Outcome, ServerError, Session
from racehound.wire.session import LibpqSession

OLDEST = 14
_NOTICE_LIMIT_S = 10.0
"""The server must notice the death of one of its processes within this time."""
_LOOK_S = 0.005
_ANSWER_LIMIT_S = 5.0
"""A server that answers at all answers a trivial query within this time."""
_NO_WORD = ServerError("08006", "")
"""The last message of a connection that ended without any."""
_STARTED = """
SELECT to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
  coalesce((SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
            FROM pg_stat_activity WHERE backend_type = 'checkpointer'), '')
"""
_LEAVE_LIMIT_S = 1.0
"""Server processes of sessions that were closed have ended within this time."""
OBSERVERS = 3
"""Number of observers: two for the two halves of the catalog check, one for the search for leaks."""

_OID_OF_ROLE = "SELECT oid FROM pg_roles WHERE rolname = '{role}'"
_WITH_OIDS = (
    "pg_class", "pg_type", "pg_proc", "pg_constraint", "pg_attrdef", "pg_trigger", "pg_rewrite", "pg_policy", "pg_namespace",
    "pg_database", "pg_tablespace", "pg_operator", "pg_opclass", "pg_opfamily", "pg_statistic_ext", "pg_collation",
    "pg_conversion", "pg_extension", "pg_event_trigger", "pg_publication", "pg_subscription", "pg_foreign_server",
    "pg_foreign_data_wrapper", "pg_language", "pg_default_acl", "pg_ts_config", "pg_ts_dict", "pg_cast",
)  # fmt: skip
"""Catalogs of the objects that an error may name by their OIDs, as far as everybody may read them."""
_EXTENSIONS = ("amcheck", "postgres_fdw", "dblink")
"""They are created in the template where the server has them, so that they need not be created in every repetition."""

_WAITS = """
SELECT a.pid,
  CASE WHEN a.application_name LIKE 'racehound %' THEN split_part(a.application_name, ' ', 3)
    ELSE coalesce(nullif(a.application_name, ''), a.backend_type) END,
  coalesce(a.state, ''), coalesce(a.query, ''), array_to_string(pg_blocking_pids(a.pid), ' '),
  concat_ws(':', a.wait_event_type, a.wait_event)
FROM pg_stat_activity AS a
WHERE a.datname = '{database}' AND a.pid <> pg_backend_pid()
ORDER BY a.pid
"""


_CONNECTED = """
SELECT coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity
WHERE datname = '{database}' AND backend_type <> 'autovacuum worker'
UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = '{database}'
"""
"""Who prevents a database from being copied. Autovacuum workers do not: CREATE DATABASE ends them."""


@dataclasses.dataclass(frozen=True)
class ServerFacts:
    """Facts that were read from the server when the run began."""

    release: str
    superuser: bool
    capabilities: frozenset[str]

    @property
    def major(self) -> int:
        return int(self.release.partition(".")[0])


class PostgresTarget(Target):
    """See `databases.target.Target`. One thread uses it, except that any thread may call `waits`, `terminate` and `open`."""

    dialect = POSTGRES
    answers_beside = True

    def __init__(self, location: ServerLocation, run_id: str) -> None:
        self.location = location
        self.run_id = run_id
        self.owned = location.owned
        self._template = f"{run_id}_template"
        self._owner = f"{run_id}_owner"
        self._number = 0
        self._broken_before: frozenset[BrokenRow] = frozenset()
        self._first_oid = 0
        """All objects of the run have a higher OID."""
        self._broken_here: set[BrokenRow] = set()
        """Rows of shared catalogs that name missing objects: those from before the run, and those that the run has left."""
        self._server_facts: ServerFacts | None = None
        self._observers: tuple[LibpqSession, ...] = ()
        self._cleaner: DatabaseCleaner | None = None
        self._listener: LibpqSession | None = None
        """A session that is always idle. When the server ends, it is told so at any moment of a run."""
        self._sessions: weakref.WeakSet[LibpqSession] = weakref.WeakSet()
        """All that it has opened, as long as somebody uses them."""
        self._sessions_lock = threading.Lock()
        self._end_is_known = False
        """Whether the core has asked what the end of a server of racehound's own has left, so that it can be renewed."""

    @property
    def release(self) -> str:
        return self._facts.release

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.location.secrets

    @property
    def database(self) -> str:
        """Name of the working database."""
        return f"{self.run_id}_db{self._number}"

    @property
    def observer(self) -> LibpqSession:
        return self.observers[0]

    @property
    def observers(self) -> tuple[LibpqSession, ...]:
        """`observer` and further sessions for queries at the same time: OBSERVERS in all."""
        if not self._observers:
            raise TargetError("there is no working database yet")
        return self._observers

    def start(self) -> None:
        self.location.start()
        with self._administration() as administration:
            self._server_facts = _read_facts(administration)
            self.location.mark_log(administration)
        self._listen()
        if self._server_facts.major < OLDEST:
            raise UserError(f"PostgreSQL {self._server_facts.release} is too old: racehound needs {OLDEST} or newer")
        self._make_template()
        if self.location.secrets and not self._reaches_itself():
            without = self._server_facts.capabilities - {"postgres_fdw"}
            self._server_facts = dataclasses.replace(self._server_facts, capabilities=without)
        if not self.owned:
            with self._administration() as administration:
                self._broken_before = frozenset(broken_rows(administration))
                self._first_oid = int(_value(administration.execute(_OID_OF_ROLE.format(role=self._owner))))

    def note_broken_rows(self) -> None:
        """On a server of the user's: note the rows of shared catalogs that a repetition of this run has just broken."""
        if self.owned:
            return
        with self._administration() as administration:
            new = {row for row in broken_rows(administration) if row.oldest > self._first_oid} - self._broken_before
            if new - self._broken_here:
                self._broken_here |= new
                note(administration, self._owner, self._broken_here)

    def stop(self) -> None:
        self._close_observers()
        if self._listener is not None:
            self._listener.close()
        failures: list[str] = []
        left = self.left_behind()
        if self._server_facts is not None and not self.owned:
            try:
                failures = self._remove() + self._broken_rows_left()
                left = self._named() if failures else ()
            except TargetError as error:
                failures = failures or [str(error)]
        self.location.stop()
        if failures:
            raise LeftBehindError(failures[0], left)

    def _broken_rows_left(self) -> list[str]:
        """Remove the rows that the run has broken. Returns a line that names those of which it is not certain."""
        if not self._first_oid:
            return []
        with self._administration() as administration:
            remove_rows(administration, {row.statement for row in self._broken_here})
            left = [row for row in broken_rows(administration) if row.oldest > self._first_oid and row not in self._broken_before]
        if not left:
            return []
        statements = "; ".join(row.statement for row in left)
        return [
            f"rows of shared catalogs name objects that are gone; where nobody else made them, this removes them: {statements}"
        ]

    def can_have(self, kind: type[Kind]) -> bool:
        return is_available(kind, self._facts.major, self._facts.capabilities)

    def variables(self) -> Mapping[str, str]:
        return {**self._constants(), "racehound.user": _value(self.observer.execute("SELECT current_user"))}

    def _constants(self) -> dict[str, str]:
        """The variables for which nobody has to be asked."""
        return {
            "racehound.run": self.run_id,
            "racehound.database": self.database,
            "racehound.conninfo": self.location.own_conninfo(),
        }

    @property
    def endpoint(self) -> Endpoint | None:
        return self.location.endpoint()

    def open(self, session: str, via: Endpoint | None = None) -> LibpqSession:
        return self._connect(self.database, session, via)

    def rebuild(self) -> None:
        self._close_observers()
        if not self.location.alive():
            if not (self.owned and self._end_is_known):
                raise UnreachableError("the server does not answer any more")
            self._renew()
        self._listen()
        self._clear()
        with self._administration() as administration:
            self._number += 1
            _must_run(administration, f"CREATE DATABASE {self.database} TEMPLATE {self._template}{self._strategy}")
        self.reconnect()

    @property
    def no_clone(self) -> str:
        return ""

    @contextlib.contextmanager
    def clone(self) -> Iterator[Clone]:
        self._close_observers()
        name = f"{self.database}_clone"
        try:
            with self._administration() as administration:
                self._await_nobody(administration)
                _must_run(administration, f"CREATE DATABASE {name} TEMPLATE {self.database}{self._strategy}")
            yield Clone(lambda session: self._connect(name, session), {**self._constants(), "racehound.database": name}, name)
        finally:
            from racehound.databases.postgres.leftovers import remove_database

            with self._administration() as administration:
                left = remove_database(administration, name, lambda database: self._connect(database, "administration"))
            self.reconnect()
        if left:
            raise TargetError(f"a clone of the working database cannot be dropped: {left[0]}")

    def _await_nobody(self, administration: Session) -> None:
        """Wait until nobody is connected to the working database. TargetError, with who it is, where somebody stays.

        CREATE DATABASE would wait five seconds (PostgreSQL, `CountOtherDBBackends`).
        """
        deadline = time.monotonic() + _LEAVE_LIMIT_S
        while others := _cells(administration.execute(_CONNECTED.format(database=self.database))):
            if time.monotonic() > deadline:
                raise TargetError(f"the working database cannot be cloned: {others[0]} is in it")
            time.sleep(_LOOK_S)

    def reconnect(self) -> None:
        """Open new observers in the same working database, after a crash or restart of the server."""
        self._close_observers()
        self._listen()
        self._observers = tuple(self._connect(self.database, "observer") for _ in range(OBSERVERS))
        self._cleaner = DatabaseCleaner(self.observer, self.run_id)

    def recover(self) -> None:
        """Wait until the server answers again after all its sessions were ended, and reconnect to the same database.

        TargetError when it does not come back, or does not notice the death of its process.
        """
        # A postmaster accepts new sessions until it learns of a child's death. Only the end of old sessions shows that it has.
        deadline = time.monotonic() + _NOTICE_LIMIT_S
        while self.observer.execute("SELECT 1").status != "lost":
            if time.monotonic() > deadline:
                raise TargetError("the server did not notice that one of its processes was killed")
            time.sleep(_LOOK_S)
        if not self.alive():
            self._end_is_known = True
            raise TargetError("the server did not come back after a perturbation had ended it")
        self.reconnect()

    def keep_commits(self) -> None:
        """From now on commits survive the death of the server's processes, but not a crash of the machine. Only if `owned`."""
        with self._administration() as administration:
            _must_run(administration, "ALTER SYSTEM SET synchronous_commit = on")
            _must_run(administration, "SELECT pg_reload_conf()")

    def reset(self) -> bool:
        return self._cleaner is not None and self._cleaner.drop_leftovers()

    def restart(self) -> None:
        self._close_observers()
        self._renew()

    def _renew(self) -> None:
        self.location.renew()
        self._end_is_known = False
        self._make_template()

    def alive(self) -> bool:
        return self.location.alive()

    def waits(self) -> list[Wait]:
        with self._administration() as administration:
            outcome = administration.execute(_WAITS.format(database=self.database))
        if outcome.rows is None:
            raise TargetError(f"pg_stat_activity cannot be read: {_message(outcome)}")
        cells = [[cell or "" for cell in row] for row in outcome.rows.cells]
        return [
            Wait(int(pid), session, state, " ".join(query.split()), tuple(map(int, blockers.split())), event)
            for pid, session, state, query, blockers, event in cells
        ]

    def names(self) -> Mapping[str, frozenset[str]]:
        return inventory(self.observer, self.run_id)

    def objects(self, numbers: Collection[int]) -> Mapping[int, str]:
        listed = ", ".join(map(str, sorted(numbers)))
        known = [f"SELECT '{name}'::regclass AS class, oid FROM {name} WHERE oid IN ({listed})" for name in _WITH_OIDS]
        known.append(f"SELECT 'pg_authid'::regclass, oid FROM pg_roles WHERE oid IN ({listed})")
        described = "i.type || ' ' || i.identity FROM (" + " UNION ALL ".join(known) + ") AS o"
        outcome = self.observer.execute(f"SELECT o.oid, {described}, pg_identify_object(o.class, o.oid, 0) AS i")
        return {int(oid or 0): name for oid, name in outcome.rows.cells if name} if outcome.rows is not None else {}

    def terminate(self, pid: int) -> None:
        with self._administration() as administration:
            administration.execute(f"SELECT pg_terminate_backend({pid})")

    def started(self) -> ServerStart:
        with contextlib.closing(self._connect(None, "administration")) as session:
            outcome = session.ask_within(_STARTED, _ANSWER_LIMIT_S)
        if outcome.rows is None:
            raise UnreachableError(f"the server does not tell since when it runs: {_message(outcome)}")
        server, processes = outcome.rows.cells[0]
        return ServerStart(f"{server} UTC", f"{processes} UTC")

    def farewells(self) -> list[ServerError]:
        listening = [*self._observers, *([self._listener] if self._listener else [])]
        told = [(session.farewell(), session.fileno) for session in listening]
        return [error or _NO_WORD for error, fileno in told if error or fileno < 0]

    def traces(self) -> Traces:
        self._end_is_known = True
        try:
            return self.location.traces(lambda: self._connect(None, "administration"))
        except TargetError:
            return Traces()  # it does not answer now

    def condition(self) -> Condition:
        return self.location.condition()

    def abandon(self) -> None:
        with self._sessions_lock:
            opened = list(self._sessions)
        for session in opened:
            session.sever()

    def left_behind(self) -> tuple[str, ...]:
        if self.owned or self._server_facts is None:
            return ()
        databases = (self._template, *((self.database,) if self._number else ()))
        return (f"role {self._owner}", *(f"database {name}" for name in databases))

    def stepping(self) -> Stepping:
        from racehound.databases.postgres.stepping import PostgresStepping

        return PostgresStepping(self)

    def new_log_lines(self) -> list[str]:
        return self.location.new_log_lines()

    def log_around(self, pids: Collection[int]) -> list[str]:
        return self.location.log_around(pids)

    def data_dir(self) -> Path | None:
        """The server's data directory; None when racehound may not read it."""
        return self.location.data_dir()

    @property
    def _facts(self) -> ServerFacts:
        if self._server_facts is None:
            raise TargetError("the target is not started")
        return self._server_facts

    @property
    def _strategy(self) -> str:
        """The clause of CREATE DATABASE that makes the copy of a small database fast."""
        return " STRATEGY file_copy" if self._facts.major >= 15 else ""

    def _administration(self) -> _Administration:
        return _Administration(self._connect(None, "administration"))

    def _connect(self, database: str | None, session: str, via: Endpoint | None = None) -> LibpqSession:
        conninfo = self.location.conninfo(database)
        if via is not None:
            # The host is kept, since certificates are checked against it.
            conninfo = make_conninfo(conninfo, hostaddr=via.host, port=via.port)
        return self._kept(LibpqSession.connect(conninfo, f"racehound {self.run_id} {session}"))

    def open_with(self, session: str, options: str) -> LibpqSession:
        """Open a session in the working database, with these command-line options of a server process."""
        conninfo = self.location.conninfo(self.database)
        known = conninfo_to_dict(conninfo).get("options") or ""
        conninfo = make_conninfo(conninfo, options=f"{known} {options}".strip())
        return self._kept(LibpqSession.connect(conninfo, f"racehound {self.run_id} {session}"))

    def _kept(self, session: LibpqSession) -> LibpqSession:
        with self._sessions_lock:
            self._sessions.add(session)
        return session

    def _listen(self) -> None:
        """Open the idle session, unless there is one."""
        if self._listener is not None:
            if self._listener.farewell() is None and self._listener.fileno >= 0:
                return
            self._listener.close()
        self._listener = self._connect(None, "observer")

    def _close_observers(self) -> None:
        for observer in self._observers:
            observer.close()
        self._observers, self._cleaner = (), None

    def _make_template(self) -> None:
        with self._administration() as administration:
            _must_run(administration, f"CREATE DATABASE {self._template} TEMPLATE template0")
            _must_run(administration, f"CREATE ROLE {self._owner} SUPERUSER")
        session = self._connect(self._template, "administration")
        _must_run(session, "CREATE SCHEMA racehound")
        _must_run(session, f"CREATE SCHEMA {OTHER_SCHEMA}")
        for extension in _EXTENSIONS:
            if extension in self._facts.capabilities:
                _must_run(session, f"CREATE EXTENSION {extension} SCHEMA racehound")
        session.close()

    def _reaches_itself(self) -> bool:
        """Whether the server lets itself in without a password, which the user mappings of programs do not have."""
        conninfo = f"{self.location.own_conninfo()} dbname={self._template}"
        kept = " ".join(part for part in conninfo.split() if not part.startswith("password="))
        session = self._connect(self._template, "administration")
        outcome = session.execute(f"SELECT * FROM racehound.dblink('{kept}', 'SELECT 1') AS t (a int)")
        session.close()
        return outcome.ok

    def _clear(self) -> None:
        """Drop the working database and all other databases and cluster-wide objects of the run, except the template."""
        left = self._remove(keep=(self._template, self._owner))
        if not left:
            return
        # Leftovers would disturb later repetitions by their names or their activity: a subscription never stops connecting.
        if not self.owned:
            raise TargetError(f"an object of the run cannot be dropped: {left[0]}")
        self.restart()

    def _named(self) -> tuple[str, ...]:
        """The sort and name of everything outside the run's databases that bears its id."""
        from racehound.databases.postgres.leftovers import dead_runs

        with self._administration() as administration:
            return tuple(dead_runs(administration, self.run_id).get(self.run_id, ()))

    def _remove(self, keep: Collection[str] = ()) -> list[str]:
        """Drop the run's objects, except those in `keep`. Returns a line with the server's reason for each failed drop."""
        from racehound.databases.postgres.leftovers import remove_run

        with self._administration() as administration:
            return remove_run(administration, self.run_id, lambda database: self._connect(database, "administration"), keep)


class _Administration:
    """A session outside the working database, closed on exit."""

    def __init__(self, session: LibpqSession) -> None:
        self._session = session

    def __enter__(self) -> LibpqSession:
        return self._session

    def __exit__(self, *_: object) -> None:
        self._session.close()


@functools.cache
def embedded_capabilities() -> frozenset[str]:
    """The capabilities of a server that racehound starts itself, including the extensions in the wheel."""
    controls = (installation.wheel().bin.parent / "share").rglob("*.control")
    return frozenset({"superuser", "loopback", "wal_level=logical", *(path.stem for path in controls)})


def is_available(kind: type[Kind], major: int, capabilities: frozenset[str]) -> bool:
    """Whether a server of this major release with these capabilities can have objects of a kind."""
    return not issubclass(kind, PostgresKind) or (kind.since <= major and kind.requires <= capabilities)


def _read_facts(session: Session) -> ServerFacts:
    release = _value(session.execute("SHOW server_version")).split()[0]
    superuser = _value(session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")) == "t"
    capabilities = {"superuser", "loopback"} if superuser else set()
    if _value(session.execute("SHOW wal_level")) == "logical":
        capabilities.add("wal_level=logical")
    if superuser:
        extensions = session.execute("SELECT string_agg(name, ' ') FROM pg_available_extensions")
        capabilities |= set(_value(extensions).split())
    return ServerFacts(release, superuser, frozenset(capabilities))


def _value(outcome: Outcome) -> str:
    if outcome.status == "lost":
        raise UnreachableError(f"the connection was lost: {_message(outcome)}")
    if outcome.rows is None or not outcome.rows.cells:
        raise TargetError(f"a query for the server's version and capabilities failed: {_message(outcome)}")
    return outcome.rows.cells[0][0] or ""


def _must_run(session: Session, sql: str) -> None:
    outcome = session.execute(sql)
    if outcome.status == "lost":
        raise UnreachableError(f"{sql}: {_message(outcome)}")
    if not outcome.ok:
        raise TargetError(f"{sql}: {_message(outcome)}")


def _cells(outcome: Outcome) -> list[str]:
    """The first column of a result; empty where the query failed."""
    return [row[0] or "" for row in outcome.rows.cells] if outcome.rows else []


def _message(outcome: Outcome) -> str:
    return outcome.error.message if outcome.error else "no answer"
