"""pg_dump as an oracle: it reads every catalog entry of a database, and fails over what it cannot make sense of."""

from __future__ import annotations

import pathlib
import subprocess

from racehound.errors import TargetError

_LIMIT = 120.0
_LOCK_WAIT = "5s"
_LOCKED = "canceling statement due to statement timeout"
"""How the wait for a lock ends: pg_dump bounds it by statement_timeout."""


def dump_error(pg_dump: pathlib.Path, conninfo: str, *, limit: float = _LIMIT) -> str | None:
    """Dump a database, with its data, into nothing; None if that succeeds, else what pg_dump said.

    None also where somebody holds a lock for long: that is another oracle's to tell.

    `conninfo`: as libpq takes it. Raises TargetError if pg_dump cannot be started or needs longer than `limit` seconds.
    """
    command = [str(pg_dump), "--no-password", f"--lock-wait-timeout={_LOCK_WAIT}", "--file=/dev/null", f"--dbname={conninfo}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
    except OSError as error:
        raise TargetError(f"{pg_dump} could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"{pg_dump} did not finish within {limit:g} s") from error
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 0 or _LOCKED in said:
        return None
    return said or f"exit code {done.returncode}"
