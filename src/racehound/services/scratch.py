"""Scratch directories of a run. They are removed when the run ends, and by `racehound clean` when it was killed.

A scratch directory is called `racehound-<run id>-<random>` and contains a file `owner` that names the process which created it
(`owner.py`).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

import msgspec

from racehound.errors import RacehoundError, UserError
from racehound.services import credentials
from racehound.services.embedded.installation import server_user
from racehound.services.owner import Owner, may_live, myself

_MEMORY = Path("/dev/shm")  # noqa: S108 (its directories are made by mkdtemp)
_ENOUGH = 1_500_000_000
"""Bytes that must be free in memory: a server and its copy need some 100 MB, the WAL and tables of a storm the rest."""
_OWNER = "owner"
_RUN_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_NAME = re.compile(rf"racehound-({_RUN_ID.pattern})-[a-z0-9_]{{8}}")


class Leftover(msgspec.Struct, frozen=True):
    """A scratch directory whose run has ended."""

    path: Path
    run_id: str
    pid: int


def create(run_id: str, *, executable: bool = False) -> Path:
    """A new scratch directory of this process: in memory where 1.5 GB are free there, else in the temporary directory.

    `executable`: programs will be run from it, so a file system mounted `noexec` will not do. UserError for a run id that is not
    1 to 32 letters, digits, `_`, `.` and `-`.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UserError(f"run id {run_id!r}: use 1 to 32 letters, digits, _, . and -")
    path = Path(tempfile.mkdtemp(prefix=f"racehound-{run_id}-", dir=_root(executable=executable)))
    user = server_user()
    if user is not None:
        # The server runs as another user, whose group must be able to pass through, not to look around.
        os.chown(path, -1, pwd.getpwnam(user).pw_gid)
        path.chmod(0o710)
    credentials.write(path / _OWNER, msgspec.json.encode(myself()).decode())
    return path


def is_mine(path: Path) -> bool:
    """Whether this process created it as a scratch directory."""
    return _owner(path) == myself()


def leftovers() -> list[Leftover]:
    """The scratch directories of this user whose runs have ended, by path.

    Directories of live runs, of other process id namespaces (whose processes cannot be seen from here) and without a readable
    file `owner` are left out.
    """
    found = []
    for root in {_MEMORY, Path(tempfile.gettempdir())}:
        for path in root.glob("racehound-*"):
            owner = _owner(path)
            if owner is not None and not may_live(owner):
                found.append(Leftover(path, _run_id(path), owner.pid))
    return sorted(found, key=lambda leftover: leftover.path)


def remove(path: Path) -> None:
    """Remove a scratch directory of this process or of one that has ended.

    Nothing happens when it does not exist. RacehoundError when it is not a scratch directory of this user, or belongs to a live
    run.
    """
    if not os.path.lexists(path):
        return
    owner = _owner(path)
    if owner is None:
        raise RacehoundError(f"{path} is not a scratch directory of racehound's, or not this user's: left alone")
    if owner != myself() and may_live(owner):
        raise RacehoundError(f"{path} belongs to process {owner.pid}, which is alive: left alone")
    _remove_tree(path)


def _remove_tree(path: Path) -> None:
    """Remove a directory; what another process removes meanwhile (a guard, `racehound clean`) is removed just as well."""
    # The file `owner` is removed last: if this process is killed meanwhile, the rest is still recognised.
    try:
        entries = list(path.iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, onerror=_unless_missing)
        elif entry.name != _OWNER:
            entry.unlink(missing_ok=True)
    shutil.rmtree(path, onerror=_unless_missing)


def _unless_missing(_function: object, _path: str, raised: tuple[type[BaseException], BaseException, TracebackType]) -> None:
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]


def _root(*, executable: bool) -> Path:
    temporary = Path(tempfile.gettempdir())
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return temporary
    status = os.statvfs(_MEMORY)
    fits = status.f_bavail * status.f_frsize >= _ENOUGH and not (executable and status.f_flag & os.ST_NOEXEC)
    return _MEMORY if fits else temporary


def _run_id(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return match[1] if match else ""


def _owner(path: Path) -> Owner | None:
    """The process that created this scratch directory; None when it is not one, or not one of this user's."""
    if not _run_id(path):
        return None
    # A directory may vanish meanwhile, and those of other users may be unreadable.
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        status = path.lstat()
        if status.st_uid == os.geteuid() and path.is_dir() and not path.is_symlink():
            return msgspec.json.decode((path / _OWNER).read_bytes(), type=Owner)
    return None
