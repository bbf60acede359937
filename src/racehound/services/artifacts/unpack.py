"""Unpacks selected files of zip and tar archives, with their executable bits, and never outside the given directory."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from racehound.errors import UserError


def unpack(archive: Path, directory: Path, inside: Sequence[str]) -> None:
    """Unpack the files whose paths match one of the patterns (`*` also matches slashes) into a new directory.

    UserError when the file is not an archive or is broken, a pattern matches no path, or a path leads out of the directory.
    """
    directory.mkdir()
    unpack_it = _unpack_zip if zipfile.is_zipfile(archive) else _unpack_tar
    try:
        names = unpack_it(archive, directory, inside)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, KeyError) as error:
        raise UserError(f"cannot unpack {archive.name}: {error}") from error
    for pattern in inside:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"cannot unpack {archive.name}: it has no {pattern}")


def _unpack_zip(archive: Path, directory: Path, inside: Sequence[str]) -> list[str]:
    with zipfile.ZipFile(archive) as files:
        entries = [entry for entry in files.infolist() if not entry.is_dir() and _matches(entry.filename, inside)]
        for entry in entries:
            path = PurePosixPath(entry.filename)
            mode = entry.external_attr >> 16
            if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(mode):
                raise UserError(f"cannot unpack {archive.name}: {entry.filename} leads out of it")
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.open(entry) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
            # ZipFile.extract does not set the mode. Archives from other systems have none.
            target.chmod(stat.S_IMODE(mode) & 0o755 | 0o644)
        return [entry.filename for entry in entries]


def _unpack_tar(archive: Path, directory: Path, inside: Sequence[str]) -> list[str]:
    names: list[str] = []

    def wanted(files: tarfile.TarFile) -> Iterable[tarfile.TarInfo]:
        for entry in files:
            name = str(PurePosixPath(entry.name))
            if _matches(name, inside):
                names.append(name)
                yield entry

    with tarfile.open(archive) as files:
        # The filter `data` refuses paths that lead out of the directory, and keeps executable bits (PEP 706).
        files.extractall(directory, wanted(files), filter="data")
    return names


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
