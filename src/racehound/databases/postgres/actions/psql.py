"""The psql client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from types import MappingProxyType

from racehound.databases import addresses
from racehound.testdrive.errors import ActionError
from racehound.testdrive.script import Row
from racehound.testdrive.state import Call, Handler, State


def _execute(call: Call, state: State) -> None:
    """Run a command against the target and compare psql's output, ignoring blank lines and spaces at the ends of lines."""
    printed = _run(call["command"], state)
    expected, actual = _lines("\n".join(call.input)), _lines(printed)
    if expected != actual:
        raise ActionError("psql printed something else", None, expected, actual)


def _run(command: str, state: State) -> str:
    program = state.context.programs.get("psql") or shutil.which("psql")
    if program is None:
        raise ActionError("psql is not installed")
    if state.context.url is None:
        raise ActionError("psql-execute needs the target's URL, which is not configured")
    options = ("--no-psqlrc", "--no-password", "--pset", "footer=off", "--command", command)
    try:
        with addresses.without_password(state.context.url) as url:
            argv = [program, *options, url]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=state.policy.timeout, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise ActionError(f"psql: {error}") from error
    if done.returncode != 0:
        raise ActionError(f"psql: {done.stderr.strip()}")
    return done.stdout


def _lines(text: str) -> tuple[Row, ...]:
    return tuple((line.rstrip(),) for line in text.split("\n") if line.strip())


ACTIONS: Mapping[str, Handler] = MappingProxyType({"psql-execute": _execute})
