"""The footprint of an operation: the objects whose catalog rows it writes, the objects that those refer to, and those it locks.

The footprint is measured while the operation's transaction is open. The operation's own session sees the rows that it makes
(`xmin`), and another session sees the rows that it deletes or replaces (`xmax`). An operation outside of transactions has deleted
the rows that are missing afterwards. A row that was written in place, as VACUUM does it, is still there with other contents. The
server's map of its catalogs says to which object a row belongs and to which ones it refers. Objects are called by the names that
`pg_identify_object` returns, which are the same in every database.

An operation outside of transactions holds no lock any more when it is over. It is run again for each table while another session
holds that table: then it waits, and `pg_locks` says for which lock.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from racehound.data.footprint import Footprint
from racehound.databases.database import Footprints
from racehound.databases.postgres.kinds.base import PostgresKind
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

_PARTS = {"pg_enum": "enumtypid", "pg_auth_members": "roleid"}
"""Catalogs with OIDs whose rows are part of another object, and the column that says of which."""
_LARGE_OBJECTS = {"pg_largeobject_metadata": "oid", "pg_largeobject": "loid"}
"""Catalogs with the rows of large objects, and the column with the number of the object, which has no other name."""
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
_CLASS = "(SELECT c.relname::text FROM pg_class AS c WHERE c.oid = t.{})"
_SHARED_LOCK = "AccessShareLock"
_TABLES = """
SELECT oid::regclass::text FROM pg_class WHERE oid >= {first} AND relkind IN ('r', 'p') AND relpersistence <> 't'
AND relnamespace <> 'pg_toast'::regnamespace ORDER BY 1
"""
_AWAITED = "SELECT mode, 'heap', '{table}', '' FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"
_HELD = ("EXCLUSIVE", "ACCESS EXCLUSIVE")
"""The first one lets pass who only reads; many operations take a reader's lock before their own."""
_WAIT_LIMIT_S = 2.0
"""An operation that neither ends nor waits for the table by then, waits for something else."""
_LOOK_S = 0.002
_SLOTS = """
SELECT slot_name, concat_ws(' ', plugin, slot_type, two_phase, restart_lsn, confirmed_flush_lsn) FROM pg_replication_slots
WHERE NOT active
"""
_MAINTAINED = """
SELECT coalesce(sum(autovacuum_count + autoanalyze_count), 0)::text FROM pg_stat_all_tables WHERE relid >= {first}
"""
_TRIES = 3
"""So often an operation is measured at most, where the server's own maintenance wrote to the catalogs meanwhile."""
_SHARED_DEPENDENCIES = "pg_shdepend"
"""All databases share this catalog, but some of its rows concern objects of one database only."""
_SLOT_VIEW = "pg_replication_slots"

