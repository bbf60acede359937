"""Compares the files below a data directory with pg_class, for one database at rest of a server on the same machine.

For file names see "Database File Layout" in the PostgreSQL documentation. Two sorts of files without a row are legal. A file of
size 0 is the truncated first segment of a dropped relation, which remains until the next checkpoint. Files of temporary relations
(`t3_16400`) remain from a crash until the next start.
"""

from __future__ import annotations

import pathlib
import re

import msgspec

from racehound.errors import TargetError
from racehound.session import Session

_FILE = re.compile(r"(?P<node>\d+)(?:_(?:fsm|vm|init))?(?:\.\d+)?")
_ATTEMPTS = 3


class FileViolation(msgspec.Struct, frozen=True):
    """A relation without its file, or a file without its relation."""

    problem: str
    """`file missing` or `file orphaned`."""
    path: str
    """The path relative to the data directory."""
    relation: str
    """The relation's name, OID and kind; empty for an orphaned file."""


_EXPECTED = """
SELECT pg_catalog.pg_relation_filepath(c.oid),
       c.oid::pg_catalog.regclass::text || ' (' || c.oid || ', relkind ' || c.relkind::text || ')'
FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'i', 'S', 't', 'm') AND c.relpersistence <> 't' AND pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL"""

_DIRECTORIES = """
SELECT CASE t.spcname WHEN 'pg_default' THEN 'base/' || d.oid
       ELSE 'pg_tblspc/' || t.oid || '/PG_' || (current_setting('server_version_num')::int / 10000) || '_' || c.catalog_version_no
            || '/' || d.oid END
FROM pg_catalog.pg_tablespace t, pg_catalog.pg_database d, pg_catalog.pg_control_system() c
WHERE d.datname = pg_catalog.current_database() AND t.spcname <> 'pg_global'"""


def check_relation_files(session: Session, data_directory: pathlib.Path) -> list[FileViolation]:
    """The missing and orphaned files of the session's database that each of several checks in a row shows.

    Raises TargetError if the server does not answer, or if the data directory cannot be read.
    """
    seen = _look(session, data_directory)
    for _ in range(_ATTEMPTS - 1):
        if not seen:
            break
        again = set(_look(session, data_directory))
        seen = [violation for violation in seen if violation in again]
    return seen


def _look(session: Session, data_directory: pathlib.Path) -> list[FileViolation]:
    """Read the files before the rows: then a file that is created in between is not orphaned, and the file of a row exists."""
    files = _files(session, data_directory)
    expected = {path: relation for path, relation in _rows(session, _EXPECTED) if not path.startswith("global/")}
    missing = [
        FileViolation("file missing", path, relation)
        for path, relation in expected.items()
        if not (data_directory / path).exists()
    ]
    orphaned = [FileViolation("file orphaned", path, "") for path, owner in files.items() if owner not in expected]
    return [*missing, *orphaned]


def _files(session: Session, data_directory: pathlib.Path) -> dict[str, str]:
    """The path of every relation file that is not empty -> the path of its main fork's first segment."""
    found = {}
    for (directory,) in _rows(session, _DIRECTORIES):
        for name, match in _relation_files(data_directory / directory):
            found[f"{directory}/{name}"] = f"{directory}/{match['node']}"
    return found


def _relation_files(directory: pathlib.Path) -> list[tuple[str, re.Match[str]]]:
    if not directory.exists():
        # This database has no relation in that tablespace.
        return []
    found = []
    try:
        for entry in directory.iterdir():
            match = _FILE.fullmatch(entry.name)
            if match and _size(entry) > 0:
                found.append((entry.name, match))
    except OSError as error:
        raise TargetError(f"{directory} cannot be read: {error.strerror}") from error
    return found


def _size(path: pathlib.Path) -> int:
    """The size in bytes; 0 for a file that was removed after the directory was read."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _rows(session: Session, sql: str) -> list[tuple[str, ...]]:
    outcome = session.execute(sql)
    if outcome.rows is None:
        reason = outcome.error.message if outcome.error else outcome.status
        raise TargetError(f"the relation files could not be listed: {reason}")
    return [tuple(cell or "" for cell in row) for row in outcome.rows.cells]
