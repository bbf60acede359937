"""Listens on a loopback port and serves each connection in a thread."""

from __future__ import annotations

import contextlib
import socket
import threading

from racehound.errors import UserError
from racehound_zoo.connection import Connection
from racehound_zoo.execution.engine import Engine

HOST = "127.0.0.1"
_BACKLOG = 128
_JOIN_S = 10.0


class SqlListener:
    """A port for SQL. UserError when the port is in use."""

    def __init__(self, engine: Engine, port: int, *, internal: bool) -> None:
        self._engine = engine
        self._internal = internal
        self._socket = bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._accept, name=f"zoo-sql-{self.port}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Disconnect all clients and wait until their threads have ended."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for thread in self.disconnect_all():
            thread.join(_JOIN_S)

    def disconnect_all(self) -> list[threading.Thread]:
        """Disconnect all clients. Returns the threads, which may still be ending."""
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            connection.close()
        return [thread for thread in connections.values() if thread is not threading.current_thread()]

    def _accept(self) -> None:
        while not self._stopped:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self._engine, client, internal=self._internal)
            thread = threading.Thread(target=self._serve, args=(connection,), name="zoo-session", daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.pop(connection, None)


def bound(port: int) -> socket.socket:
    """A listening socket on the loopback interface; port 0 chooses a free port. UserError when the port is in use."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise UserError(f"the zoo cannot listen on port {port}: {error.strerror}") from error
    listening.listen(_BACKLOG)
    return listening
