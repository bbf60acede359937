"""What lock-step needs from a target: sessions that send statements without waiting, and which session blocks which."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping
from typing import Protocol

from racehound.session import Outcome, Session


class SteppedSession(Session, Protocol):
    """A session that can send a statement without waiting for its end. It runs no other statement before that."""

    @property
    def fileno(self) -> int:
        """The socket to wait on; -1 when the connection is lost. Then `take` returns at once."""

    def send(self, sql: str) -> None:
        """Send a statement. It never raises for errors of the server or the connection: `take` returns them."""

    def take(self) -> Outcome | None:
        """The outcome of the statement; None while the server executes it. It does not wait."""

    def finish(self) -> Outcome:
        """Wait for the outcome of the statement."""


class Stepping(abc.ABC):
    """The lock-step support of a target. One thread uses it.

    A database's package subclasses it. Abstract methods must be implemented. The defaults of the others are for a server that
    does not show which session blocks which.
    """

    deadline_s: float = 0.1
    """Seconds after which a statement counts as blocked, if `blockers` cannot tell. They begin when another statement ends."""

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """Process id of the session that it uses for its own queries."""

    @abc.abstractmethod
    def open(self, session: str) -> SteppedSession:
        """Open a session of this name in the working database. TargetError when that fails."""

    @abc.abstractmethod
    def drop_leftovers(self) -> bool:
        """Drop the objects that a schedule left in the working database; False when a rebuild is needed.

        The catalogs must be known to be intact: a server may crash over a broken one, and the schedule would be blamed for it.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close its own sessions."""

    def prepare(self, session: SteppedSession, *, others_wait: bool) -> None:  # noqa: B027 nothing to prepare
        """Prepare a session for its next statement. `others_wait`: whether other sessions are blocked.

        If this session then closes a deadlock, the server should cancel this session rather than another one, and soon.
        """

    def blockers(self, pids: Collection[int]) -> Mapping[int, tuple[int, ...]] | None:  # noqa: ARG002 it cannot tell
        """For each of these server processes, the process ids that block it now; 0 stands for a prepared transaction.

        If observers block a process, their fast checks end. None when the target cannot tell. Then lock-step uses time limits.
        """
        return None

    def can_read(self, sql: str) -> bool:  # noqa: ARG002 it cannot tell
        """Whether a text is a grammatical statement, as far as can be known without running it; True if it cannot be known."""
        return True

    def begin_fast_checks(self) -> None:  # noqa: B027 there is no faster way
        """Prepare the target's observers for fast checks of the state at rest. A finding of a fast check is only a suspicion."""

    def end_fast_checks(self) -> None:  # noqa: B027 there is no faster way
        """Let the observers make reliable checks again."""
