"""The footprint of an operation: the objects whose catalog rows it writes, the objects that those refer to, and those it locks.

The footprint is measured while the operation's transaction is open. The operation's own session sees the rows that it makes
(`xmin`), and another session sees the rows that it deletes or replaces (`xmax`). An operation outside of transactions has deleted
the rows that are missing afterwards. The server's map of its catalogs says to which object a row belongs and to which ones it
refers. Objects are called by the names that `pg_identify_object` returns, which are the same in every database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from racehound.data.footprint import Footprint
from racehound.databases.database import Footprints
from racehound.databases.postgres.oracles.catalog_map import Catalog, CatalogMap, read_catalog_map
from racehound.databases.postgres.target import PostgresTarget
from racehound.errors import TargetError
from racehound.run.session_script import run_alone
from racehound.scenarios.pairs import Side
from racehound.session import Session
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.script import Script, Sql
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

_NO_OBJECTS = ("pg_enum", "pg_auth_members", "pg_largeobject_metadata")
"""Catalogs with OIDs whose rows are part of another object, or have no name."""
_BELONGING = {
    "pg_depend": ("classid", "objid"),
    "pg_shdepend": ("classid", "objid"),
    "pg_description": ("classoid", "objoid"),
    "pg_shdescription": ("classoid", "objoid"),
    "pg_init_privs": ("classoid", "objoid"),
}
"""Columns that say to which object a row belongs, for catalogs whose rows may belong to an object of any catalog."""
_REFERRING = {"pg_depend": ("refclassid", "refobjid"), "pg_shdepend": ("refclassid", "refobjid")}
_LOCKS = """
SELECT mode, 'heap', relation::regclass::text, '' FROM pg_locks
WHERE pid = {pid} AND locktype = 'relation' AND relation >= {first} AND database > 0 AND granted
UNION ALL
SELECT mode, classid::regclass::text, (SELECT i.identity FROM pg_identify_object(classid, objid, 0) AS i), '' FROM pg_locks
WHERE pid = {pid} AND locktype = 'object' AND objid >= {first} AND objsubid = 0 AND granted
"""
_SHARED_LOCK = "AccessShareLock"
_SHARED_DEPENDENCIES = "pg_shdepend"
"""All databases share this catalog, but some of its rows concern objects of one database only."""


class CatalogFootprints(Footprints):
    """Measures footprints in the working database of a target."""

    def __init__(self, target: PostgresTarget) -> None:
        self.target = target
        self.target.rebuild()
        self._open()
        self._map = read_catalog_map(self._session)

    def _open(self) -> None:
        self._session = self.target.open("surveyor")
        self._first = int(_cell(self._session, "SELECT oid FROM pg_database WHERE datname = current_database()"))

    def measure(self, side: Side) -> Footprint:
        """The footprint of an operation. CommandFailed when it does not succeed alone."""
        try:
            return self._measured(side)
        finally:
            self._session.reset()
            if not self.target.reset():
                self._session.close()
                self.target.rebuild()
                self._open()

    def close(self) -> None:
        self._session.close()

    def _measured(self, side: Side) -> Footprint:
        for step in side.preparation():
            run_alone(parse_fragment(step.fragment), self._context(self._session))
        commands = side.commands()
        transactional = side.may_be_transaction(self.target.dialect.allows_transaction)
        if transactional:
            run_alone(Script((Sql("BEGIN"), *commands)), self._context(self._session))
            return self._footprint(self._written_by_transaction(), transactional=True)
        before = int(_cell(self._session, "SELECT pg_current_xact_id()")) + 1
        there = _rows(self.target.observer, self._query("true"))
        run_alone(Script(commands), self._context(self._session))
        return self._footprint(self._written_since(before, there), transactional=False)

    def _written_by_transaction(self) -> list[tuple[str, ...]]:
        """The objects of the rows that the session's open transaction has inserted or deleted."""
        xid = _cell(self._session, "SELECT pg_current_xact_id_if_assigned()")
        if not xid:
            return []
        made = _rows(self._session, self._query(f"t.xmin = '{xid}'"))
        return made + _rows(self.target.observer, self._query(f"t.xmax = '{xid}'"))

    def _written_since(self, xid: int, there: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """The objects of the rows that transactions from `xid` on have inserted, and those that `there` had and are missing."""
        made = _rows(self.target.observer, self._query(f"t.xmin::text::bigint >= {xid}"))
        return [*made, *({*there} - {*_rows(self.target.observer, self._query("true"))})]

    def _footprint(self, written: Sequence[tuple[str, ...]], *, transactional: bool) -> Footprint:
        touched = [*written, *_rows(self.target.observer, _LOCKS.format(pid=self._session.pid, first=self._first))]
        found: dict[bool, set[str]] = {True: set(), False: set()}
        shared = set()
        for how, catalog, name, place in touched:
            found[how == "w" or (how.endswith("Lock") and how != _SHARED_LOCK)].add(self._normal(f"{catalog} {name}"))
            if how == "w" and place != _SHARED_DEPENDENCIES and self._map.catalogs[place].shared:
                shared.add(self._normal(f"{place} {name}"))
        return Footprint(frozenset(found[True]), frozenset(found[False] - found[True]), transactional, frozenset(shared))

    def _normal(self, text: str) -> str:
        return re.sub(r"(pg_toast_)\d+", r"\1N", text.replace(f"{self.target.run_id}_", "").replace("public.", ""))

    def _query(self, condition: str) -> str:
        parts = [_touched(self._map, catalog, condition) for catalog in self._map.catalogs.values()]
        union = " UNION ALL ".join(filter(None, parts))
        name = "(SELECT i.identity FROM pg_identify_object(u.class::regclass, u.oid, 0) AS i)"
        return f"SELECT DISTINCT u.how, u.class, {name}, u.place FROM ({union}) AS u WHERE u.oid >= {self._first}"

    def _context(self, session: Session) -> Context:
        return Context(
            session=session,
            variables=dict(self.target.variables()),
            connect=LibpqSession.connect,
            support=self.target.dialect.script_support,
            max_tries=1,
        )


def _touched(map_: CatalogMap, catalog: Catalog, condition: str) -> str:
    """A query for the objects to which the rows of a catalog that meet a condition belong or refer."""
    values = []
    keys = [key for key in map_.keys if key.catalog == catalog.name and len(key.columns) == 1 and not key.is_array]
    if catalog.name in _BELONGING:
        of, oid = _BELONGING[catalog.name]
        values.append(f"((SELECT c.relname::text FROM pg_class AS c WHERE c.oid = t.{of}), t.{oid}, 'w')")
        keys = []
    elif catalog.key == ("oid",) and catalog.name not in _NO_OBJECTS:
        values.append(f"('{catalog.name}', t.oid, 'w')")
    if catalog.name in _REFERRING:
        of, oid = _REFERRING[catalog.name]
        values.append(f"((SELECT c.relname::text FROM pg_class AS c WHERE c.oid = t.{of}), t.{oid}, 'r')")
    for key in keys:
        if key.target_columns == ("oid",) and key.target not in _NO_OBJECTS:
            values.append(f"('{key.target}', t.{key.columns[0]}, '{'r' if values else 'w'}')")
    if not values:
        return ""
    columns = f"SELECT v.*, '{catalog.name}' AS place FROM {catalog.name} AS t"
    return f"{columns}, LATERAL (VALUES {', '.join(values)}) AS v (class, oid, how) WHERE {condition}"


def _rows(session: Session, sql: str) -> list[tuple[str, ...]]:
    outcome = session.execute(sql)
    if outcome.rows is None:
        raise TargetError(
            f"the footprint of an operation cannot be read: {outcome.error.message if outcome.error else 'no rows'}"
        )
    return [tuple(cell or "" for cell in row) for row in outcome.rows.cells]


def _cell(session: Session, sql: str) -> str:
    outcome = session.execute(sql)
    if outcome.rows is None or not outcome.rows.cells:
        raise TargetError(f"{sql}: {outcome.error.message if outcome.error else 'no row'}")
    return outcome.rows.cells[0][0] or ""
