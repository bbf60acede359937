"""The catalog-integrity oracle for PostgreSQL: is every reference between system catalog rows, and every count and flag, intact?

Orphans and dangling dependencies are the usual trace of a race between DDL statements, and nothing else shows them until much
later. So all of it is checked after every repetition, in one round trip:

- only rows of objects with an OID from `first_oid` on are looked at, through range scans of the primary keys, since a database
  cloned from a clean template can only be wrong where something was made since; catalogs of a few rows are looked at whole;
- catalogs that have no such row are left out: a first, tiny query names those that have, and for each combination of them a
  statement is kept prepared. At rest, when the sessions have destroyed their objects, few are left;
- references to pinned objects are not followed: PostgreSQL drops none of them;
- prepared statements, returning nothing but what is broken: one for the references, one for the rules. Everybody is at rest, so
  two sessions run them at the same time, a core each.

Measured on PostgreSQL 18.6 with two busy cores: 2 ms over a database with next to nothing in it, 6 ms over eight objects. The
server throws away every plan after a change of a schema, operator or foreign server (`ResetPlanCache`): then 9 and 21 ms, where
one session alone takes 10 and 32. The same query over every row takes 0.33 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from racehound.databases.postgres.oracles.catalog_map import read_catalog_map
from racehound.databases.postgres.oracles.catalog_queries import (
    EVERYTHING,
    FIRST_UNPINNED_OID,
    CatalogQuery,
    Scope,
    build_catalog_query,
    build_occupancy_query,
)
from racehound.databases.stepping import SteppedSession
from racehound.errors import TargetError
from racehound.session import Outcome

FIRST_NORMAL_OID = 16384
"""`FirstNormalObjectId`: the server gives no lower OID to what users create."""

_SETTINGS = (
    "SET search_path = pg_catalog, pg_temp",
    "SET jit = off",
    "SET plan_cache_mode = force_generic_plan",
    "SET lock_timeout = '30s'",
    # An index lookup for each of a few rows; without these the planner reads whole catalogs, whose statistics mislead it here.
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    # Ways that would never be chosen; not looking at them saves a quarter of the planning.
    "SET enable_memoize = off",
    "SET enable_material = off",
)
_STATEMENT = "racehound_catalog"
_OCCUPANCY = "racehound_catalog_occupancy"
_STATEMENTS_LIMIT = 100
"""Combinations of occupied catalogs kept prepared; each costs the server some 2 MB."""
_UNREADABLE = "XX"
"""SQLSTATE class of internal errors: the server stumbles over its own catalogs."""


class Violation(msgspec.Struct, frozen=True):
    """A row of a system catalog that is wrong."""

    check: str
    """What is wrong with it, e.g. `row missing`."""
    catalog: str
    column: str
    row: str
    """The object that the row belongs to, e.g. `pg_proc 16412`."""
    refers_to: str
    """What the column refers to, e.g. `pg_namespace 16411`; empty where the check is no reference."""
    target: str = ""
    """The column referred to, e.g. `pg_namespace.oid`."""
    describe: str = ""
    """The object in the server's words (`pg_describe_object`); empty where it has none any more."""

    @property
    def normalised(self) -> str:
        """The same text for the same defect in any run: without OIDs and names."""
        arrow = f" -> {self.target}" if self.target else ""
        return f"{self.catalog}.{self.column}{arrow}: {self.check}"


