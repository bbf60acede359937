"""Rows of the catalogs that all databases share which name an object that is gone, and their removal.

Races leave such rows: the comment of a dropped role, the membership of one, a setting of a dropped database. DROP cannot remove
them, since there is nothing left to drop. On a server of the user's racehound removes those that a repetition of its own has
left, and no others. The list of these is kept as the comment of the run's role (`note`), so that `racehound clean` knows it, too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

import msgspec

from racehound.session import Session

_ROUNDS = 3
"""When a row is gone, what refers to it is broken."""


class BrokenRow(msgspec.Struct, frozen=True):
    """A row of a shared catalog that names at least one object that does not exist."""

    statement: str
    """The statement that removes the row; no two rows have the same."""
    oldest: int
    """The lowest OID of the missing objects."""
    whole: bool
    """Whether the row has no meaning without them. Else it belongs to an object that exists, whose privileges it holds."""
    own: int
    """The OID of the row; 0 where it has none."""


_CATALOGS_SINCE = {
    "pg_authid": 0,
    "pg_database": 0,
    "pg_tablespace": 0,
    "pg_subscription": 0,
    "pg_parameter_acl": 150000,
    "pg_auth_members": 160000,
}
"""Shared catalogs whose rows are found by their OID, and the release from which on that is so."""


def _exists(version: int, class_oid: str, oid: str) -> str:
    """An SQL condition: the object of a shared catalog exists, or the catalog is none of those whose rows are found by OID."""
    catalogs = [name for name, since in _CATALOGS_SINCE.items() if version >= since]
    cases = " ".join(
        f"WHEN 'pg_catalog.{name}'::regclass THEN EXISTS (SELECT FROM pg_catalog.{name} WHERE oid = {oid})" for name in catalogs
    )
    return f"(CASE {class_oid} {cases} ELSE true END)"


def _missing(catalog: str, *oids: str) -> str:
    """An SQL expression: an array of those OIDs whose object is missing in the catalog; 0 names no object."""
    found = " UNION ALL ".join(
        f"SELECT {oid}::int8 WHERE {oid} <> 0 AND NOT EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid = {oid})" for oid in oids
    )
    return f"ARRAY({found})"


def _acl(catalog: str, column: str, name: str) -> str:
    """Privileges of, or given by, a missing role, in the row of an object that exists."""
    kept = f"SELECT array_agg(a) FROM unnest({column}) AS a WHERE NOT a::text ~ %L"
    return f"""
SELECT format('UPDATE pg_catalog.{catalog} SET {column} = ({kept}) WHERE {name} = %L', '(^|/)(' || string_agg(DISTINCT g, '|')
  || ')(=|$)', c.{name}), min(g::int8), false, 0::int8
FROM pg_catalog.{catalog} c CROSS JOIN LATERAL aclexplode(c.{column}) x
  CROSS JOIN LATERAL (VALUES (x.grantor::text), (x.grantee::text)) r(g)
WHERE g <> '0' AND NOT EXISTS (SELECT FROM pg_catalog.pg_authid WHERE oid = g::oid) GROUP BY c.{name}"""


def _arms(version: int) -> Iterable[str]:
    """Queries for the fields of `BrokenRow`."""
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_shdescription WHERE objoid = %s AND classoid = %s', objoid, classoid),
  objoid::int8, true, 0::int8
FROM pg_catalog.pg_shdescription WHERE NOT {_exists(version, "classoid", "objoid")}"""
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_shseclabel WHERE objoid = %s AND classoid = %s AND provider = %L', objoid, classoid,
  provider), objoid::int8, true, 0::int8
FROM pg_catalog.pg_shseclabel WHERE NOT {_exists(version, "classoid", "objoid")}"""
    missing = f"{_missing('pg_database', 's.setdatabase')} || {_missing('pg_authid', 's.setrole')}"
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_db_role_setting WHERE setdatabase = %s AND setrole = %s', setdatabase, setrole),
  (SELECT min(m) FROM unnest({missing}) m), true, 0::int8
FROM pg_catalog.pg_db_role_setting s WHERE cardinality({missing}) > 0"""
    # Before 16 DROP ROLE did not look at the grantors of memberships.
    missing = _missing("pg_authid", "m.roleid", "m.member", *(("m.grantor",) if version >= 160000 else ()))
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_auth_members WHERE roleid = %s AND member = %s AND grantor = %s', roleid, member,
  grantor), (SELECT min(o) FROM unnest({missing}) o), true, {"m.oid::int8" if version >= 160000 else "0::int8"}
