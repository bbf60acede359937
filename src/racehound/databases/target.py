"""What a target is: the database under test, as the rest of the house sees it.

A `Dialect` is what can be known without a server (so that a program can be printed anywhere); a `Target` is one that runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from racehound.data.addresses import ServiceAddresses
from racehound.data.history import Statement
from racehound.kinds.kind import Kind
from racehound.services.service import Endpoint
from racehound.session import ServerError, Session
from racehound.testdrive.support import ScriptSupport

Reach = Literal["none", "exact", "named", "related", "anywhere"]
"""How near a statement must be to have brought an error about. exact: it names what the error names. named: or what that is
built on. related: it is about what has a common ground with that. anywhere: it was under way meanwhile, whatever about."""

Reset = Literal["objects", "database", "services"]
"""objects: drop what a repetition left. database: a new one from a template. services: a new server."""


@dataclasses.dataclass(frozen=True)
class Dialect:
    """The static side of a target."""

    name: str
    database: str
    """Its name as its makers spell it."""
    summary: str
    kinds: tuple[type[Kind], ...]
    allows_transaction: Callable[[str], bool]
    """Whether every statement of a fragment may run inside a transaction block."""
    is_internal: Callable[[Statement], bool]
    """Whether an error is one that the server should never show: it says itself that something went wrong inside."""
    is_race_outcome: Callable[[Statement], bool]
    """Whether an error is of the sort that a statement may meet because of what others did (never, if nobody did)."""
    is_transient: Callable[[ServerError], bool]
    """Whether the same statement may succeed when it is simply tried again."""
    oracles: tuple[str, ...]
    """Names of the oracles that apply, in the order in which they judge."""
    may_cause: Callable[[Statement, str], Reach] = lambda _error, _other: "related"
    """How near another session's statement of that sort must be to have brought a race outcome about."""
    is_missing: Callable[[Statement | ServerError], bool] = lambda _error: False
    """Whether an error says that something is not there, and only that."""
    repetitions: int = 100
    """How many of a plan are a few seconds' work, so that a hunt sees many plans."""
    script_support: ScriptSupport = dataclasses.field(default_factory=ScriptSupport)
    """What the database provides for testdrive scripts."""
    share_s: float | None = None
    """Where a repetition of some plans takes far longer than of others: seconds after which the next one is a plan's last."""


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


class Target(Protocol):
    """A running target. All methods raise `TargetError` when racehound cannot go on with it."""

    dialect: Dialect
    run_id: str

    @property
    def release(self) -> str:
        """Version of the server, e.g. `18.6`."""

    @property
    def owned(self) -> bool:
        """Whether racehound started the server, and so may restart it, read its files and log."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that never go into a history or a report: the passwords of addresses."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Remove all that was created and, if racehound started the server, end it."""

    def kinds(self) -> Sequence[type[Kind]]:
        """The kinds that this server can have, in the dialect's order."""

    def variables(self) -> Mapping[str, str]:
        """Values of the variables that fragments use, e.g. `racehound.run`."""

    @property
    def services(self) -> ServiceAddresses:
        """What actions of the language talk to besides the target."""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the server takes TCP connections of sessions; None where it has only a UNIX socket."""

    def open(self, session: str, via: Endpoint | None = None) -> Session:
        """A new session in the working database, recognisable as the session's on the server; `via`: through a proxy there."""

    def rebuild(self) -> None:
        """A new working database; sessions opened before are of no use afterwards. Restarts a server of ours that is gone."""

    def reset(self) -> bool:
        """Drop what a repetition left in the working database; False when a rebuild is needed."""

    @property
    def observer(self) -> Session:
        """A session in the working database that is nobody's session: oracles read through it. A new one after each rebuild."""

    def restart(self) -> None:
        """A new server with nothing in it (only where `owned`)."""

    def alive(self) -> bool:
        """Whether the server answers; waits for the end of a crash recovery."""

    def waits(self) -> list[Wait]:
        """What every session of the working database does and waits for, right now."""

    def terminate(self, pid: int) -> None:
        """End a server session by force."""

    def new_log_lines(self) -> list[str]:
        """Lines since the last call that tell of a crash, or of an internal error in a process that serves no session of
        racehound; none where the log cannot be read."""

    def log_around(self, pids: Collection[int]) -> list[str]:
        """The last lines that the server logged for these processes or for itself."""