class CatalogOracle:
    """Checks the database that its sessions are connected to; they are the oracle's own and need to be a superuser's."""

    def __init__(
        self,
        session: SteppedSession,
        first_oid: int = FIRST_NORMAL_OID,
        *,
        helper: SteppedSession | None = None,
        legal_leftovers: bool = False,
    ) -> None:
        """Read the server's map of its catalogs and prepare the check.

        `first_oid`: the lowest OID that can have been given since the database was known to be clean. `helper`: another session,
        which then does half of the work at the same time. `legal_leftovers`: report also invalid indexes and unfinished
        detaches, which a failed CONCURRENTLY may lawfully leave behind. Raises CatalogCheckUnavailableError before PostgreSQL
        14, TargetError if the server does not answer.
        """
        self._session = session
        self._helper = helper
        for setting in _SETTINGS:
            for each in {session, helper or session}:
                self._require(each.execute(setting))
        self._map = read_catalog_map(session)
        self._legal_leftovers = legal_leftovers
        self._names = {catalog.oid: catalog.name for catalog in self._map.catalogs.values()}
        scope = Scope(first_oid, FIRST_UNPINNED_OID)
        settled = self._text(build_occupancy_query(self._map, scope, settled=True)).split()
        self._scope = msgspec.structs.replace(scope, settled=frozenset(settled))
        self._queries: dict[str, tuple[str, CatalogQuery]] = {}
        self._guess = ""
        """The catalogs that were occupied when the last look was taken."""
        for each in {session, helper or session}:
            self._require(each.execute(f"PREPARE {_OCCUPANCY} AS {build_occupancy_query(self._map, scope)}"))

    def check(self) -> list[Violation]:
        """What is wrong with rows made since `first_oid`; two looks agree on each violation. Raises TargetError."""
        return self._confirmed(self._look)

    def check_everything(self) -> list[Violation]:
        """The same over every row and reference, also to pinned objects: slow, and good against a blind spot of `check`."""
        query = build_catalog_query(self._map, EVERYTHING, legal_leftovers=self._legal_leftovers)
        return self._confirmed(lambda: self._violations(query, query.references, query.rules))

    def _look(self) -> list[Violation]:
        """One look at what is in scope now. In the meantime a worker may have made what the first look did not know of."""
        if self._helper is not None and self._guess:
            found = self._guessed(self._helper, self._guess)
            if found is not None:
                return found
        self._guess = self._text(f"EXECUTE {_OCCUPANCY}")
        name, query = self._prepared(self._guess)
        return self._violations(query, f"EXECUTE {name}", f"EXECUTE {name}_rules")

    def _guessed(self, helper: SteppedSession, guess: str) -> list[Violation] | None:
        """As if the same catalogs were occupied as the last time; None if others are, too, which the helper sees meanwhile."""
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
        """Name of the statements over these catalogs, and their query; prepared when first met in this combination."""
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
        """A transaction may end, or a worker tidy up, between the sessions' rest and the first look: what is broken stays so."""
        first = look()
        if not first:
            return []
        again = set(look())
        return [self._described(violation) for violation in first if violation in again]

    def _violations(self, query: CatalogQuery, references: str, rules: str) -> list[Violation]:
        """What both halves of a query return, run at the same time where there is a helper."""
        if self._helper is None:
            outcomes = [self._session.execute(references), self._session.execute(rules)]
        else:
            self._helper.send(rules)
            outcomes = [self._session.execute(references), self._helper.finish()]
        found = [violation for outcome in outcomes for violation in self._read(query, outcome)]
        return list(dict.fromkeys(found))

    def _read(self, query: CatalogQuery, outcome: Outcome) -> list[Violation]:
        if outcome.error is not None and outcome.error.sqlstate.startswith(_UNREADABLE):
            # The oracle reads nothing but catalogs, so it is they that the server cannot read.
            return [Violation(_without_numbers(outcome.error.message), "pg_catalog", "*", outcome.error.sqlstate, "")]
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
        """Where the row itself names the catalog, as `pg_depend` does."""
        if not int(address[0]):
            return ""
        name = self._names.get(int(address[0]), "no catalog")
        return f"{name}.oid" if address[2] == "0" else "pg_attribute.attrelid,attnum"

    def _described(self, violation: Violation) -> Violation:
        """With the server's words for the object; it may have none, or fail over what is broken, which says as much."""
        match = re.fullmatch(r"(\w+) (\d+)(?: column (-?\d+))?", violation.row)
        if match is None:
            return violation
        name, oid, column = match.groups(default="0")
        outcome = self._session.execute(f"SELECT pg_describe_object('pg_catalog.{name}'::regclass, {oid}, {column})")
        if outcome.error is not None:
            # Met on 18.3: the server crashes over an orphaned operator. What was found is told all the same.
            return msgspec.structs.replace(violation, describe=f"not describable: {outcome.error.message}")
        words = outcome.rows.cells[0][0] if outcome.rows else None
        return msgspec.structs.replace(violation, describe=words or "")

    def _require(self, outcome: Outcome) -> None:
        if not outcome.ok:
            reason = outcome.error.message if outcome.error else outcome.status
            raise TargetError(f"the catalog check could not run: {reason}")


def _without_numbers(message: str) -> str:
    return re.sub(r"\d+", "N", message)
