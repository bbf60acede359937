"""Target: one running server under test, as the sessions, the oracles and the loops see it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Collection, Mapping
from typing import Literal

from racehound.data.addresses import ServiceAddresses
from racehound.databases.dialect import Dialect
from racehound.databases.stepping import Stepping
from racehound.errors import TargetError, UserError
from racehound.kinds.kind import Kind
from racehound.services.service import Endpoint
from racehound.session import Session

Reset = Literal["objects", "database", "services"]
"""What is made new before a repetition. objects: what a repetition left is dropped. database: a new working database.
services: a new server."""


@dataclasses.dataclass(frozen=True)
class Wait:
    """One server session at the moment of a hang: what it does and whom it waits for."""

    pid: int
    session: str
    state: str
    query: str
    blockers: tuple[int, ...]
    event: str

    def __str__(self) -> str:
        behind = f" waits for {', '.join(map(str, self.blockers))}" if self.blockers else ""
        return f"{self.session} (pid {self.pid}, {self.state}, {self.event or 'no wait event'}){behind}: {self.query}"


class Target(abc.ABC):
    """A server and the working database in it that a run uses.

    A database's package subclasses it. The methods without a default must be written; each of the others has a default for a
    database that cannot do what it is for. All methods raise `TargetError` when racehound cannot go on with the server.
    """

    dialect: Dialect
    run_id: str
    """`rh` and eight hexadecimal digits; whatever the run creates outside the working database bears it."""
    owned: bool
    """Whether racehound started the server, and so may restart it and read its files and log."""

    @property
    @abc.abstractmethod
    def release(self) -> str:
        """Version of the server, e.g. `18.6`."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start the server, or connect to it, and learn what it is."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Remove everything that the run created and, if racehound started the server, end it."""

    @abc.abstractmethod
    def rebuild(self) -> None:
        """Make a new working database. Sessions opened before are of no use afterwards. A server of our own that is gone is
        started again."""

    @abc.abstractmethod
    def reset(self) -> bool:
        """Drop what a repetition left in the working database; False when a rebuild is needed."""

    @abc.abstractmethod
    def open(self, session: str, via: Endpoint | None = None) -> Session:
        """Open a session of that name in the working database. `via`: through a proxy that listens there."""

    @property
    @abc.abstractmethod
    def observer(self) -> Session:
        """A session in the working database that no program uses: oracles read through it. A new one after each rebuild."""

    @abc.abstractmethod
    def alive(self) -> bool:
        """Whether the server answers; waits for the end of a crash recovery."""

    @abc.abstractmethod
    def variables(self) -> Mapping[str, str]:
        """Values of the variables that fragments use, e.g. `racehound.run`."""

    def can_have(self, kind: type[Kind]) -> bool:  # noqa: ARG002 nothing is missing
        """Whether this server can have objects of a kind of its database."""
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that never go into a history or a report: the passwords of addresses."""
        return ()

    @property
    def services(self) -> ServiceAddresses:
        """What actions of the language talk to besides the target."""
        return ServiceAddresses()

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the server takes TCP connections of sessions; None where it has only a UNIX socket, or several addresses."""
        return None

    def restart(self) -> None:
        """Start a new server with nothing in it."""
        raise TargetError("a server that racehound did not start is not restarted")

    def waits(self) -> list[Wait] | None:
        """What every session of the working database does and waits for, right now; None where the server does not tell."""
        return None

    def terminate(self, pid: int) -> None:
        """End a server session by force."""
        raise TargetError(f"{self.dialect.title} has no way to end session {pid}")

    def new_log_lines(self) -> list[str]:
        """Lines since the last call that tell of a crash, or of an internal error in a process that serves no session of
        racehound; none where the log cannot be read."""
        return []

    def log_around(self, pids: Collection[int]) -> list[str]:  # noqa: ARG002 no log, no lines
        """The last lines that the server logged for these processes or for itself."""
        return []

    def stepping(self) -> Stepping:
        """How lock-step leads this target, in the working database as it is now."""
        raise UserError(f"{self.dialect.title} cannot be run in lock-step")

    def recover(self) -> None:
        """Wait until the server, all of whose sessions a perturbation has ended, answers again, and keep the working database.

        TargetError when it does not come back.
        """
        raise TargetError(f"the sessions of {self.dialect.title} were ended, and racehound cannot wait for its recovery")

    def names(self) -> Mapping[str, frozenset[str]] | None:
        """What the working database holds, by space of names (`judge.claims`); None where the target cannot tell."""
        return None

    @property
    def database(self) -> str:
        """Name of the working database."""
        return ""
