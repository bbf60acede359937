"""Target: one running server under test, as the sessions, the oracles and the loops see it."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from racehound.data.addresses import ServiceAddresses
from racehound.databases.dialect import Dialect
from racehound.databases.stepping import Stepping
from racehound.errors import TargetError, UserError
from racehound.kinds.kind import Kind
from racehound.services.service import Endpoint
from racehound.session import ServerError, Session

Reset = Literal["objects", "database", "services"]
"""The reset before a repetition. objects: drop the leftovers of the repetition before. database: make a new working database.
services: start a new server."""


@dataclasses.dataclass(frozen=True)
class Wait:
    """One session on the server at the moment of a hang: its query, and the sessions that block it."""

    pid: int
    session: str
    state: str
    query: str
    blockers: tuple[int, ...]
    event: str

    def __str__(self) -> str:
        behind = f" waits for {', '.join(map(str, self.blockers))}" if self.blockers else ""
        return f"{self.session} (pid {self.pid}, {self.state}, {self.event or 'no wait event'}){behind}: {self.query}"


@dataclasses.dataclass(frozen=True)
class ServerStart:
    """Since when a server runs, in the server's own words. Two values are equal if nothing was started again in between."""

    server: str
    """The start of the server itself."""
    processes: str = ""
    """The last start of the processes that serve all sessions: after the crash of a process they are started again."""


@dataclasses.dataclass(frozen=True)
class Traces:
    """What the end of a server, or of a process of it, has left where racehound can read it."""

    log: tuple[str, ...] | None = None
    """New log lines about ends of processes, oldest first; None if the log cannot be read."""
    signal: int = 0
    """The signal that ended the server, as racehound knows where it is the parent; else 0."""
    exit_code: int | None = None
    """The exit code of the server, if it ended by itself and racehound is the parent."""
    memory: str = ""
    """Whether the kernel killed processes for lack of memory since the run began; "" if that is not known."""
    memory_ran_out: bool = False


Condition = Literal["unknown", "running", "stopped", "ended"]
"""What the server's processes do, as far as racehound can see from outside. stopped: a signal has stopped them (SIGSTOP)."""


@dataclasses.dataclass(frozen=True)
class Clone:
    """A copy of the working database."""

    open: Callable[[str], Session]
    """Opens a session of a name in it. TargetError."""
    variables: Mapping[str, str]
    """As `Target.variables`, for the copy."""
    database: str
    """Its name."""


