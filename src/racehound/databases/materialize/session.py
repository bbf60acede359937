"""A session with Materialize: a `LibpqSession` that applies its settings again after each reset."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from psycopg.conninfo import make_conninfo

from racehound.errors import TargetError
from racehound.session import Outcome
from racehound.wire.session import LibpqSession

_ASK_LIMIT_S = 5.0


class MaterializeSession:
    """See `Session`. `settings` are statements that the session runs when it is opened and after every reset."""

    def __init__(self, inner: LibpqSession, settings: Sequence[str] = ()) -> None:
        self._inner = inner
        self._settings = tuple(settings)
        self.execute = inner.execute
        self.cancel = inner.cancel
        self.close = inner.close
        self.sever = inner.sever
        self.pid = inner.pid
        """The server's number of the connection, since a connection has no process."""

    @classmethod
    def connect(
        cls, url: str, name: str, *, database: str | None = None, settings: Sequence[str] = (), limit_s: float = 10.0
    ) -> MaterializeSession:
        """Connect within `limit_s` seconds. UserError for a malformed address, TargetError when no server answers."""
        address = make_conninfo(url, dbname=database) if database else url
        session = cls(LibpqSession.connect(address, name, timeout=limit_s), settings)
        outcome = session.apply()
        if outcome is not None:
            session.close()
            raise TargetError(f"cannot open a session: {outcome.error.message if outcome.error else outcome.status}")
        return session

    def apply(self) -> Outcome | None:
        """Run the settings. Returns the first outcome that is not ok, if there is one."""
        return next((outcome for outcome in map(self.execute, self._settings) if not outcome.ok), None)

    def reset(self) -> Outcome:
        """Roll back, discard the session's state, and run the settings again."""
        outcome = self._inner.reset()
        return outcome if not outcome.ok else self.apply() or outcome

    def ask(self, query: str, limit_s: float = _ASK_LIMIT_S) -> list[tuple[str, ...]]:
        """The rows of a query, with NULL as an empty text. TargetError when it fails, or takes longer than `limit_s` seconds.

        After that time the connection is closed, since a coordinator that hangs does not answer a cancel request either.
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
        """Run statements. TargetError for the first one that fails."""
        for statement in statements:
            outcome = self.execute(statement)
            if not outcome.ok:
                raise TargetError(f"{statement}: {outcome.error.message if outcome.error else outcome.status}")


def quoted(name: str) -> str:
    """The name as a quoted SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """The text as an SQL string literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