FROM pg_catalog.pg_auth_members m WHERE cardinality({missing}) > 0"""
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_subscription WHERE oid = %s', oid), subdbid::int8, true, oid::int8
FROM pg_catalog.pg_subscription s WHERE cardinality({_missing("pg_database", "s.subdbid")}) > 0"""
    yield """
SELECT format('SELECT pg_catalog.pg_replication_origin_drop(%L)', roname), split_part(roname, '_', 2)::int8, true, 0::int8
FROM pg_catalog.pg_replication_origin WHERE roname ~ '^pg_[0-9]+(_[0-9]+)?$'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_subscription WHERE oid::text = split_part(roname, '_', 2))"""
    yield f"""
SELECT format('DELETE FROM pg_catalog.pg_shdepend WHERE dbid = %s AND classid = %s AND objid = %s AND objsubid = %s '
  'AND refclassid = %s AND refobjid = %s AND deptype = %L', dbid, classid, objid, objsubid, refclassid, refobjid, deptype),
  least(CASE WHEN NOT {_exists(version, "'pg_database'::regclass", "dbid")} AND dbid <> 0 THEN dbid::int8 END,
    CASE WHEN dbid = 0 AND NOT {_exists(version, "classid", "objid")} THEN objid::int8 END,
    CASE WHEN NOT {_exists(version, "refclassid", "refobjid")} THEN refobjid::int8 END), true, 0::int8
FROM pg_catalog.pg_shdepend
WHERE dbid <> 0 AND NOT {_exists(version, "'pg_database'::regclass", "dbid")}
  OR dbid = 0 AND deptype <> 'p' AND NOT {_exists(version, "classid", "objid")}
  OR NOT {_exists(version, "refclassid", "refobjid")}"""
    yield _acl("pg_database", "datacl", "datname")
    yield _acl("pg_tablespace", "spcacl", "spcname")
    if version >= 150000:
        yield _acl("pg_parameter_acl", "paracl", "parname")


def broken_rows(session: Session) -> list[BrokenRow]:
    """All rows of shared catalogs that name a missing object. Empty where the session may not read these catalogs."""
    version = session.execute("SHOW server_version_num")
    if version.rows is None:
        return []
    outcome = session.execute(" UNION ALL ".join(_arms(int(version.rows.cells[0][0] or 0))) + " ORDER BY 1")
    cells = outcome.rows.cells if outcome.rows else []
    return [BrokenRow(statement or "", int(oldest or 0), whole == "t", int(own or 0)) for statement, oldest, whole, own in cells]


def note(session: Session, owner: str, rows: Iterable[BrokenRow]) -> None:
    """Keep a list of rows that the run has left, as the comment of its role. It goes with the role."""
    text = json.dumps(sorted(row.statement for row in rows)).replace("'", "''")
    session.execute(f"COMMENT ON ROLE {owner} IS '{text}'")


def noted(session: Session, owner: str) -> frozenset[str]:
    """The statements for the rows in such a list; none where there is none."""
    outcome = session.execute(f"SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{owner}'")
    text = outcome.rows.cells[0][0] if outcome.rows and outcome.rows.cells else None
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return frozenset()  # somebody else has commented on the role
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def remove_rows(session: Session, statements: Collection[str]) -> list[str]:
    """Remove the broken rows that these statements are for, and what is broken by that. Returns the statements that were run.

    A statement that is for no row that is broken now is not run, whatever it says.
    """
    done: list[str] = []
    gone: set[int] = set()
    for _ in range(_ROUNDS):
        doomed = [row for row in broken_rows(session) if row.whole and (row.statement in statements or row.oldest in gone)]
        removed = [row for row in doomed if session.execute(row.statement).ok]
        done += [row.statement for row in removed]
        gone |= {row.own for row in removed if row.own}
        if not removed:
            break
    return done
