"""The core names no database: what it needs to know of one, the database's package says."""

from __future__ import annotations

import re
from pathlib import Path

import racehound

SOURCE = Path(racehound.__file__).parent
NAME = re.compile("postgres|materialize|pg_", re.IGNORECASE)
ALLOWED = {
    "wire/__init__.py": "the room is about the PostgreSQL protocol",
    "wire/session.py": "libpq, its connection strings and its messages",
    "session.py": "the fields of an error are those of the protocol",
    "testdrive/cells.py": "type OIDs are part of the protocol",
}
"""The modules outside the databases' packages and the services that may name one, each with its reason."""


def test_no_module_of_the_core_names_a_database_but_the_listed_ones() -> None:
    naming = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if NAME.search(path.read_text())}
    core = {path for path in naming if not path.startswith(("databases/", "services/"))}
    assert core <= ALLOWED.keys()
    assert len(ALLOWED) <= 5


def test_no_name_of_a_database_stands_in_the_modules_that_all_databases_share() -> None:
    shared = {path.name for path in (SOURCE / "databases").glob("*.py") if NAME.search(path.read_text())}
    assert shared <= {"addresses.py"}, "it reads connection strings of the PostgreSQL protocol"


def test_what_is_allowed_is_still_needed() -> None:
    """A module that names no database any more is no exception either."""
    assert [path for path in ALLOWED if not NAME.search((SOURCE / path).read_text())] == []
