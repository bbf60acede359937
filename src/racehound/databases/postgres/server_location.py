"""The location of the PostgreSQL server: embedded, which racehound starts itself, or at an address that the user gave."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Protocol

from psycopg.conninfo import make_conninfo

from racehound.databases import addresses
from racehound.databases.postgres.remote_log import RemoteLog
from racehound.databases.target import Condition, Traces
from racehound.errors import TargetError
from racehound.services import proc
from racehound.services.embedded import releases
from racehound.services.embedded.server import LOG_LINE, EmbeddedServer
from racehound.services.memory_kills import MemoryKills
from racehound.services.service import Endpoint
from racehound.wire.session import LibpqSession

_RECOVERY_LIMIT_S = 30.0
_LOG_AROUND = 12
"""Number of log lines kept with a finding."""
_DEATH = re.compile(
    r"PANIC|TRAP: |was terminated by signal|exited with exit code|terminating any other active server processes"
    r"|received (?:fast|smart|immediate) shutdown request"
)
_RECOVERING = re.compile("starting up|recovery|shutting down")


class ServerLocation(Protocol):
    """What the target needs to know of its server, and can do with it."""

    owned: bool
    secrets: tuple[str, ...]
    """The passwords in its address."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def renew(self) -> None:
        """Replace the server by an empty one. TargetError when racehound did not start it."""

    def conninfo(self, dbname: str | None = None) -> str:
        """The connection string for a database; without a name, for the database that administration uses."""

    def own_conninfo(self) -> str:
        """The connection string by which the server connects to itself, without a database and without quotes."""

    def endpoint(self) -> Endpoint | None:
        """Its TCP address; None when it has only a UNIX socket."""

    def alive(self) -> bool:
        """Whether it accepts connections. Waits for the end of a crash recovery."""

    def data_dir(self) -> Path | None: ...

    def clients(self) -> Path | None:
        """The directory of the client programs."""

    def new_log_lines(self) -> list[str]: ...

    def log_around(self, pids: Collection[int]) -> list[str]: ...

    def traces(self, connect: Callable[[], LibpqSession]) -> Traces:
        """See `Target`. `connect` opens a session with the server. UnreachableError."""

    def condition(self) -> Condition:
        """See `Target`."""

    def mark_log(self, session: LibpqSession) -> None:
        """The lines that are in the log now are no traces of anything later."""


class EmbeddedServerLocation:
    """A server that racehound starts itself (`EmbeddedServer`). The caller removes the directory `scratch`."""

    owned = True
    secrets: tuple[str, ...] = ()

    def __init__(self, release: str | None, scratch: Path, log_path: Path, *, durable: bool = False) -> None:
        self._server = EmbeddedServer(releases.find(release), scratch, log_path, durable=durable)
        self._log = LogReader(log_path)
        self._memory = MemoryKills.now()

    @property
    def server(self) -> EmbeddedServer:
        return self._server

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self._server.data_dir, ignore_errors=True)

    def renew(self) -> None:
        self._server.recreate()

    def conninfo(self, dbname: str | None = None) -> str:
        return self._server.address.conninfo(dbname)

    def own_conninfo(self) -> str:
        address = self._server.address
        return f"host={address.socket_dir} port={address.port} user={address.user} passfile={address.passfile}"

    def endpoint(self) -> Endpoint | None:
        return Endpoint(self._server.address.host, self._server.address.port)

    def alive(self) -> bool:
        return _answers(self.conninfo(), self._server.alive)

    def data_dir(self) -> Path | None:
        return self._server.data_dir

    def clients(self) -> Path | None:
        return self._server.installation.clients

    def new_log_lines(self) -> list[str]:
        return self._log.new_lines()

    def log_around(self, pids: Collection[int]) -> list[str]:
        return self._log.around(pids)

    def traces(self, connect: Callable[[], LibpqSession]) -> Traces:  # noqa: ARG002 its log is a file
        before, self._memory = self._memory, MemoryKills.now()
        ran_out, memory = self._memory.since(before)
        code = self._server.exit_code
        return Traces(
            log=tuple(self._log.new_lines()),
            signal=-code if code is not None and code < 0 else 0,
            exit_code=code if code is not None and code >= 0 else None,
            memory=memory,
            memory_ran_out=ran_out,
        )

    def condition(self) -> Condition:
        if not self._server.alive():
            return "ended"
        return "stopped" if proc.is_stopped(self._server.pid) else "running"

    def mark_log(self, session: LibpqSession) -> None:
        """Nothing to do: every line of its log is returned once."""


