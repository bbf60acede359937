"""Lock-step on a server that does not report who waits for whom: a statement not answered in time counts as blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racehound.databases.pgwire.session import PgwireSession
from racehound.databases.stepping import Stepping

if TYPE_CHECKING:
    from racehound.databases.pgwire.target import PgwireTarget

_SLOWER = 5
"""A script's statement that takes longer than the slowest of racehound's own, times this, counts as blocked."""


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
