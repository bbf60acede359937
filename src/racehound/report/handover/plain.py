"""A scene without racehound's variables, and what several forms of it need."""

from __future__ import annotations

import re

import msgspec

from racehound.data.scene import SETUP, Line, Scene

_RUN = "${racehound.run}"
_REFERENCE = re.compile(r"(?P<catalog>pg_\w+)\.(?P<column>\w+) -> (?P<other>pg_\w+)\.oid: row missing")
_CLASSES = {"refobjid": "refclassid", "objid": "classid", "objoid": "classoid"}
"""Where a column may refer to any catalog, the one that says to which."""


def plain(scene: Scene) -> Scene:
    """With names of its own where a run's id stood."""
    lines = tuple(msgspec.structs.replace(line, sql=line.sql.replace(_RUN, "rh").strip().rstrip(";")) for line in scene.lines)
    return msgspec.structs.replace(scene, lines=lines)


def blocks(scene: Scene) -> list[tuple[int, list[tuple[int, Line]]]]:
    """The turns, numbered from 1, in blocks of one session each."""
    found: list[tuple[int, list[tuple[int, Line]]]] = []
    for number, line in enumerate(scene.turns, 1):
        if not found or found[-1][0] != line.session:
            found.append((line.session, []))
        found[-1][1].append((number, line))
    return found


def setup_of(scene: Scene) -> list[str]:
    return [line.sql for line in scene.lines if line.session == SETUP]


def check_of(title: str) -> str:
    """A query for the rows of a catalog that refer to what is not there, if that is what a finding's title says; else empty."""
    said = _REFERENCE.match(title)
    if said is None:
        return ""
    catalog, column, other = said["catalog"], said["column"], said["other"]
    kind = _CLASSES.get(column)
    of_kind = f" AND c.{kind} = '{other}'::regclass" if kind else ""
    # An oid, an oidvector and an array of oids are taken apart alike. isolationtester could not hold the braces themselves.
    referred = f"regexp_split_to_table(btrim(c.{column}::text, chr(123) || chr(125)), '[ ,]+') AS r(oid)"
    return (
        f"SELECT c.* FROM {catalog} AS c, {referred} WHERE r.oid ~ '^[1-9]'{of_kind} "
        f"AND NOT EXISTS (SELECT FROM {other} AS o WHERE o.oid = r.oid::oid)"
    )