_Touched = tuple[str, ...]
"""How (`w`, `r`, or the mode of a lock), the catalog of an object, its name, and the catalog of the row."""
_Row = tuple[str, ...]
"""The same for one row, with its place and the transaction that made this version of it."""
_Result = TypeVar("_Result")


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
        transactional = side.may_be_transaction(self.target.dialect.allows_transaction)
        touched, tables = self._undisturbed(side, transactional=transactional)
        for table in () if transactional else tables:
            for mode in _HELD:
                awaited = self._in_clean_state(functools.partial(self._awaited, side, table, mode))
                touched += awaited
                if awaited:
                    break
        return self._footprint(touched, _numbers(side), transactional=transactional)

    def close(self) -> None:
        self._session.close()

    def _in_clean_state(self, measured: Callable[[], _Result]) -> _Result:
        try:
            return measured()
        finally:
            self._session.reset()
            if not self.target.reset():
                self._session.close()
                self.target.rebuild()
                self._open()

    def _undisturbed(self, side: Side, *, transactional: bool) -> tuple[list[_Touched], list[str]]:
        """What an operation touches, and the tables there were before."""
        for attempt in range(1, _TRIES + 1):
            before = self._maintained()
            result, after = self._in_clean_state(lambda: (self._measured(side, transactional=transactional), self._maintained()))
            if attempt == _TRIES or after == before:
                return result
        raise AssertionError("unreachable")

    def _maintained(self) -> str:
        return _cell(self.target.observer, _MAINTAINED.format(first=self._first))

    def _measured(self, side: Side, *, transactional: bool) -> tuple[list[_Touched], list[str]]:
        self._prepare(side)
        tables = [row[0] for row in _rows(self.target.observer, _TABLES.format(first=self._first))]
        there, slots = self._contents(), self._slots()
        commands = side.commands()
        if transactional:
            run_alone(Script((Sql("BEGIN"), *commands)), self._context(self._session))
            touched = self._written_by_transaction()
        else:
            before = int(_cell(self._session, "SELECT pg_current_xact_id()")) + 1
            run_alone(Script(commands), self._context(self._session))
            touched = self._written_since(before, there)
        touched += _written_in_place(there, self._contents())
        touched += [("w", _SLOT_VIEW, name, _SLOT_VIEW) for name in {name for name, _ in slots ^ self._slots()}]
        touched += _rows(self.target.observer, _LOCKS.format(pid=self._session.pid, first=self._first))
        return touched, tables

    def _prepare(self, side: Side) -> None:
        for step in side.preparation():
            run_alone(parse_fragment(step.fragment), self._context(self._session))
        if self._slots():
            # A slot only moves over what is on disk, and commits do not wait for that.
            for sql in ("BEGIN", "SET LOCAL synchronous_commit = on", "SELECT pg_logical_emit_message(true, '', '')", "COMMIT"):
                self._session.execute(sql)

    def _awaited(self, side: Side, table: str, mode: str) -> list[_Touched]:
        """The lock of a table that an operation waits for while another session holds the table in this mode."""
        self._prepare(side)
        holder = self.target.open("holder")
        try:
            for sql in ("BEGIN", f"LOCK TABLE ONLY {table} IN {mode} MODE"):
                if not holder.execute(sql).ok:
                    return []  # nobody may lock it
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(run_alone, Script(side.commands()), self._context(self._session))
                awaited = self._look_for(table, running)
                holder.execute("ROLLBACK")
                running.result()
            return awaited
        finally:
            holder.close()

    def _look_for(self, table: str, running: Future[None]) -> list[_Touched]:
        deadline = time.monotonic() + _WAIT_LIMIT_S
        while not running.done() and time.monotonic() < deadline:
            if awaited := _rows(self.target.observer, _AWAITED.format(table=table)):
                return awaited
            time.sleep(_LOOK_S)
        return []

    def _written_by_transaction(self) -> list[_Touched]:
        """The objects of the rows that the session's open transaction has inserted or deleted."""
        xid = _cell(self._session, "SELECT pg_current_xact_id_if_assigned()")
        if not xid:
            return []
        made = _rows(self._session, self._query(f"t.xmin = '{xid}'"))
        return made + _rows(self.target.observer, self._query(f"t.xmax = '{xid}'"))

    def _written_since(self, xid: int, there: Mapping[_Row, str]) -> list[_Touched]:
        """The objects of the rows that transactions from `xid` on have inserted, and those that `there` had and are missing."""
        made = _rows(self.target.observer, self._query(f"t.xmin::text::bigint >= {xid}"))
        left = {row[:4] for row in self._contents()}
        return [*made, *({row[:4] for row in there} - left)]

    def _contents(self) -> dict[_Row, str]:
        """The rows that belong or refer to objects of the working database: what identifies each version, and a digest."""
        found = _rows(self.target.observer, self._query("true", ", u.ctid, u.xmin, md5(u.contents)"))
        return {row[:-1]: row[-1] for row in found}

    def _slots(self) -> set[tuple[str, ...]]:
        """The replication slots that nobody uses, each with its state."""
        return set(_rows(self.target.observer, _SLOTS))

    def _footprint(self, touched: Sequence[_Touched], numbers: Mapping[str, str], *, transactional: bool) -> Footprint:
        found: dict[bool, set[str]] = {True: set(), False: set()}
        shared = set()
        for how, catalog, identity, place in touched:
            name = numbers.get(identity, identity)
            found[how == "w" or (how.endswith("Lock") and how != _SHARED_LOCK)].add(self._normal(f"{catalog} {name}"))
            if how == "w" and place != _SHARED_DEPENDENCIES and (place == _SLOT_VIEW or self._map.catalogs[place].shared):
                shared.add(self._normal(f"{place} {name}"))
        return Footprint(frozenset(found[True]), frozenset(found[False] - found[True]), transactional, frozenset(shared))

    def _normal(self, text: str) -> str:
        return re.sub(r"(pg_toast_)\d+", r"\1N", text.replace(f"{self.target.run_id}_", "").replace("public.", ""))

    def _query(self, condition: str, also: str = "") -> str:
        """For the objects to which the rows that meet a condition belong or refer. also: further columns, of the row `u`."""
        parts = [_touched(self._map, catalog, condition, self._first) for catalog in self._map.catalogs.values()]
        union = " UNION ALL ".join(filter(None, parts))
        name = "(SELECT i.identity FROM pg_identify_object(u.class::regclass, u.oid, 0) AS i)"
        return f"SELECT DISTINCT u.how, u.class, {name}, u.place{also} FROM ({union}) AS u"

    def _context(self, session: Session) -> Context:
        return Context(
            session=session,
            variables=dict(self.target.variables()),
            connect=LibpqSession.connect,
            support=self.target.dialect.script_support,
            max_tries=1,
        )


