"""Perturbations of a PostgreSQL server that racehound has started itself: frozen and killed processes, restarts."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import ClassVar

from racehound.data.program import Disturbance, Program
from racehound.databases.postgres.server_location import EmbeddedServerLocation
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.run.perturbations.perturbation import Perturbation, draw_disturbances
from racehound.run.recorded_session import RecordedSession
from racehound.services.embedded.server import EmbeddedServer

_KILLED_SHARE = 0.2
_RESTARTED_SHARE = 0.1
"""The share of repetitions with a kill or a restart: the recovery takes longer than a repetition."""


class _OfOwnServer(Perturbation):
    @classmethod
    def obstacle(cls, target: Target) -> str:
        return "" if _server(target) else "only for a PostgreSQL that racehound has started itself"

    @property
    def server(self) -> EmbeddedServer:
        server = _server(self.target)
        assert server is not None, "the registry asks for obstacles first"
        return server


class Freeze(_OfOwnServer):
    """Stops a server process in the middle of a statement (SIGSTOP), with its locks, and continues it soon after (SIGCONT)."""

    name: ClassVar = "freeze"
    order: ClassVar = 30
    summary: ClassVar = "a session's server process is stopped in the middle of a statement for 1 to 5 ms"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, rng.randint(1, max(1, len(program.sessions))), (1_000, 5_000))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:
        if session.running is None or not signalled(self.server, session.pid, signal.SIGSTOP):
            return ""
        try:
            time.sleep(drawn.lasts_us / 1e6)
        finally:
            signalled(self.server, session.pid, signal.SIGCONT)
        return f"froze process {session.pid} for {drawn.lasts_us} µs"


class _Deadly(_OfOwnServer):
    """A perturbation that ends all sessions. Afterwards the server comes back with all that was committed."""

    ends: ClassVar = "server"

    def prepare(self) -> None:
        assert isinstance(self.target, PostgresTarget)
        self.target.keep_commits()


class Kill(_Deadly):
    """Kills a server process in the middle of a statement. The postmaster then ends all other sessions and replays the WAL."""

    name: ClassVar = "kill"
    order: ClassVar = 80
    summary: ClassVar = "a session's server process is killed (SIGKILL), which makes the server recover as from a crash"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, int(rng.random() < _KILLED_SHARE), (0, 0))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        killed = session.running is not None and signalled(self.server, session.pid, signal.SIGKILL)
        return f"killed process {session.pid}" if killed else ""


class Restart(_Deadly):
    """Restarts the server in order (`fast`: it ends sessions, rolls back transactions and makes a checkpoint)."""

    name: ClassVar = "restart"
    order: ClassVar = 90
    summary: ClassVar = "the server is restarted (fast shutdown) in the middle of a statement"

    @classmethod
    def draw(cls, rng: random.Random, program: Program) -> list[Disturbance]:
        return draw_disturbances(cls.name, rng, program, int(rng.random() < _RESTARTED_SHARE), (0, 0))

    def apply(self, drawn: Disturbance, session: RecordedSession) -> str:  # noqa: ARG002 the moment is all that was drawn
        if session.running is None or not self.server.alive():
            return ""
        with contextlib.suppress(TargetError):
            # When the sessions are at rest, `recover` checks whether the server has come back.
            self.server.restart("fast")
        return "restarted the server"


def _server(target: Target) -> EmbeddedServer | None:
    location = target.location if isinstance(target, PostgresTarget) else None
    return location.server if isinstance(location, EmbeddedServerLocation) else None


def signalled(server: EmbeddedServer, pid: int, number: int) -> bool:
    """Signal a process if it is a child of the server's postmaster. False when it is not, or has ended."""
    if pid <= 0 or server.pid <= 0 or _parent(pid) != server.pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _parent(pid: int) -> int:
    """Field 4 of proc_pid_stat(5); 0 when there is no such process. Field 2 is in parentheses and may contain any text."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])
