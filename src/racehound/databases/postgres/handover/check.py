"""A query that shows the broken reference that a finding is about."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r"(?P<catalog>pg_\w+)\.(?P<column>\w+) -> (?P<other>pg_\w+)\.oid: row missing")
_CLASSES = {"refobjid": "refclassid", "objid": "classid", "objoid": "classoid"}
"""Where a column may refer to any catalog, the one that says to which."""


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