def _touched(map_: CatalogMap, catalog: Catalog, condition: str, first: int) -> str:
    """A query for the objects, from an OID on, to which the rows of a catalog that meet a condition belong or refer."""
    values: list[tuple[str, str, str]] = []
    keys = [key for key in map_.keys if key.catalog == catalog.name and len(key.columns) == 1 and not key.is_array]
    belonging = _PARTS.get(catalog.name) or (catalog.key[0] if catalog.key else "")
    if catalog.name in _BELONGING:
        of, column = _BELONGING[catalog.name]
        values.append((_CLASS.format(of), column, "w"))
        keys = []
    elif catalog.name in _LARGE_OBJECTS:
        values.append(("'pg_largeobject'", _LARGE_OBJECTS[catalog.name], "w"))
    elif catalog.key == ("oid",) and catalog.name not in _PARTS:
        values.append((f"'{catalog.name}'", "oid", "w"))
    if catalog.name in _REFERRING:
        of, column = _REFERRING[catalog.name]
        values.append((_CLASS.format(of), column, "r"))
    for key in keys:
        (column,) = key.columns
        if key.target_columns == ("oid",) and key.target not in (*_PARTS, *_LARGE_OBJECTS):
            values.append((f"'{key.target}'", column, "w" if column == belonging else "r"))
    if not values:
        return ""
    objects = ", ".join(f"({class_}, t.{column}, '{how}')" for class_, column, how in values)
    newest = ", ".join(f"t.{column}::oid" for _, column, _ in values)
    # Most rows are not about any object of the run. They are left out before the others are looked at.
    rows = f"SELECT t.*, t.ctid, t.xmin, t.xmax, t::text AS contents FROM {catalog.name} AS t WHERE greatest({newest}) >= {first}"
    columns = f"SELECT v.*, '{catalog.name}' AS place, t.ctid, t.xmin, t.contents FROM ({rows}) AS t"
    return f"{columns}, LATERAL (VALUES {objects}) AS v (class, oid, how) WHERE v.oid >= {first} AND {condition}"


def _written_in_place(before: Mapping[_Row, str], after: Mapping[_Row, str]) -> list[_Touched]:
    """The objects of rows that are still the same version, with other contents."""
    return [row[:4] for row, digest in after.items() if before.get(row, digest) != digest]


def _numbers(side: Side) -> dict[str, str]:
    """The names of objects that the server knows by a number only."""
    objects = (each for each in (side.target_object, side.target_object.refers_to) if isinstance(each, PostgresKind))
    return {each.ident: each.name for each in objects if each.ident.isdigit()}


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
