"""The log of a server that racehound did not start, read through SQL, where the user may read files of the server.

It is the file of the logging collector or, without one, the file that the server's standard error leads to.
"""

from __future__ import annotations

import base64

from racehound.databases.postgres.dialect import death_in, ended_from_outside
from racehound.session import Session

_FILE = "coalesce(pg_current_logfile(), CASE WHEN (pg_stat_file('/proc/self/fd/2', true)).size > 0 THEN '/proc/self/fd/2' END)"
"""A pipe, a terminal or a socket has the size 0: reading it would take away what others are to read."""
_WHERE = f"SELECT f, (pg_stat_file(f)).size FROM (SELECT {_FILE} AS f) AS log WHERE f IS NOT NULL"
_READ = "SELECT encode(pg_read_binary_file('{file}', {offset}, {length}, true), 'base64')"
_LENGTH_LIMIT = 4_000_000
"""Bytes at the end of the log that are read at most."""


class RemoteLog:
    """Reads what is new in the log. Used by one thread."""

    def __init__(self) -> None:
        self._file = ""
        self._offset = 0

    def mark(self, session: Session) -> None:
        """What is in the log now is not new any more."""
        self._file, self._offset = _end(session) or ("", 0)

    def new_lines(self, session: Session) -> tuple[str, ...] | None:
        """The new lines that report an end of the server or of a process of it; None if the log cannot be read."""
        end = _end(session)
        if end is None:
            return None
        file, size = end
        text = ""
        if self._file and self._file != file:
            text = _read(session, self._file, self._offset, _LENGTH_LIMIT)
            self._offset = 0
        elif self._offset > size:
            self._offset = 0  # it was emptied
        begin = max(self._offset, size - _LENGTH_LIMIT) if self._file else size
        text += _read(session, file, begin, size - begin)
        self._file, self._offset = file, size
        return tuple(line for line in text.splitlines() if death_in(line) or ended_from_outside(line))


def _end(session: Session) -> tuple[str, int] | None:
    """The file and its size; None when it cannot be read, or there is none."""
    rows = session.execute(_WHERE).rows
    if rows is None or not rows.cells:
        return None
    file, size = rows.cells[0]
    return str(file), int(size or 0)


def _read(session: Session, file: str, offset: int, length: int) -> str:
    rows = session.execute(_READ.format(file=file.replace("'", "''"), offset=offset, length=length)).rows if length else None
    cell = rows.cells[0][0] if rows and rows.cells else None
    return base64.b64decode(cell or "").decode("utf-8", "replace")
