"""The catalog-integrity oracle for PostgreSQL: it checks the references between system catalog rows, and their counts and flags.

Races between DDL statements often leave orphaned rows and dangling dependencies, which no other check shows until much later.
Therefore the catalogs are checked after every repetition. These rules keep the check fast:

- It reads only rows of objects with an OID from `first_oid` on, through range scans of the primary keys: a clone of a clean
  template can only have wrong rows among the newer ones. It reads all rows of catalogs that have only a few.
- It omits catalogs that have no such row. A first, small query names the others, and the statements for each combination of them
  stay prepared. At rest, when the sessions have destroyed their objects, few such catalogs remain.
- It does not follow references to pinned objects, since PostgreSQL drops none of them.
- One prepared statement checks the references and another one the rules. Both return only broken rows. Since all other sessions
  are at rest, two sessions run them at the same time.

Measured on PostgreSQL 18.6 with two busy cores: the check takes 2 ms in a nearly empty database, and 6 ms with eight objects. The
server discards every plan after a change of a schema, operator or foreign server (`ResetPlanCache`). The check then takes 9 and
21 ms, and with one session 10 and 32 ms. The same query over all rows takes 0.33 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from racehound.databases.postgres.oracles.catalog_map import read_catalog_map
from racehound.databases.postgres.oracles.catalog_queries import (
    EVERYTHING,
    CatalogQuery,
    Scope,
    build_catalog_query,
    build_occupancy_query,
)
from racehound.databases.stepping import SteppedSession
from racehound.errors import TargetError
from racehound.session import Outcome

FIRST_NORMAL_OID = 16384
"""`FirstNormalObjectId`: objects that users create have no lower OID, but for large objects, whose OID they may choose."""

_SETTINGS = (
    "SET search_path = pg_catalog, pg_temp",
    "SET jit = off",
    "SET plan_cache_mode = force_generic_plan",
    "SET lock_timeout = '30s'",
    # An index lookup for each of a few rows is best. Misled by statistics, the planner would otherwise read whole catalogs.
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    # The planner would never choose these. To exclude them saves a quarter of the planning time.
    "SET enable_memoize = off",
    "SET enable_material = off",
)
_STATEMENT = "racehound_catalog"
_OCCUPANCY = "racehound_catalog_occupancy"
_STATEMENTS_LIMIT = 100
"""The most combinations of catalogs whose statements stay prepared; each needs some 2 MB on the server."""
_UNREADABLE = "XX"
"""SQLSTATE class of internal errors, which the server reports when it cannot read its catalogs."""


class Violation(msgspec.Struct, frozen=True):
    """A row of a system catalog that is wrong."""

    check: str
    """The problem, e.g. `row missing`."""
    catalog: str
    column: str
    row: str
    """The object that the row belongs to, e.g. `pg_proc 16412`."""
    refers_to: str
    """The object that the column refers to, e.g. `pg_namespace 16411`; empty if the check is not about a reference."""
    target: str = ""
    """The column referred to, e.g. `pg_namespace.oid`."""
    describe: str = ""
    """The server's description of the object (`pg_describe_object`); empty if there is none."""

    @property
    def normalised(self) -> str:
        """The same text for the same defect in any run: without OIDs and names."""
        arrow = f" -> {self.target}" if self.target else ""
        return f"{self.catalog}.{self.column}{arrow}: {self.check}"


