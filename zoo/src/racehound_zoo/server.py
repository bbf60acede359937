"""The emulator as a whole: four loopback ports and the server behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from racehound.services import scratch
from racehound_zoo.defects import EnabledDefects
from racehound_zoo.execution.engine import Engine
from racehound_zoo.http import HttpListener
from racehound_zoo.listener import HOST, SqlListener
from racehound_zoo.log import Log
from racehound_zoo.release import release_named
from racehound_zoo.storage import Storage

_LOG = "environmentd.log"


class Zoo:
    """A server in this process.

    `with Zoo() as zoo:` starts and stops it. It listens on free ports or, with `port`, on that one for SQL and the next three for
    HTTP, internal SQL and internal HTTP, as Materialize does. `release` is a short name of `release.RELEASES`, and `defects` has
    names of `defects.DEFECTS`.

    UserError if a port is in use, or a defect or release does not exist; TargetError if the embedded PostgreSQL does not start.
    All files are written below `directory`, which the system user that runs the embedded PostgreSQL must be able to reach, like
    those of `scratch.create`. Without it, a temporary directory is created and removed.

    A client in the same process must not block all threads while it waits for an answer, as some functions of libpq's wrappers
    do.
    """

    def __init__(
        self, directory: Path | None = None, *, port: int = 0, defects: Iterable[str] = (), release: str = "v26.16"
    ) -> None:
        self._defects = EnabledDefects(defects)
        self._release = release_named(release)
        self._made = scratch.create("zoo", executable=True) if directory is None else None
        self.directory = directory if directory is not None else self._scratch
        self._port = port
        self._ending = contextlib.ExitStack()

    @property
    def _scratch(self) -> Path:
        assert self._made is not None
        return self._made

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server. It accepts connections when this returns. If it fails, nothing is left behind."""
        with contextlib.ExitStack() as ending:
            if self._made is not None:
                ending.callback(scratch.remove, self._made)
            self.directory.mkdir(parents=True, exist_ok=True)
            log = Log(self.directory / _LOG)
            ending.callback(log.close)
            storage = Storage(self.directory, self._release)
            ending.callback(storage.stop)
            storage.start()
            self.engine = Engine(storage, log, self._release, self._defects)
            self.engine.start()
            ending.callback(self.engine.stop)
            self._listen(ending)
            log.write("INFO", f"listening on {self.sql_address}")
            self._ending = ending.pop_all()

    def _listen(self, ending: contextlib.ExitStack) -> None:
        ports = [self._port + offset if self._port else 0 for offset in range(4)]
        self._sql = SqlListener(self.engine, ports[0], internal=False)
        ending.callback(self._sql.stop)
        self._http = HttpListener(self.engine, ports[1], internal=False)
        ending.callback(self._http.stop)
        self._internal_sql = SqlListener(self.engine, ports[2], internal=True)
        ending.callback(self._internal_sql.stop)
        self._internal_http = HttpListener(self.engine, ports[3], internal=True)
        ending.callback(self._internal_http.stop)
        self.engine.webhook_address = f"{HOST}:{self._http.port}"
        self.engine.on_panic = self._panic
        for listener in (self._sql, self._http, self._internal_sql, self._internal_http):
            listener.start()

    def _panic(self, _: str) -> None:
        """Disconnect all clients, as if the process had died and been started again."""
        self._sql.disconnect_all()
        self._internal_sql.disconnect_all()

    def stop(self) -> None:
        """Stop the server. A directory that the caller has given stays."""
        self._ending.close()

    # Addresses

    @property
    def log_path(self) -> Path:
        return self.directory / _LOG

    @property
    def sql_address(self) -> str:
        """`host:port` of SQL for users."""
        return f"{HOST}:{self._sql.port}"

    @property
    def internal_sql_address(self) -> str:
        """`host:port` of SQL for mz_system."""
        return f"{HOST}:{self._internal_sql.port}"

    @property
    def http_url(self) -> str:
        return f"http://{HOST}:{self._http.port}"

    @property
    def internal_http_url(self) -> str:
        return f"http://{HOST}:{self._internal_http.port}"

    @property
    def url(self) -> str:
        """The URL for drivers, as the user materialize."""
        return f"postgres://materialize@{self.sql_address}/materialize?sslmode=disable"

    @property
    def internal_url(self) -> str:
        """The URL for drivers, as the user mz_system."""
        return f"postgres://mz_system@{self.internal_sql_address}/materialize?sslmode=disable"
