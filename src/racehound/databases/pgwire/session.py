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
    """See `SteppedSession`. `settings` are statements that configure the session, initially and after every reset."""

    def __init__(self, connection: PGconn) -> None:
        super().__init__(connection)
        # A server that cannot cancel reports no process id. Sessions need different ids.
        self.pid = self.pid or -next(_numbers)
        self.settings: tuple[str, ...] = ()
        self.can_discard = True
        """Whether the server supports DISCARD ALL. Otherwise a reset only rolls back and applies the settings."""

    def apply(self) -> None:
        """Execute the settings. Raises TargetError."""
        for setting in self.settings:
            must(self.execute(setting), setting)

    def reset(self) -> Outcome:
        """Roll back, discard the session's state if possible, and execute the settings."""
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
        """Run a statement and cancel it after that time. If it still runs then, the connection is closed."""
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
    """Raise TargetError if the statement has failed."""
    if not outcome.ok:
        raise TargetError(f"{sql}: {outcome.error.message if outcome.error else outcome.status}")


def quoted(name: str) -> str:
    """The name as a quoted identifier of SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    """The text as a string literal."""
    return "'{}'".format(text.replace("'", "''"))