class Target(abc.ABC):
    """A server and the working database in it that a run uses.

    A database's package subclasses it. Abstract methods must be implemented. The defaults of the others are for a database
    without the capability. All methods raise `TargetError` when racehound cannot continue with the server.
    """

    dialect: Dialect
    run_id: str
    """`rh` and eight hexadecimal digits. Names of all objects that the run creates outside the working database begin with it."""
    owned: bool
    """Whether racehound started the server. Then it may restart the server and read its files and log."""
    reconnect_s: float = 30.0
    """Seconds for which racehound tries to come back to a server that it has lost."""
    answers_beside: bool = False
    """Whether the server answers a new session (`started`) whatever the statements of others do: then one that answers nobody has
    not come to a stop because of a statement."""
    last_start: ServerStart | None = None
    """What `started` returned when racehound last had reason to ask; kept by the core."""

    @property
    @abc.abstractmethod
    def release(self) -> str:
        """The version of the server, e.g. `18.6`."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start the server, or connect to it, and read its version and capabilities."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Remove everything that the run created and, if racehound started the server, end it."""

    @abc.abstractmethod
    def rebuild(self) -> None:
        """Make a new working database. Sessions opened before cannot be used afterwards.

        If racehound started the server and it has ended, it is started again. UnreachableError where nobody has asked yet what it
        has left (`traces`), or where racehound did not start it.
        """

    @abc.abstractmethod
    def reset(self) -> bool:
        """Drop the leftovers of a repetition in the working database; False when a rebuild is needed."""

    @abc.abstractmethod
    def open(self, session: str, via: Endpoint | None = None) -> Session:
        """Open a session of that name in the working database. `via`: through a proxy that listens there."""

    @property
    @abc.abstractmethod
    def observer(self) -> Session:
        """A session in the working database through which oracles read. Programs do not use it. Each rebuild opens a new one."""

    @abc.abstractmethod
    def alive(self) -> bool:
        """Whether the server answers. Waits for the end of a crash recovery."""

    @abc.abstractmethod
    def variables(self) -> Mapping[str, str]:
        """Values of the variables that fragments use, e.g. `racehound.run`."""

    def can_have(self, kind: type[Kind]) -> bool:  # noqa: ARG002 nothing is missing
        """Whether this server can have objects of a kind of its database."""
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be in a history or a report: the passwords in addresses."""
        return ()

    @property
    def services(self) -> ServiceAddresses:
        """The addresses of services for testdrive actions."""
        return ServiceAddresses()

    @property
    def endpoint(self) -> Endpoint | None:
        """The TCP address of the server; None if it has only a UNIX socket, or several addresses."""
        return None

    def restart(self) -> None:
        """Start a new, empty server."""
        raise TargetError("a server that racehound did not start is not restarted")

    def waits(self) -> list[Wait] | None:
        """What every session of the working database does and waits for now; None if the server does not show it."""
        return None

    def terminate(self, pid: int) -> None:
        """End a server session by force."""
        raise TargetError(f"{self.dialect.title} has no way to end session {pid}")

    def new_log_lines(self) -> list[str]:
        """New log lines that report a crash, or an internal error in a process that serves no session of racehound.

        Empty if the log cannot be read.
        """
        return []

    def log_around(self, pids: Collection[int]) -> list[str]:  # noqa: ARG002 no log, no lines
        """The last lines of the server's log about these processes or about the whole server."""
        return []

    def started(self) -> ServerStart | None:
        """Since when the server runs, asked through a new session; None if the server does not tell. Any thread may call it.

        UnreachableError, within 15 seconds, when it does not answer.
        """
        return None

    def farewells(self) -> list[ServerError]:
        """The last words of the server to each of racehound's own idle sessions that were lost."""
        return []

    def traces(self) -> Traces:
        """What can be read of the last end of the server or of a process of it. Log lines are returned once."""
        return Traces()

    def condition(self) -> Condition:
        """What the server's processes do now. Any thread may call it."""
        return "unknown"

    def abandon(self) -> None:  # noqa: B027 a target without it waits for the server's answer
        """Break all connections to a server that does not answer, so that nothing waits for it. Any thread may call it."""

    def left_behind(self) -> tuple[str, ...]:
        """What the run has left on a server that it could not clean up, as far as that is known without asking it."""
        return ()

    def stepping(self) -> Stepping:
        """The lock-step support of this target, for the present working database."""
        raise UserError(f"{self.dialect.title} cannot be run in lock-step")

    def recover(self) -> None:
        """Wait until the server answers again after a perturbation has ended all its sessions. The working database is kept.

        TargetError when it does not come back.
        """
        raise TargetError(f"the sessions of {self.dialect.title} were ended, and racehound cannot wait for its recovery")

    @property
    def no_clone(self) -> str:
        """Why `clone` is of no use, in a few words; "" if the working database can be cloned."""
        return f"a database of {self.dialect.title} cannot be cloned"

    def clone(self) -> contextlib.AbstractContextManager[Clone]:
        """A copy of the working database, which is dropped on exit. Nobody but racehound's observers may be connected.

        The observers are new ones afterwards. TargetError, with the reason, where it cannot be copied just now.
        """
        raise TargetError(self.no_clone)

    def names(self) -> Mapping[str, frozenset[str]] | None:
        """The names of the objects in the working database, by name space (`judge.claims`); None if the target cannot tell."""
        return None

    def objects(self, numbers: Collection[int]) -> Mapping[int, str]:  # noqa: ARG002 no objects have numbers
        """What the objects with these numbers are (`Dialect.numbers_in`): sort and name of each that exists."""
        return {}

    @property
    def database(self) -> str:
        """Name of the working database."""
        return ""