class RemoteServerLocation:
    """A server at an address that the user gave. The run changes only what it has created there."""

    owned = False

    def __init__(self, url: str) -> None:
        self._url = url
        password = addresses.password(url)
        self.secrets: tuple[str, ...] = (password,) if password else ()
        self._log = RemoteLog()

    def start(self) -> None:
        LibpqSession.connect(self._url).close()

    def stop(self) -> None:
        """Do nothing: racehound did not start it."""

    def renew(self) -> None:
        raise TargetError("a server that racehound did not start is not restarted")

    def conninfo(self, dbname: str | None = None) -> str:
        return make_conninfo(self._url, dbname=dbname) if dbname else self._url

    def own_conninfo(self) -> str:
        parts = addresses.parts(self._url)
        return " ".join(f"{key}={value}" for key, value in parts.items() if key != "dbname" and value and " " not in value)

    def endpoint(self) -> Endpoint | None:
        return addresses.endpoint(self._url)

    def alive(self) -> bool:
        return _answers(self._url, lambda: False)

    def data_dir(self) -> Path | None:
        return None

    def clients(self) -> Path | None:
        return releases.find(None).clients

    def new_log_lines(self) -> list[str]:
        return []

    def log_around(self, pids: Collection[int]) -> list[str]:  # noqa: ARG002 it is read only when connections were lost
        return []

    def traces(self, connect: Callable[[], LibpqSession]) -> Traces:
        with contextlib.closing(connect()) as session:
            return Traces(log=self._log.new_lines(session))

    def condition(self) -> Condition:
        return "unknown"

    def mark_log(self, session: LibpqSession) -> None:
        self._log.mark(session)


class LogReader:
    """Reads new lines of a server's log, and keeps the last ones as evidence. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._recent: deque[str] = deque(maxlen=400)
        self._lock = threading.Lock()

    def new_lines(self) -> list[str]:
        """New lines that report the death of a process, or an internal error in a process other than a client backend."""
        return [line for line in self._read() if _DEATH.search(line) or _background_failure(line)]

    def around(self, pids: Collection[int]) -> list[str]:
        """The last messages of these processes and about deaths of processes."""
        self._read()
        with self._lock:
            recent = list(self._recent)
        wanted = [line for line in recent if _DEATH.search(line) or _pid(line) in pids]
        return wanted[-_LOG_AROUND:]

    def _read(self) -> Iterable[str]:
        if not self._path.exists():
            return []
        with self._lock, self._path.open("rb") as log:
            log.seek(self._offset)
            content = log.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._offset += len(whole)
            lines = [line for line in whole.decode("utf-8", "replace").splitlines() if not line.startswith("\t")]
            self._recent.extend(lines)
        return lines


def _pid(line: str) -> int:
    match = LOG_LINE.match(line)
    return int(match["pid"]) if match else 0


def _background_failure(line: str) -> bool:
    match = LOG_LINE.match(line)
    return bool(
        match
        and match["level"] in ("ERROR", "FATAL")
        and match["sqlstate"].startswith("XX")
        and match["backend"] != "client backend"
    )


def _answers(conninfo: str, runs: Callable[[], bool]) -> bool:
    """Whether a connection succeeds within the time that a crash recovery may take.

    `runs` says whether the server is known to run. While a server ends its processes after a crash, it closes new connections
    without a message.
    """
    deadline = time.monotonic() + _RECOVERY_LIMIT_S
    while time.monotonic() < deadline:
        try:
            LibpqSession.connect(conninfo, timeout=5.0).close()
        except TargetError as error:
            if not (_RECOVERING.search(str(error)) or runs()):
                return False
            time.sleep(0.02)
        else:
            return True
    return False