class CatalogOracle:
    """Checks the database of its sessions, which only the oracle uses, and which must be those of a superuser."""

    def __init__(
        self,
        session: SteppedSession,
        first_oid: int = FIRST_NORMAL_OID,
        *,
        helper: SteppedSession | None = None,
        legal_leftovers: bool = False,
    ) -> None:
        """Read the server's map of its catalogs and prepare the check.

        `first_oid`: objects with a lower OID are known to be intact. `helper`: a second session, which does half of the work at
        the same time. `legal_leftovers`: also report invalid indexes and unfinished detaches, which a failed CONCURRENTLY may
        legally leave. Raises CatalogCheckUnavailableError before PostgreSQL 14, TargetError if the server does not answer.
        """
        self._session = session
        self._helper = helper
        for setting in _SETTINGS:
            for each in {session, helper or session}:
                self._require(each.execute(setting))
        self._map = read_catalog_map(session)
        self._legal_leftovers = legal_leftovers
        self._names = {catalog.oid: catalog.name for catalog in self._map.catalogs.values()}
        scope = Scope(first_oid, self._map.first_unpinned)
        settled = self._text(build_occupancy_query(self._map, scope, settled=True)).split()
        self._scope = msgspec.structs.replace(scope, settled=frozenset(settled))
        self._queries: dict[str, tuple[str, CatalogQuery]] = {}
        self._guess = ""
        """The catalogs that had rows in scope at the last check."""
        for each in {session, helper or session}:
            self._require(each.execute(f"PREPARE {_OCCUPANCY} AS {build_occupancy_query(self._map, scope)}"))

    def check(self) -> list[Violation]:
        """The violations in rows from `first_oid` on that two checks in a row show. Raises TargetError."""
        return self._confirmed(self._look)

    def check_everything(self) -> list[Violation]:
        """The violations in all rows, and of references to pinned objects. It is slow, and finds what `check` may miss."""
        query = build_catalog_query(self._map, EVERYTHING, legal_leftovers=self._legal_leftovers)
        return self._confirmed(lambda: self._violations(query, query.references, query.rules))

    def _look(self) -> list[Violation]:
        """Check the rows that are in scope now, first with the catalogs that the last check found."""
        if self._helper is not None and self._guess:
            found = self._guessed(self._helper, self._guess)
            if found is not None:
                return found
        self._guess = self._text(f"EXECUTE {_OCCUPANCY}")
        name, query = self._prepared(self._guess)
        return self._violations(query, f"EXECUTE {name}", f"EXECUTE {name}_rules")

    def _guessed(self, helper: SteppedSession, guess: str) -> list[Violation] | None:
        """Check the catalogs in `guess`. None if the helper finds that other catalogs have rows in scope, too."""
        name, query = self._prepared(guess)
        self._session.send(f"EXECUTE {name}")
        occupied = helper.execute(f"EXECUTE {_OCCUPANCY}")
        fits = occupied.rows is not None and set((occupied.rows.cells[0][0] or "").split()) <= set(guess.split())
        rules = helper.execute(f"EXECUTE {name}_rules") if fits else occupied
        references = self._session.finish()
        if not fits:
            return None
        return list(dict.fromkeys(v for outcome in (references, rules) for v in self._read(query, outcome)))

    def _text(self, sql: str) -> str:
        """The only cell that a query returns."""
        outcome = self._session.execute(sql)
        self._require(outcome)
        return (outcome.rows.cells[0][0] or "") if outcome.rows else ""

    def _prepared(self, occupied: str) -> tuple[str, CatalogQuery]:
        """The name of the prepared statements over these catalogs, and their query. They are prepared at first use."""
        if occupied not in self._queries:
            if len(self._queries) == _STATEMENTS_LIMIT:
                for name, _ in self._queries.values():
                    self._require(self._session.execute(f"DEALLOCATE {name}"))
                    self._require((self._helper or self._session).execute(f"DEALLOCATE {name}_rules"))
                self._queries.clear()
            scope = msgspec.structs.replace(self._scope, occupied=frozenset(occupied.split()))
            query = build_catalog_query(self._map, scope, legal_leftovers=self._legal_leftovers)
            name = f"{_STATEMENT}_{len(self._queries)}"
            self._require(self._session.execute(f"PREPARE {name} AS {query.references}"))
            self._require((self._helper or self._session).execute(f"PREPARE {name}_rules AS {query.rules}"))
            self._queries[occupied] = name, query
        return self._queries[occupied]

    def _confirmed(self, look: Callable[[], list[Violation]]) -> list[Violation]:
        """The violations that a second check shows, too. Others vanish when a transaction ends or a worker cleans up."""
        first = look()
        if not first:
            return []
        again = set(look())
        return [self._described(violation) for violation in first if violation in again]

    def _violations(self, query: CatalogQuery, references: str, rules: str) -> list[Violation]:
        """The results of both halves of a query, which run at the same time if there is a helper."""
        if self._helper is None:
            outcomes = [self._session.execute(references), self._session.execute(rules)]
        else:
            self._helper.send(rules)
            outcomes = [self._session.execute(references), self._helper.finish()]
        found = [violation for outcome in outcomes for violation in self._read(query, outcome)]
        return list(dict.fromkeys(found))

    def _read(self, query: CatalogQuery, outcome: Outcome) -> list[Violation]:
        if outcome.error is not None and outcome.error.sqlstate.startswith(_UNREADABLE):
            # The oracle reads only catalogs. Therefore it is a catalog that the server cannot read.
            return [Violation(re.sub(r"\d+", "N", outcome.error.message), "pg_catalog", "*", outcome.error.sqlstate, "")]
        self._require(outcome)
        return [self._violation(query, row) for row in (outcome.rows.cells if outcome.rows else [])]

    def _violation(self, query: CatalogQuery, row: tuple[str | None, ...]) -> Violation:
        number, letter, *address = (cell or "" for cell in row)
        check = query.checks[int(number)]
        referring, referred = address[:3], address[3:]
        return Violation(
            query.problem(int(number), letter),
            check.catalog,
            check.column,
            self._address(referring),
            self._address(referred) if int(referred[0]) else "",
            check.target or self._target(referred),
        )

    def _address(self, address: list[str]) -> str:
        class_oid, oid, column = address
        name = self._names.get(int(class_oid), f"catalog {class_oid}")
        return f"{name} {oid}" if column == "0" else f"{name} {oid} column {column}"

    def _target(self, address: list[str]) -> str:
        """The column referred to, if the row itself names the catalog, as in `pg_depend`; else empty."""
        if not int(address[0]):
            return ""
        name = self._names.get(int(address[0]), "no catalog")
        return f"{name}.oid" if address[2] == "0" else "pg_attribute.attrelid,attnum"

    def _described(self, violation: Violation) -> Violation:
        """The violation with the server's description of the object, or with the error of `pg_describe_object`."""
        match = re.fullmatch(r"(\w+) (\d+)(?: column (-?\d+))?", violation.row)
        if match is None:
            return violation
        name, oid, column = match.groups(default="0")
        outcome = self._session.execute(f"SELECT pg_describe_object('pg_catalog.{name}'::regclass, {oid}, {column})")
        if outcome.error is not None:
            # 18.3 crashes when it describes an orphaned operator. The violation is reported nevertheless.
            return msgspec.structs.replace(violation, describe=f"not describable: {outcome.error.message}")
        words = outcome.rows.cells[0][0] if outcome.rows else None
        return msgspec.structs.replace(violation, describe=words or "")

    def _require(self, outcome: Outcome) -> None:
        if not outcome.ok:
            reason = outcome.error.message if outcome.error else outcome.status
            raise TargetError(f"the catalog check could not run: {reason}")
