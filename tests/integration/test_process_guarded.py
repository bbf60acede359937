"""Guarded processes: they do what a process does, and are gone when racehound is, however it went."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from racehound.errors import TargetError
from racehound.services.process import Command, GuardedProcess, run

StartOwner = Callable[..., tuple[subprocess.Popen[str], int, int]]

_STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
_DAEMON = ("sh", "-c", "setsid sh -c 'trap \"\" TERM; sleep 1000 & echo $! > daemon; wait' & wait")

_OWNER = """
import os, signal, sys, time
from pathlib import Path
from racehound.services.process import Command, GuardedProcess
directory = Path(sys.argv[1])
(directory / "removed").mkdir()
(directory / "removed" / "file").write_text("x")
process = GuardedProcess(Command(
    tuple(sys.argv[2:]), cwd=directory, log=directory / "log", grace=30, remove_when_orphaned=(directory / "removed",)))
process.start()
heir = os.fork()  # inherits every descriptor, and outlives its parent
if heir == 0:
    time.sleep(1000)
print(process.pid, heir, process._guard.pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def owner_of(tmp_path: Path) -> Iterator[StartOwner]:
    """Starts a racehound of a few lines that runs a command under guard: (itself, the command's pid, the guard's pid)."""
    started: list[subprocess.Popen[str]] = []
    heirs: list[int] = []

    def start(*argv: str) -> tuple[subprocess.Popen[str], int, int]:
        owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(tmp_path), *argv], stdout=subprocess.PIPE, text=True)
        started.append(owner)
        assert owner.stdout is not None
        pid, heir, guard = map(int, owner.stdout.readline().split())
        heirs.append(heir)
        return owner, pid, guard

    yield start
    # The heirs first: they hold the other end of what is read from the owners.
    for heir in heirs:
        os.kill(heir, signal.SIGKILL)
    for owner in started:
        owner.kill()
        owner.communicate()


def _ends(pid: int, within: float) -> bool:
    """Whether a process, anyone's child, ends within the time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


def _await_text(path: Path, within: float = 10.0) -> str:
    deadline = time.monotonic() + within
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, f"{path} stays empty"
        time.sleep(0.01)
    return path.read_text().strip()


def test_output_environment_directory_and_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = Command(("sh", "-c", "echo $WORD in $PWD; echo loud >&2; exit 7"), env={"WORD": "hello"}, cwd=tmp_path, log=log)
    assert run(command, 10) == 7
    assert log.read_text() == f"hello in {tmp_path}\nloud\n"


def test_a_command_that_cannot_start_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"cannot start /nonexistent/program: .*No such file"):
        GuardedProcess(Command(("/nonexistent/program",))).start()
    with pytest.raises(TargetError, match="no user named nobody-of-that-name"):
        GuardedProcess(Command(("true",), user="nobody-of-that-name")).start()
    with pytest.raises(TargetError, match="cannot start true"):
        GuardedProcess(Command(("true",), log=tmp_path / "missing" / "log")).start()


def test_a_running_command_has_no_exit_code_and_a_signal_ends_it() -> None:
    process = GuardedProcess(Command(("sleep", "1000")))
    process.start()
    assert process.poll() is None
    assert Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"
    assert process.signal(signal.SIGUSR1)
    assert process.wait(10) == -signal.SIGUSR1
    assert not process.signal(signal.SIGTERM)
    assert process.stop() == -signal.SIGUSR1


def test_stop_uses_the_stop_signal_and_kill_does_not() -> None:
    for end, code in ((GuardedProcess.stop, -signal.SIGINT), (GuardedProcess.kill, -signal.SIGKILL)):
        process = GuardedProcess(Command(("sleep", "1000"), stop_signal=signal.SIGINT))
        process.start()
        assert end(process) == code


def test_the_stop_signal_is_heard_where_it_was_ignored_before() -> None:
    """As it is in a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = GuardedProcess(Command(("sleep", "1000"), stop_signal=signal.SIGINT))
    try:
        process.start()
        assert process.stop() == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_that_ignores_the_stop_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = GuardedProcess(Command(_STUBBORN, log=tmp_path / "log"))
    process.start()
    _await_text(tmp_path / "log")
    begun = time.monotonic()
    assert process.stop(grace=0.3) == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - begun < 5


def test_a_frozen_command_hears_the_stop_signal(tmp_path: Path) -> None:
    process = GuardedProcess(Command(("sleep", "1000"), grace=60))
    process.start()
    process.signal(signal.SIGSTOP)
    assert process.stop() == -signal.SIGTERM


def test_what_the_command_started_ends_too_even_in_a_session_of_its_own(tmp_path: Path) -> None:
    process = GuardedProcess(Command(_DAEMON, cwd=tmp_path))
    process.start()
    daemon = int(_await_text(tmp_path / "daemon"))
    process.signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert not _ends(daemon, 0)
    process.kill()
    assert _ends(daemon, 0)


def test_a_command_that_has_ended_before_it_is_waited_for_tells_its_exit_code() -> None:
    assert [run(Command(("true",)), 10) for _ in range(40)] == [0] * 40


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(TargetError, match=r"sleep did not end within 0\.1 s"):
        run(Command(("sleep", "1000")), 0.1)


def test_a_terminals_interrupt_does_not_reach_the_command() -> None:
    process = GuardedProcess(Command(("sleep", "1000")))
    process.start()
    assert os.getsid(process.pid) != os.getsid(0)
    process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as someone else")
def test_another_user_with_its_own_group_and_no_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(Command(("sh", "-c", "id -un; id -G; id -g"), user="nobody", log=log), 10)
    name, groups, group = log.read_text().split("\n")[:3]
    assert (name, groups) == ("nobody", group)


@pytest.mark.parametrize("argv", [("sleep", "1000"), _STUBBORN], ids=["obedient", "stubborn"])
def test_a_killed_owner_takes_the_command_and_its_directories_along(
    owner_of: StartOwner, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    owner, pid, guard = owner_of(*argv)
    assert (tmp_path / "removed" / "file").exists()
    owner.kill()
    assert _ends(pid, 2)
    assert _ends(guard, 5)
    assert not (tmp_path / "removed").exists()


def test_a_killed_owner_takes_daemons_along(owner_of: StartOwner, tmp_path: Path) -> None:
    owner, _, _ = owner_of(*_DAEMON)
    daemon = int(_await_text(tmp_path / "daemon"))
    owner.kill()
    assert _ends(daemon, 2)


def test_a_killed_guard_takes_the_command_along() -> None:
    process = GuardedProcess(Command(("sleep", "1000"), stop_signal=signal.SIGQUIT))
    process.start()
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
    assert _ends(process.pid, 2)
    assert process.wait(2) == -signal.SIGQUIT
    process.stop()
