"""The sign by which a finding shows without racehound: what a query returns, what a statement says, how a session ends."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from racehound.data.finding import Finding, normalise
from racehound.data.scene import Scene
from racehound.databases.postgres.handover.broken_rows import broken_rows
from racehound.databases.postgres.handover.names import Names
from racehound.databases.postgres.handover.needs import without_variables
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.script import ExpectedRows, Row, Sql

HANG_S = 10.0
"""Seconds after which a statement that has not ended hangs."""
Ending = Literal["", "hang", "crash"]

_CODE = re.compile(r"(?P<sqlstate>[0-9A-Z]{5}) (?P<message>.*)", re.DOTALL)
_OID = re.compile(r"\b\d{4,}\b")
"""Numbers that are others in each run."""
_LEAK = re.compile(r"(?P<sort>replication slot|prepared transaction) (?P<name>\S+) is still there")
_VARYING = {"OBJECT": r"\S+", "RUN": r"\S+", "N": r"\w+"}


@dataclasses.dataclass(frozen=True)
class Sign:
    """One of these: a query and its right rows, an error, an ending; and what is wrong, as a clause."""

    what: str
    query: str = ""
    expected: tuple[Row, ...] = ()
    """The rows that the query must return, as text. Others show the finding."""
    removal: str = ""
    """A statement that removes the rows that the query returns, where no DROP does."""
    sqlstate: str = ""
    error: str = ""
    """A regular expression for the message of the error."""
    ending: Ending = ""

    @property
    def known(self) -> bool:
        """Whether anything tells that the finding has shown."""
        return bool(self.query or self.error or self.ending)


def sign_of(finding: Finding, scene: Scene, names: Names) -> Sign:
    """The sign of a finding, in a scene whose names are to be `names`."""
    found = _rows(finding, scene, names) or _ending(finding, names) or _failure(finding, names)
    return found or Sign(names.read(finding.title))


def _rows(finding: Finding, scene: Scene, names: Names) -> Sign | None:
    rows, left = broken_rows(finding.title), _LEAK.match(finding.title)
    if rows is not None:
        return Sign(rows.what, query=rows.query, removal=rows.removal)
    if left is not None:
        return _leak(left["sort"], names.read(left["name"]))
    return _check(scene.check, names) if scene.check else None


def _ending(finding: Finding, names: Names) -> Sign | None:
    if finding.severity == "hang":
        return Sign("a statement does not end, though nobody holds what it waits for", ending="hang")
    if finding.severity == "crash":
        return Sign(f"a process of the server ends: {names.read(finding.title)}", ending="crash")
    return None


def _failure(finding: Finding, names: Names) -> Sign | None:
    error = _error(finding)
    if error is None:
        return None
    sqlstate, message = error
    what = f"a statement fails with {sqlstate} {_OID.sub('N', names.read(message))}"
    return Sign(what, sqlstate=sqlstate, error=_pattern(message))


def _leak(sort: str, name: str) -> Sign:
    what = f"the {sort} {name} is left when all sessions have ended"
    if sort == "replication slot":
        return Sign(what, query=f"SELECT slot_name, slot_type, active FROM pg_replication_slots WHERE slot_name = '{name}'")
    return Sign(what, query=f"SELECT gid, database FROM pg_prepared_xacts WHERE gid = '{name}'")


def _check(fragment: str, names: Names) -> Sign | None:
    """The last command of a check that states which rows it must return."""
    stated = [c for c in parse_fragment(fragment).commands if isinstance(c, Sql) and isinstance(c.expect, ExpectedRows)]
    if not stated:
        return None
    last = stated[-1]
    assert isinstance(last.expect, ExpectedRows)
    query = names.read(without_variables(last.text))
    rows = tuple(tuple(names.read(cell) for cell in row) for row in last.expect.rows)
    return Sign("a query returns other rows than must hold", query=query, expected=rows)


def _error(finding: Finding) -> tuple[str, str] | None:
    """SQLSTATE and message of the error that a finding is about."""
    failed = [s for s in finding.statements if s.status != "ok" and s.sqlstate and f"{s.sqlstate} {s.message}" in finding.title]
    if failed:
        return failed[-1].sqlstate, failed[-1].message
    said = _CODE.match(finding.title)
    return (said["sqlstate"], said["message"]) if said else None


def _pattern(message: str) -> str:
    """A regular expression for the message in any run: names and numbers may differ."""
    text = re.escape(normalise(message))
    return re.sub(r"\b(OBJECT|RUN|N)\b", lambda match: _VARYING[match[1]], text)
