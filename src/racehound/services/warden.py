"""The warden: a small process between racehound and one command, so that the command never outlives racehound.

It is run as a program (`python -I -S warden.py PARENT`), needs nothing but the standard library, and speaks one line at a time:

- standard input: the order (a JSON object, see `Order`), then `stop SECONDS` or `kill`. The end of the input, or of the process
  that started the warden, means that racehound is gone: the command is stopped and the directories named are removed.
- standard output: `started PID` or `failed REASON`, then `exited RETURNCODE` as soon as the command itself has ended. The warden
  ends when everything that the command had started has ended too.

As a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) it inherits whatever the command leaves behind, daemons included, so
nothing escapes by leaving its process group. Should the warden itself be killed, the kernel sends the command its stop signal.
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


class Order(TypedDict):
    """What to run and how to end it."""

    argv: list[str]
    env: dict[str, str] | None
    cwd: str | None
    user: str | int | None
    group: str | int | None
    log: str | None
    stop_signal: int
    grace: float
    """Seconds between the stop signal and SIGKILL, and those that the leftovers of a command that ended by itself are given."""
    orphan_grace: float
    """The same when racehound is gone."""
    remove: list[str]
    """Directories to remove when racehound is gone."""


class Warden:
    """Runs one command, ends it when told to or when its owner is gone."""

    def __init__(self, order: Order, owner: int) -> None:
        self._order = order
        self._owner = owner
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._orphaned = False
        self._stopping = False
        self._kill_at: float | None = None
        self._input = b""

    def run(self) -> None:
        """Until nothing that the command started is left."""
        wakeup = _wake_up_on(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        events = select.poll()
        for fd in (0, self._owner, wakeup):
            events.register(fd, select.POLLIN)
        while self._reap():
            for fd, _ in events.poll(self._patience()):
                if fd == wakeup:
                    self._signalled(os.read(wakeup, 4096))
                elif fd == self._owner or not self._obey():
                    # Either sign is enough, and stays readable for ever.
                    events.unregister(fd)
                    self._abandoned()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._signal_all(signal.SIGKILL)
                self._kill_at = time.monotonic() + 0.05
        if self._orphaned:
            self._remove()

    def start(self) -> None:
        """Start the command; OSError, KeyError (no such user) or SubprocessError when it cannot be."""
        order, warden = self._order, os.getpid()

        def die_with_warden() -> None:
            # In a shell's background job it would be ignored.
            signal.signal(order["stop_signal"], signal.SIG_DFL)
            # Runs after the change of user, which would clear the setting.
            _libc.prctl(_PR_SET_PDEATHSIG, order["stop_signal"], 0, 0, 0)
            if os.getppid() != warden:
                os._exit(1)

        with contextlib.ExitStack() as files:
            log = files.enter_context(open(order["log"], "ab")) if order["log"] else subprocess.DEVNULL  # noqa: PTH123 (pathlib is slow to import)
            # Kept, since one that is let go reaps its process where that has already ended, and tells nobody how.
            self._process = subprocess.Popen(
                order["argv"],
                env=order["env"],
                cwd=order["cwd"],
                user=order["user"],
                group=order["group"],
                extra_groups=None if order["user"] is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_warden,  # noqa: PLW1509 (the warden has one thread)
            )
        self._pid = self._process.pid
        _say(f"started {self._pid}")

    def _reap(self) -> bool:
        """Collect the dead; whether anyone is left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._pid:
                    self._ended(os.waitstatus_to_exitcode(status))
        return False

    def _ended(self, returncode: int) -> None:
        _say(f"exited {returncode}")
        self._pid = 0
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._order["grace"]

    def _patience(self) -> float | None:
        """Milliseconds that may be waited for an event; None: for ever."""
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic()) * 1000

    def _obey(self) -> bool:
        """Read orders; False at the end of the input."""
        chunk = os.read(0, 4096)
        *lines, self._input = (self._input + chunk).split(b"\n")
        for line in lines:
            word, _, seconds = line.partition(b" ")
            self._stop(float(seconds) if word == b"stop" else 0.0)
        return bool(chunk)

    def _signalled(self, numbers: bytes) -> None:
        if any(number != signal.SIGCHLD for number in numbers):
            self._stop(self._order["grace"])

    def _abandoned(self) -> None:
        self._orphaned = True
        self._stop(self._order["orphan_grace"])

    def _stop(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        self._kill_at = deadline if self._kill_at is None else min(self._kill_at, deadline)
        if grace and not self._stopping:
            self._stopping = True
            if self._pid:
                os.kill(self._pid, self._order["stop_signal"])
            # A perturbation may have frozen them, and the frozen do not hear.
            self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _remove(self) -> None:
        import shutil

        for directory in self._order["remove"]:
            # Wardens that share a directory end together: what the others still write must go too.
            for _ in range(_REMOVALS):
                shutil.rmtree(directory, ignore_errors=True)
                if not os.path.lexists(directory):
                    break
                time.sleep(0.05)


def descendants(root: int) -> Iterator[int]:
    """Process ids of all that descend from root, without it."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib is slow to import)
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
            # The command's name, in parentheses, may contain anything; the parent is the second field behind it.
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
        # Not SIG_IGN, which the command would inherit.
        signal.signal(number, lambda _number, _frame: None)
    return readable


def _say(line: str) -> None:
    # Nobody may be left to listen, which the end of the input tells.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, line.encode(errors="replace") + b"\n")


def _read_order() -> bytes:
    """The first line. Nothing follows it before the answer, so whole chunks may be read, unbuffered, as poll() demands."""
    order = b""
    while not order.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            break
        order += chunk
    return order


def main() -> None:
    """Read the order and carry it out; without a whole order racehound has gone already, and there is nothing to do."""
    parent = int(sys.argv[1])
    try:
        owner = os.pidfd_open(parent)
    except ProcessLookupError:
        return
    line = _read_order()
    # A process id is sure to be the parent's only as long as it still is the parent.
    if not line.endswith(b"\n") or os.getppid() != parent:
        return
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    warden = Warden(json.loads(line), owner)
    try:
        warden.start()
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        _say(f"failed {error}")
    else:
        warden.run()


if __name__ == "__main__":
    main()
