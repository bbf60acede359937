"""pg_dump as an oracle: it reads every catalog entry of a database, and fails when entries do not fit together."""

from __future__ import annotations

import pathlib
import subprocess

from racehound.databases import addresses
from racehound.errors import TargetError

_LIMIT = 120.0
_LOCK_WAIT = "5s"
_LOCKED = "canceling statement due to statement timeout"
"""The error when pg_dump waits too long for a lock: it limits the wait by statement_timeout."""


def dump_error(pg_dump: pathlib.Path, conninfo: str, *, limit: float = _LIMIT) -> str | None:
    """Dump a database with its data to /dev/null. Returns None if that succeeds, else pg_dump's messages.

    Also returns None when another session holds a lock for too long, which other oracles report. `conninfo`: a connection string
    for libpq. Raises TargetError if pg_dump cannot be started or takes longer than `limit` seconds.
    """
    options = ("--no-password", f"--lock-wait-timeout={_LOCK_WAIT}", "--file=/dev/null")
    try:
        with addresses.without_password(conninfo) as shown:
            command = [str(pg_dump), *options, f"--dbname={shown}"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
    except OSError as error:
        raise TargetError(f"{pg_dump} could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"{pg_dump} did not finish within {limit:g} s") from error
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 0 or _LOCKED in said:
        return None
    return said or f"exit code {done.returncode}"
