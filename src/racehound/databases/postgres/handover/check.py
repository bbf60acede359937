"""A query that shows the broken reference that a finding is about."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r"(?P<catalog>pg_\w+)\.(?P<column>\w+) -> (?P<other>pg_\w+)\.oid: row missing")
_CLASSES = {"refobjid": "refclassid", "objid": "classid", "objoid": "classoid"}
"""For columns that may refer to any catalog: the column that names the catalog."""


def check_of(title: str) -> str:
    """A query for the catalog rows with the missing reference that a finding's title names; empty for any other title."""
    said = _REFERENCE.match(title)
    if said is None:
        return ""
    catalog, column, other = said["catalog"], said["column"], said["other"]
    kind = _CLASSES.get(column)
    of_kind = f" AND c.{kind} = '{other}'::regclass" if kind else ""
    # This splits an oid, an oidvector and an array of oids alike. A spec for isolationtester must not contain braces.
    referred = f"regexp_split_to_table(btrim(c.{column}::text, chr(123) || chr(125)), '[ ,]+') AS r(oid)"
    return (
        f"SELECT c.* FROM {catalog} AS c, {referred} WHERE r.oid ~ '^[1-9]'{of_kind} "
        f"AND NOT EXISTS (SELECT FROM {other} AS o WHERE o.oid = r.oid::oid)"
    )
