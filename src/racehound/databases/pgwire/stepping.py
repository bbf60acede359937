"""Lock-step on a server that does not tell who waits for whom: a statement without an answer within a deadline is blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racehound.databases.pgwire.session import PgwireSession
from racehound.databases.stepping import Stepping

if TYPE_CHECKING:
    from racehound.databases.pgwire.target import PgwireTarget

_SLOWER = 5
"""How many times slower than the slowest of racehound's own statements one of a script may be, and is not taken for blocked."""


class PgwireStepping(Stepping):
    """See `databases.stepping.Stepping`."""

    def __init__(self, target: PgwireTarget) -> None:
        self._target = target
        self.deadline_s = max(Stepping.deadline_s, _SLOWER * target.slowest_s)
        self._session = target.open("lockstep")

    @property
    def pid(self) -> int:
        return self._session.pid

    def open(self, session: str) -> PgwireSession:
        return self._target.open(session)

    def drop_leftovers(self) -> bool:
        return self._target.drop_leftovers(self._session)

    def close(self) -> None:
        self._session.close()
