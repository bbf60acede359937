"""Processes that end when racehound ends, even by kill -9: each has a guard process (`guard.py`)."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from racehound.errors import TargetError
from racehound.services import guard

_START_LIMIT = 10.0
"""Seconds that the guard may take to start the command; it takes some 50 ms."""
_KILL_LIMIT = 10.0
"""Seconds after SIGKILL within which all processes must have ended; otherwise the kernel is stuck."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What to run, as whom, where its output goes, and how it is ended."""

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """The whole environment. None means racehound's own."""
    cwd: Path | None = None
    user: str | None = None
    """The user to run as, in its own group and no others; this needs root. None means racehound's user."""
    log: Path | None = None
    """Standard output and error are appended to this file. None discards them."""
    stop_signal: signal.Signals = signal.SIGTERM
    """The command also gets this signal when its guard is killed."""
    grace: float = 5.0
    """Seconds between the stop signal and SIGKILL."""
    orphan_grace: float = 1.0
    """It replaces `grace` when racehound has ended, if it is less."""
    remove_when_orphaned: tuple[Path, ...] = ()
    """Directories that the guard removes when racehound has ended."""


class GuardedProcess:
    """A command that runs once, with all processes that it starts.

    They end within two seconds of racehound's end. Several threads may use the object.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._unread = b""
        self._pid = 0
        self._returncode: int | None = None

    @property
    def pid(self) -> int:
        """Process id of the command itself, also after its end; 0 before the start."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """What `poll` returns."""
        return self.poll()

    def start(self) -> None:
        """Start the command and return when it runs. Raises TargetError when it cannot be started."""
        if self._guard is not None:
            raise RuntimeError("a guarded process is started once")
        # -I -S skip the user's site directory and .pth files, so that a guard starts in 30 ms.
        program = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())]
        self._guard = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True, cwd="/"
        )
        self._write(json.dumps(self._message()))
        line = self._read_line(_START_LIMIT)
        word, _, rest = line.partition(" ")
        if word != "started":
            self._end_guard()
            raise TargetError(f"cannot start {self._command.argv[0]}: {rest or 'its guard process ended'}")
        self._pid = int(rest)

    def poll(self) -> int | None:
        """Return the command's exit code, negative for a signal, once it has ended; None before.

        When the guard was killed, the exit code is unknown; then the negative number of the stop signal is returned.
        """
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait up to `timeout` seconds for the command's end, and return what `poll` returns."""
        # The lock is not held while waiting, so that other threads can poll, signal and stop.
        if self._returncode is None and self._pid and self._has_output(timeout):
            with self._lock:
                if self._returncode is None:
                    word, _, rest = self._read_line(_START_LIMIT).partition(" ")
                    self._returncode = int(rest) if word == "exited" else -self._command.stop_signal
        return self._returncode

    def signal(self, number: int) -> bool:
        """Send a signal to the command itself. Return False when it has ended."""
        if not self._pid or self.poll() is not None:
            return False
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            return False
        return True

    def stop(self, grace: float | None = None) -> int | None:
        """Send the stop signal, then SIGKILL to what is left after `grace` seconds; return when all processes have ended."""
        seconds = self._command.grace if grace is None else grace
        return self._finish(f"stop {seconds}", seconds)

    def kill(self) -> int | None:
        """Send SIGKILL to the command and to all that it started, and return when all have ended."""
        return self._finish("kill", 0.0)

    def _finish(self, request: str, seconds: float) -> int | None:
        if self._guard is None or not self._pid:
            return None
        self._write(request)
        returncode = self.wait(seconds + _KILL_LIMIT)
        try:
            self._guard.wait(seconds + _KILL_LIMIT)
        except subprocess.TimeoutExpired:
            raise TargetError(f"{self._command.argv[0]} (process {self._pid}) cannot be ended, not even by SIGKILL") from None
        self._close()
        return returncode

    def _message(self) -> guard.GuardedCommand:
        command = self._command
        return {
            "argv": list(command.argv),
            "env": None if command.env is None else dict(command.env),
            "cwd": None if command.cwd is None else str(command.cwd),
            "user": command.user,
            "group": None if command.user is None else _group_of(command.user),
            "log": None if command.log is None else str(command.log.absolute()),
            "stop_signal": int(command.stop_signal),
            "grace": command.grace,
            "orphan_grace": min(command.grace, command.orphan_grace),
            "remove": [str(path.absolute()) for path in command.remove_when_orphaned],
        }

    def _write(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            # The guard may have ended.
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._guard.stdin.write(line.encode() + b"\n")

    def _has_output(self, timeout: float | None) -> bool:
        """Whether the guard has written a line, or ended, within `timeout` seconds."""
        assert self._guard is not None
        assert self._guard.stdout is not None
        with self._closing:
            if b"\n" in self._unread or self._guard.stdout.closed:
                return True
            events = select.poll()
            events.register(self._guard.stdout, select.POLLIN)
        return bool(events.poll(None if timeout is None else timeout * 1000))

    def _read_line(self, timeout: float) -> str:
        """The guard's next line. It is empty when the guard has ended or wrote none within `timeout` seconds."""
        assert self._guard is not None
        assert self._guard.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread and self._has_output(max(0.0, deadline - time.monotonic())):
            chunk = b"" if self._guard.stdout.closed else self._guard.stdout.read(4096)
            if not chunk:
                break
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace")

    def _end_guard(self) -> None:
        assert self._guard is not None
        self._guard.kill()
        self._guard.wait()
        self._close()

    def _close(self) -> None:
        assert self._guard is not None
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                with self._closing:
                    pipe.close()


def run(command: Command, timeout: float) -> int:
    """Run a command under a guard and return its exit code. Raises TargetError if it cannot start or exceeds the timeout."""
    process = GuardedProcess(command)
    process.start()
    try:
        returncode = process.wait(timeout)
    finally:
        process.kill()
    if returncode is None:
        raise TargetError(f"{command.argv[0]} did not end within {timeout:g} s")
    return returncode


def _group_of(user: str) -> int:
    import pwd

    try:
        return pwd.getpwnam(user).pw_gid
    except KeyError:
        raise TargetError(f"there is no user named {user}") from None
