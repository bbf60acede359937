"""Client of composition daemons: it lists daemons, starts them and sends them requests."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from racehound.errors import TargetError, UserError
from racehound.services import composition_daemon
from racehound.services.composition_daemon import LOG, SOCKET, Answer, AskAddresses, Line, Refusal, Request, ServiceProgress

DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")
_START_LIMIT_S = 30.0
_GONE_LIMIT_S = 15.0


class NotUpError(UserError):
    """There is no composition of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no composition {name!r} is up: racehound services up" + ("" if name == DEFAULT else f" --composition {name}")
        )


@dataclass(frozen=True)
class RunningComposition:
    """A composition whose daemon runs."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of scripts that hold the services' addresses, e.g. `testdrive.kafka-addr`."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """`HOST:PORT` by role."""
    accounts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The administrator and the password by role."""

    def deaths(self) -> list[str]:
        """One line for each service that has died."""
        try:
            return list(ask(self.name, AskAddresses()).deaths)
        except NotUpError:
            return [f"composition {self.name} is gone"]


def running(name: str = DEFAULT) -> RunningComposition | None:
    """The composition of that name, or None if its daemon does not run."""
    try:
        answer = ask(name, AskAddresses())
    except NotUpError:
        return None
    return RunningComposition(name, answer.variables, answer.hosts, answer.accounts)


def asked_for(name: str) -> RunningComposition | None:
    """The composition of that name if it is up. Otherwise None for the default name; others raise NotUpError."""
    found = running(name)
    if found is None and name != DEFAULT:
        raise NotUpError(name)
    return found


def ask(name: str, request: Request, tell: Callable[[ServiceProgress], object] = lambda _: None) -> Answer:
    """Send a request to the daemon of that name and wait for its answer.

    Raises NotUpError when no such daemon runs, TargetError when the daemon refuses the request or ends meanwhile.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(_directory(name) / SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotUpError(name) from None
        connection.sendall(msgspec.json.encode(request) + b"\n")
        with connection.makefile("rb") as lines:
            for text in lines:
                line = msgspec.json.decode(text, type=Line)
                match line:
                    case ServiceProgress():
                        tell(line)
                    case Refusal(reason):
                        raise TargetError(reason)
                    case Answer():
                        return line
    raise TargetError(f"the daemon of composition {name} has died")


def start(name: str) -> int | None:
    """Start a daemon of that name unless one runs. Return its process id if this call started it."""
    home = _directory(name)
    if _is_up(home):
        return None
    home.mkdir(mode=0o700, exist_ok=True)
    with (home / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", composition_daemon.__name__, name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd="/", start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as said:
        ready = said.readline() == b"ready\n"
    if ready:
        return process.pid
    if _is_up(home):
        return None
    text = (home / LOG).read_text(errors="replace") if (home / LOG).exists() else ""
    last = text.strip().splitlines()[-1:] or ["it said nothing"]
    raise TargetError(f"the daemon of composition {name} does not start: {last[0]}")


def kill(name: str, pid: int) -> None:
    """Kill a daemon that this process has started. Its services end, too."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    forget(name)


def forget(name: str) -> bool:
    """Remove the directory of a killed daemon. Return whether it was removed: that of a live daemon stays."""
    home = _directory(name)
    if not home.exists():
        return False
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(home)
    return True


def await_end(name: str) -> None:
    """Wait until the daemon of that name has ended. Raises TargetError if it does not end."""
    home, deadline = _directory(name), time.monotonic() + _GONE_LIMIT_S
    while home.exists():
        if time.monotonic() > deadline:
            raise TargetError(f"the daemon of composition {name} does not end; see {home / LOG}")
        time.sleep(0.02)


def names() -> list[str]:
    """Names of the compositions whose daemon runs or was killed."""
    base = _directory("x").parent
    return sorted(path.name for path in base.iterdir() if path.is_dir())


def is_up(name: str) -> bool:
    """Whether the daemon of that name takes requests."""
    return _is_up(_directory(name))


def _is_up(home: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(home / SOCKET)) == 0


def _directory(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"composition {name!r}: a name has up to 16 lower-case letters, digits, _ and -, and begins with one of the first two"
        )
    return composition_daemon.directory_of(name)
