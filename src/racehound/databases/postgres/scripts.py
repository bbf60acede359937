"""An embedded server with an empty database for testdrive scripts."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from racehound.errors import TargetError
from racehound.services import scratch
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession


@contextlib.contextmanager
def started(release: str | None, database: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Start a server. Yields the database's URL, and a function that recreates the database. The server is stopped on exit."""
    directory = scratch.create(f"rh{secrets.token_hex(4)}")
    try:
        with tempfile.TemporaryDirectory() as logs:
            server = EmbeddedServer(releases.find(release), directory, Path(logs) / "server.log")
            server.start()
            try:
                _renew(server, database)
                yield server.address.url(database), lambda: _renew(server, database)
            finally:
                server.stop()
    finally:
        scratch.remove(directory)


def _renew(server: EmbeddedServer, database: str) -> None:
    """Drop and create the database. Its sessions are disconnected. TargetError when that fails."""
    with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
        for sql in (f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", f"CREATE DATABASE {database}"):
            outcome = session.execute(sql)
            if outcome.error:
                raise TargetError(f"{sql}: {outcome.error.message}")
