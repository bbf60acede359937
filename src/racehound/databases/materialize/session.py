"""A session with Materialize: the protocol is PostgreSQL's, and so is the session, but for what it keeps over a reset."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from psycopg.conninfo import make_conninfo

from racehound.errors import TargetError
from racehound.session import Outcome
from racehound.wire.session import LibpqSession

_ASK_LIMIT_S = 5.0


class MaterializeSession:
    """See `Session`. `settings` are statements that make the session what it shall be, now and after every reset."""

    def __init__(self, inner: LibpqSession, settings: Sequence[str] = ()) -> None:
        self._inner = inner
        self._settings = tuple(settings)
        self.execute = inner.execute
        self.cancel = inner.cancel
        self.close = inner.close
        self.sever = inner.sever
        self.pid = inner.pid
        """The server's number of the connection: it has no process of its own."""

    @classmethod
    def connect(
        cls, url: str, name: str, *, database: str | None = None, settings: Sequence[str] = (), limit_s: float = 10.0
    ) -> MaterializeSession:
        """Connect within `limit_s` seconds. UserError for a malformed address, TargetError when nobody answers."""
        address = make_conninfo(url, dbname=database) if database else url
        session = cls(LibpqSession.connect(address, name, timeout=limit_s), settings)
        outcome = session.apply()
        if outcome is not None:
            session.close()
            raise TargetError(f"cannot open a session: {outcome.error.message if outcome.error else outcome.status}")
        return session

    def apply(self) -> Outcome | None:
        """Make the session what it shall be; the first outcome that is not ok."""
        return next((outcome for outcome in map(self.execute, self._settings) if not outcome.ok), None)

    def reset(self) -> Outcome:
        """Roll back, forget all, and be again what it was when opened."""
        outcome = self._inner.reset()
        return outcome if not outcome.ok else self.apply() or outcome

    def ask(self, query: str, limit_s: float = _ASK_LIMIT_S) -> list[tuple[str, ...]]:
        """The rows of a query, NULL as an empty text. TargetError when it fails, or takes longer than that (seconds).

        A coordinator that hangs does not answer a request to cancel either: then the connection is broken.
        """
        late = threading.Timer(limit_s, self.sever)
        late.daemon = True
        late.start()
        try:
            outcome = self.execute(query)
        finally:
            late.cancel()
        if outcome.rows is None:
            raise TargetError(f"{' '.join(query.split())}: {outcome.error.message if outcome.error else 'no rows'}")
        return [tuple(cell or "" for cell in row) for row in outcome.rows.cells]

    def must(self, *statements: str) -> None:
        """Run statements. TargetError for the first that fails."""
        for statement in statements:
            outcome = self.execute(statement)
            if not outcome.ok:
                raise TargetError(f"{statement}: {outcome.error.message if outcome.error else outcome.status}")


def quoted(name: str) -> str:
    """A name as SQL spells one that may hold anything."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text as SQL spells one."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
