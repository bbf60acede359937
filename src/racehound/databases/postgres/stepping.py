"""Lock-step for PostgreSQL uses libpq's asynchronous calls, and `pg_blocking_pids` on a separate session.

A schedule takes milliseconds, so the check of the catalogs after it must not take longer. Its main cost is planning the queries
again: after a CREATE or DROP of a schema, operator or foreign server, each session discards its plans (`ResetPlanCache`) when it
next takes a lock that it does not hold yet. Fast checks avoid this: the target's observers stay in one transaction and keep its
locks on the catalogs, so they take no new locks and keep their plans. In READ COMMITTED each statement still sees all committed
rows, but names that a session has cached may be out of date. Therefore every finding of a fast check is checked again outside of
the transaction. On PostgreSQL 18.6 a fast check of the catalogs took 2.5 ms, an ordinary one 11 ms.
"""

from __future__ import annotations

import select
from collections.abc import Collection, Mapping

from psycopg import pq

from racehound.databases.postgres.cleanup import DatabaseCleaner
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.stepping import SteppedSession, Stepping
from racehound.errors import TargetError
from racehound.wire.session import LibpqSession

_LAST_TO_WAIT = "1ms"
_FIRST_TO_WAIT = "100ms"
"""How long sessions wait for a lock before they check once for a deadlock (`deadlock_timeout`, which only superusers may set).
The session that waits first checks late. By then the last one, which closed the cycle, has found the deadlock and failed."""
_SYNTAX_ERROR = "42601"
_ANSWER_LIMIT_S = 0.05
_ROUNDS = 3

_BLOCKERS = """
PREPARE racehound_blockers (int[]) AS
SELECT p, array_to_string(pg_blocking_pids(p) || pg_safe_snapshot_blocking_pids(p), ' ') FROM unnest($1) AS p
"""


class PostgresStepping(Stepping):
    """See `databases.stepping.Stepping`. It must be made in a clean working database, and cannot be used after a rebuild."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target
        self._session = target.open("lockstep")
        may_set = self._session.execute(f"SET deadlock_timeout = '{_FIRST_TO_WAIT}'").ok
        self._option = f"-c deadlock_timeout={_FIRST_TO_WAIT}" if may_set else ""
        self._changed: set[int] = set()
        """Process ids of the sessions whose `deadlock_timeout` was changed since they were last reset."""
        self._broken = self._session.execute(_BLOCKERS).error
        # A custom plan for each execution would take longer than the execution.
        target.observers[-1].execute("SET plan_cache_mode = force_generic_plan")
        self._cleaner = DatabaseCleaner(target.observers[-1], target.run_id)

    def open(self, session: str) -> LibpqSession:
        return self._target.open_with(session, self._option)

    @property
    def pid(self) -> int:
        """Process id of the session that queries blockers and drops leftovers."""
        return self._session.pid

    def prepare(self, session: SteppedSession, *, others_wait: bool) -> None:
        # It is set before every statement, since a ROLLBACK undoes it.
        if self._option and (others_wait or session.pid in self._changed):
            session.execute(f"SET deadlock_timeout = '{_LAST_TO_WAIT}'" if others_wait else "RESET deadlock_timeout")
            self._changed.add(session.pid)

    def blockers(self, pids: Collection[int]) -> Mapping[int, tuple[int, ...]] | None:
        if self._broken is not None:
            return None
        self._session.send(f"EXECUTE racehound_blockers ('{{{','.join(map(str, pids))}}}')")
        waiting = self._session.fileno
        if waiting >= 0 and not select.select([waiting], (), (), _ANSWER_LIMIT_S)[0]:
            # This query waits behind a statement that waits for the catalogs that the observers have locked.
            self.end_fast_checks()
        outcome = self._session.finish()
        if outcome.rows is None:
            raise TargetError(f"pg_blocking_pids failed: {outcome.error.message if outcome.error else outcome.status}")
        found = {int(pid or 0): tuple(map(int, (behind or "").split())) for pid, behind in outcome.rows.cells}
        if {pid for behind in found.values() for pid in behind} & {observer.pid for observer in self._target.observers}:
            self.end_fast_checks()
        return found

    def can_read(self, sql: str) -> bool:
        # PL/pgSQL parses all SQL of a block, including statements that the block never reaches.
        quote = "$racehound_reads$"
        if quote in sql:
            return True
        outcome = self._session.execute(f"DO {quote}BEGIN RETURN; {sql}; END{quote}")
        return outcome.error is None or outcome.error.sqlstate != _SYNTAX_ERROR

    def begin_fast_checks(self) -> None:
        """Begin the transaction in which the observers check one schedule after another (see the module's docstring)."""
        self._changed.clear()
        if not self._target.owned:
            return  # no transaction may stay open on a server that racehound did not start
        for observer in self._target.observers:
            if observer.transaction_status == pq.TransactionStatus.IDLE:
                observer.execute("BEGIN")
        # Otherwise the transaction would always see the sessions of its first query (PostgreSQL, `stats_fetch_consistency`).
        self._target.observers[-1].execute("SELECT pg_stat_clear_snapshot()")

    def end_fast_checks(self) -> None:
        """End that transaction, since a session waits for its locks or a finding must be checked again."""
        for observer in self._target.observers:
            if observer.transaction_status != pq.TransactionStatus.IDLE:
                observer.execute("ROLLBACK")

    def drop_leftovers(self) -> bool:
        left = self._cleaner.leftovers()
        for _ in range(_ROUNDS):
            if not left:
                return True
            for statement in left:
                self._session.execute(statement)  # the next query returns a failed statement again
            left = self._cleaner.leftovers()
            if left:
                self.end_fast_checks()
        return not left

    def close(self) -> None:
        self.end_fast_checks()
        # A database with prepared transactions cannot be dropped.
        prepared = self._session.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        for (gid,) in prepared.rows.cells if prepared.rows else []:
            self._session.execute("ROLLBACK PREPARED '{}'".format((gid or "").replace("'", "''")))
        self._session.close()
