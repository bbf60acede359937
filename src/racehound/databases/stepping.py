"""What lock-step needs of a target: sessions that do not wait, and word of who waits for whom."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping
from typing import Protocol

from racehound.session import Outcome, Session


class SteppedSession(Session, Protocol):
    """A session whose statements can be sent without waiting for them. Between `send` and its outcome nothing else is run."""

    @property
    def fileno(self) -> int:
        """The socket to wait on; -1 when the connection is gone, which `take` tells at once."""

    def send(self, sql: str) -> None:
        """Let a statement go. Never raises for what the server does: `take` tells."""

    def take(self) -> Outcome | None:
        """What became of the statement, once that is known; None while the server works. Does not wait."""

    def finish(self) -> Outcome:
        """Wait for what becomes of the statement."""


class Stepping(abc.ABC):
    """A target in lock-step. Used from one thread.

    A database's package subclasses it. The methods without a default must be written; the others have a default for a server
    that tells nothing and needs nothing.
    """

    deadline_s: float = 0.1
    """Where `blockers` cannot tell: how long a statement may take, after others have ended, before it counts as blocked."""

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """Server process of the session that it looks and drops objects through."""

    @abc.abstractmethod
    def open(self, session: str) -> SteppedSession:
        """A new session in the working database, recognisable as the session's on the server. TargetError when there is none."""

    @abc.abstractmethod
    def drop_leftovers(self) -> bool:
        """Drop what a schedule left in the working database; False when a rebuild is needed. Only for a sound database: a server
        may crash over a broken catalog, and that would not be the schedule's doing."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close what it opened for itself."""

    def prepare(self, session: SteppedSession, *, others_wait: bool) -> None:  # noqa: B027 nothing to prepare
        """Called before a statement is let go: whether other ones are blocked. If the session is the last to wait in a cycle, it
        and no other is to be the victim, every time and soon."""

    def blockers(self, pids: Collection[int]) -> Mapping[int, tuple[int, ...]] | None:  # noqa: ARG002 it cannot tell
        """Whom each of these server processes waits for, right now: pids, 0 for a prepared transaction. Observers of
        racehound's own that are in the way step aside. None where the target cannot tell: then lock-step goes by time."""
        return None

    def can_read(self, sql: str) -> bool:  # noqa: ARG002 it cannot tell
        """Whether a statement is one by its grammar, as far as that can be told without running it; True where it cannot."""
        return True

    def begin_fast_checks(self) -> None:  # noqa: B027 its observers look as ever
        """Let the target's observers begin to look at the state at rest, in whatever way makes many looks cheap. What they find
        this way is a suspicion."""

    def end_fast_checks(self) -> None:  # noqa: B027 they are not gathered
        """Let them look as ever: what is found now is true."""
