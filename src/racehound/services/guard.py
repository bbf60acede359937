"""The guard process runs one command for racehound and ends the command when racehound ends.

It is run as a program (`python -I -S guard.py PARENT`) and uses only the standard library. It reads and writes lines:

- standard input: the command (a JSON object, see `GuardedCommand`), then `stop SECONDS` or `kill`. When the input ends, or the
  process that started the guard, racehound has ended: the guard stops the command and removes the directories that it was given.
- standard output: `started PID` or `failed REASON`, then `exited RETURNCODE` as soon as the command itself has ended. The guard
  ends when all processes that the command has started have ended, too.

The guard is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): it becomes the parent of every process that the command leaves
behind, daemons included. When the guard itself is killed, the kernel sends the command its stop signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TypedDict

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_REMOVALS = 20
_libc = ctypes.CDLL(None, use_errno=True)


class GuardedCommand(TypedDict):
    """What to run and how to end it."""

    argv: list[str]
    env: dict[str, str] | None
    cwd: str | None
    user: str | int | None
    group: str | int | None
    log: str | None
    stop_signal: int
    grace: float
    """Seconds between the stop signal and SIGKILL, or between the command's own end and SIGKILL for processes it left."""
    orphan_grace: float
    """It replaces `grace` when racehound has ended."""
    remove: list[str]
    """Directories to remove when racehound has ended."""


class Guard:
    """Runs one command and ends it when it is told to, or when racehound has ended."""

    def __init__(self, command: GuardedCommand, owner: int) -> None:
        self._command = command
        self._owner = owner
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._orphaned = False
        self._stopping = False
        self._kill_at: float | None = None
        self._input = b""

    def run(self) -> None:
        """Wait until all processes that the command has started have ended."""
        wakeup = _wake_up_on(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        events = select.poll()
        for fd in (0, self._owner, wakeup):
            events.register(fd, select.POLLIN)
        while self._reap():
            for fd, _ in events.poll(self._poll_timeout_ms()):
                if fd == wakeup:
                    self._signalled(os.read(wakeup, 4096))
                elif fd == self._owner or not self._read_requests():
                    # Both descriptors say that racehound has ended, and stay readable for ever.
                    events.unregister(fd)
                    self._owner_ended()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._signal_all(signal.SIGKILL)
                self._kill_at = time.monotonic() + 0.05
        if self._orphaned:
            self._remove()

    def start(self) -> None:
        """Start the command. Raises OSError, KeyError (no such user) or SubprocessError."""
        command, guard = self._command, os.getpid()

        def end_with_guard() -> None:
            # Racehound, as a shell's background job, may ignore it.
            signal.signal(command["stop_signal"], signal.SIG_DFL)
            # A change of user clears this setting; it has happened by now.
            _libc.prctl(_PR_SET_PDEATHSIG, command["stop_signal"], 0, 0, 0)
            if os.getppid() != guard:
                os._exit(1)

        with contextlib.ExitStack() as files:
            log = files.enter_context(open(command["log"], "ab", opener=_private)) if command["log"] else subprocess.DEVNULL
            # Without a reference, Popen's finalizer would reap the process and lose the exit code.
            self._process = subprocess.Popen(
                command["argv"],
                env=command["env"],
                cwd=command["cwd"],
                user=command["user"],
                group=command["group"],
                extra_groups=None if command["user"] is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_guard,  # noqa: PLW1509 (the guard has one thread)
            )
        self._pid = self._process.pid
        _write_line(f"started {self._pid}")

    def _reap(self) -> bool:
        """Reap processes that have ended. Return whether any is left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._pid:
                    self._ended(os.waitstatus_to_exitcode(status))
        return False

    def _ended(self, returncode: int) -> None:
        _write_line(f"exited {returncode}")
        self._pid = 0
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._command["grace"]

    def _poll_timeout_ms(self) -> float | None:
        """How long to wait for an event. None means for ever."""
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic()) * 1000

    def _read_requests(self) -> bool:
        """Carry out the requests of the input. Return False at its end."""
        chunk = os.read(0, 4096)
        *lines, self._input = (self._input + chunk).split(b"\n")
        for line in lines:
            word, _, seconds = line.partition(b" ")
            self._stop(float(seconds) if word == b"stop" else 0.0)
        return bool(chunk)

    def _signalled(self, numbers: bytes) -> None:
        if any(number != signal.SIGCHLD for number in numbers):
            self._stop(self._command["grace"])

    def _owner_ended(self) -> None:
        self._orphaned = True
        self._stop(self._command["orphan_grace"])

    def _stop(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        self._kill_at = deadline if self._kill_at is None else min(self._kill_at, deadline)
        if grace and not self._stopping:
            self._stopping = True
            if self._pid:
                os.kill(self._pid, self._command["stop_signal"])
            # A perturbation may have stopped processes; a stopped process handles no signal.
            self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _remove(self) -> None:
        import shutil

        for directory in self._command["remove"]:
            # Another guard's command may still write to the same directory.
            for _ in range(_REMOVALS):
                shutil.rmtree(directory, ignore_errors=True)
                if not os.path.lexists(directory):
                    break
                time.sleep(0.05)


def descendants(root: int) -> Iterator[int]:
    """Process ids of all descendants of root; root is left out."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib is slow to import)
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
            # The name, in parentheses, may contain any character; the parent is the second field after it.
            parent = int(stat.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    todo = [root]
    while todo:
        found = children.get(todo.pop(), [])
        yield from found
        todo.extend(found)


def _wake_up_on(*numbers: int) -> int:
    """A descriptor from which the numbers of arriving signals can be read."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in numbers:
        # The command would inherit SIG_IGN.
        signal.signal(number, lambda _number, _frame: None)
    return readable


def _private(path: str, flags: int) -> int:
    """Open a file that only the user can read, if it is new."""
    return os.open(path, flags, 0o600)


def _write_line(line: str) -> None:
    # Racehound may have ended; then the input ends, too.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, line.encode(errors="replace") + b"\n")


def _read_command() -> bytes:
    """Read the first line without a buffer, since poll() ignores buffered input. No line follows before the answer."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            break
        line += chunk
    return line


def main() -> None:
    """Read the command and run it. When the line is incomplete, racehound has ended and nothing is run."""
    parent = int(sys.argv[1])
    try:
        owner = os.pidfd_open(parent)
    except ProcessLookupError:
        return
    line = _read_command()
    # The process id may have been reused unless that process still is the parent.
    if not line.endswith(b"\n") or os.getppid() != parent:
        return
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = Guard(json.loads(line), owner)
    try:
        guard.start()
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        _write_line(f"failed {error}")
    else:
        guard.run()


if __name__ == "__main__":
    main()
