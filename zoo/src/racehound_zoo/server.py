"""The zoo as a whole: four loopback ports, and everything behind them."""

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

    `with Zoo() as zoo:` has it up, on free ports or, with `port`, on that (SQL) and the three above it (HTTP, internal SQL,
    internal HTTP), as Materialize has them; `release`: a short name of `release.RELEASES`, which one it is like. UserError for a
    port that is taken, a defect or release that there is not, TargetError when the storage does not start. All that it writes is
    below `directory`, which the storage's own user must be able to reach (as that of `scratch.create` is); without one it makes
    such a directory, and removes it. A client in the same process must not wait for answers in a way that keeps other threads
    from running, as some calls of libpq's wrappers do.
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
        """Up, when this returns. What fails leaves nothing behind."""
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
        """As when the process dies and is started again: every connection is lost."""
        self._sql.hang_up()
        self._internal_sql.hang_up()

    def stop(self) -> None:
        """Gone, with all that it wrote outside of a directory that it was given."""
        self._ending.close()

    # Where it is

    @property
    def log_path(self) -> Path:
        return self.directory / _LOG

    @property
    def sql_address(self) -> str:
        """`host:port`, for users."""
        return f"{HOST}:{self._sql.port}"

    @property
    def internal_sql_address(self) -> str:
        """`host:port`, for mz_system."""
        return f"{HOST}:{self._internal_sql.port}"

    @property
    def http_url(self) -> str:
        return f"http://{HOST}:{self._http.port}"

    @property
    def internal_http_url(self) -> str:
        return f"http://{HOST}:{self._internal_http.port}"

    @property
    def url(self) -> str:
        """For drivers, as materialize."""
        return f"postgres://materialize@{self.sql_address}/materialize?sslmode=disable"

    @property
    def internal_url(self) -> str:
        """For drivers, as mz_system."""
        return f"postgres://mz_system@{self.internal_sql_address}/materialize?sslmode=disable"
