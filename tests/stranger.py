"""Another user of the machine, who tries what tests tell them. Only root can act as one."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

UID = 64_321
"""A user id that nobody has."""
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user of the machine")
_T = TypeVar("_T")


def as_stranger(act: Callable[[], _T]) -> _T:
    """What the function returns when another user calls it. Its exception is raised."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiving)
        try:
            os.setgroups([])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
            result: tuple[bool, object] = (True, act())
        except BaseException as error:  # noqa: BLE001 it is raised in the test
            result = (False, error)
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(pickle.dumps(result))
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    fine, value = pickle.loads(told)
    if not fine:
        raise value
    return value  # type: ignore[no-any-return]


def readable(directories: Iterable[Path]) -> list[Path]:
    """The files below these directories that another user can read, and the directories whose names they can list."""
    paths = [path for directory in directories for path in (directory, *directory.rglob("*"))]
    assert any(path.is_file() for path in paths), "there is nothing to read"
    return as_stranger(lambda: [path for path in paths if _can_read(path)])


def _can_read(path: Path) -> bool:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with path.open("rb"):
                pass
    except OSError:
        return False
    return True


def command_lines() -> Iterator[str]:
    """The command lines of all processes, which every user can read."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
