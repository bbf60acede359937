"""What PostgreSQL provides for testdrive scripts."""

from __future__ import annotations

from racehound.session import Session
from racehound.testdrive.support import ScriptSupport

_VERSION = "SELECT current_setting('server_version_num')"


def version(session: Session) -> int | None:
    """`server_version_num`, e.g. 180006 for 18.6; None when the server does not have this setting."""
    rows = session.execute(_VERSION).rows
    number = rows.cells[0][0] if rows is not None and rows.cells else None
    return int(number) if number is not None and number.isdecimal() else None


SCRIPT_SUPPORT = ScriptSupport(version=version)
