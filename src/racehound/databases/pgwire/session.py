"""A session with any server that speaks the PostgreSQL protocol."""

from __future__ import annotations

import itertools
import threading

from psycopg import pq
from psycopg.pq.abc import PGconn

from racehound.errors import TargetError
from racehound.session import Outcome
from racehound.wire.session import LibpqSession

_GRACE_S = 5.0
_numbers = itertools.count(1)


class PgwireSession(LibpqSession):
    """See `SteppedSession`. `settings` are statements that make the session what it shall be, now and after every reset."""

    def __init__(self, connection: PGconn) -> None:
        super().__init__(connection)
        # A server that cannot cancel names no process. Sessions are told apart all the same.
        self.pid = self.pid or -next(_numbers)
        self.settings: tuple[str, ...] = ()
        self.can_discard = True
        """Whether the server knows DISCARD ALL. Where it does not, a reset only ends the transaction."""

    def apply(self) -> None:
        """Make the session what it shall be. TargetError."""
        for setting in self.settings:
            must(self.execute(setting), setting)

    def reset(self) -> Outcome:
        """Roll back, forget all where the server can, and be again what it was when opened."""
        if self.can_discard:
            outcome = super().reset()
        elif self.transaction_status != pq.TransactionStatus.IDLE:
            outcome = self.execute("ROLLBACK")
        else:
            outcome = Outcome("ok")
        settings = iter(self.settings)
        while outcome.ok and (setting := next(settings, None)) is not None:
            outcome = self.execute(setting)
        return outcome

    def execute_within(self, sql: str, seconds: float) -> Outcome:
        """Run a statement, and cancel it after that time; the connection is broken where that does not help either."""
        timers = [threading.Timer(seconds, self.cancel), threading.Timer(seconds + _GRACE_S, self.sever)]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            return self.execute(sql)
        finally:
            for timer in timers:
                timer.cancel()


def must(outcome: Outcome, sql: str) -> None:
    """TargetError for a statement that has not succeeded."""
    if not outcome.ok:
        raise TargetError(f"{sql}: {outcome.error.message if outcome.error else outcome.status}")


def quoted(name: str) -> str:
    """A name as SQL spells one that may hold anything."""
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    """A text as SQL spells one."""
    return "'{}'".format(text.replace("'", "''"))
