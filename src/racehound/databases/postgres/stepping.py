"""PostgreSQL in lock-step: libpq's asynchronous calls, and `pg_blocking_pids` on a session of its own.

A schedule takes milliseconds, so that looking at the state after it must not take longer. What it costs is not reading a few
catalog rows but planning the queries again: every CREATE or DROP of a schema, operator or foreign server makes each session throw
its plans away (`ResetPlanCache`) when it next takes a lock that it does not hold. So the target's observers stay in one
transaction, whose locks on the catalogs they keep: they take no new ones, and do not learn of it. Read committed, every statement
still sees all that was committed, but names that a session has cached may be out of date. Hence what an observer finds inside the
transaction is only a suspicion, to be judged again outside. Measured on 18.6: 2.5 ms for a look at the catalogs instead of 11.
"""

from __future__ import annotations

import select
from collections.abc import Collection, Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from racehound.databases.postgres.cleanup import DatabaseCleaner
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.stepping import SteppedSession, Stepping
from racehound.errors import TargetError
from racehound.wire.session import LibpqSession

_LAST_TO_WAIT = "1ms"
_FIRST_TO_WAIT = "100ms"
"""How long sessions wait before they look for a deadlock (`deadlock_timeout`, for superusers only), once. The first to wait looks
late: by then the last one, which closes the cycle, has found it and has given up."""
_SYNTAX_ERROR = "42601"
_ANSWER_LIMIT_S = 0.05
_ROUNDS = 3

_BLOCKERS = """
PREPARE racehound_blockers (int[]) AS
SELECT p, array_to_string(pg_blocking_pids(p) || pg_safe_snapshot_blocking_pids(p), ' ') FROM unnest($1) AS p
"""


class PostgresStepping(Stepping):
    """See `databases.stepping.Stepping`. Made in a clean working database, and of no use after a rebuild."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target
        self._session = target.open("lockstep")
        may_set = self._session.execute(f"SET deadlock_timeout = '{_FIRST_TO_WAIT}'").ok
        self._option = f"-c deadlock_timeout={_FIRST_TO_WAIT}" if may_set else ""
        self._hasty: set[int] = set()
        """Sessions whose setting is another one since they were last reset."""
        self._broken = self._session.execute(_BLOCKERS).error
        # Planning for the values at hand takes longer than all the rest.
        target.observers[-1].execute("SET plan_cache_mode = force_generic_plan")
        self._cleaner = DatabaseCleaner(target.observers[-1], target.run_id)

    def open(self, session: str) -> LibpqSession:
        location, name = self._target.location, f"racehound {self._target.run_id} {session}"
        conninfo = location.conninfo(self._target.database)
        known = conninfo_to_dict(conninfo).get("options") or ""
        return LibpqSession.connect(make_conninfo(conninfo, options=f"{known} {self._option}".strip()), name)

    @property
    def pid(self) -> int:
        """Process id of the session that asks who waits for whom, and drops what is left."""
        return self._session.pid

    def prepare(self, session: SteppedSession, *, others_wait: bool) -> None:
        # Set every time, since a ROLLBACK takes the setting back.
        if self._option and (others_wait or session.pid in self._hasty):
            session.execute(f"SET deadlock_timeout = '{_LAST_TO_WAIT}'" if others_wait else "RESET deadlock_timeout")
            self._hasty.add(session.pid)

    def blockers(self, pids: Collection[int]) -> Mapping[int, tuple[int, ...]] | None:
        if self._broken is not None:
            return None
        self._session.send(f"EXECUTE racehound_blockers ('{{{','.join(map(str, pids))}}}')")
        waiting = self._session.fileno
        if waiting >= 0 and not select.select([waiting], (), (), _ANSWER_LIMIT_S)[0]:
            # The question itself waits, behind a statement that wants the catalogs which the observers have locked.
            self.end_fast_checks()
        outcome = self._session.finish()
        if outcome.rows is None:
            raise TargetError(f"who waits for whom cannot be asked: {outcome.error.message if outcome.error else outcome.status}")
        found = {int(pid or 0): tuple(map(int, (behind or "").split())) for pid, behind in outcome.rows.cells}
        if {pid for behind in found.values() for pid in behind} & {observer.pid for observer in self._target.observers}:
            self.end_fast_checks()
        return found

    def can_read(self, sql: str) -> bool:
        # PL/pgSQL has the SQL of a block parsed, also of what the block never comes to.
        quote = "$racehound_reads$"
        if quote in sql:
            return True
        outcome = self._session.execute(f"DO {quote}BEGIN RETURN; {sql}; END{quote}")
        return outcome.error is None or outcome.error.sqlstate != _SYNTAX_ERROR

    def begin_fast_checks(self) -> None:
        """Let the observers begin the transaction in which they look at schedule after schedule; see the module's words."""
        self._hasty.clear()
        if not self._target.owned:
            return  # on a server of somebody else's no transaction of ours stays open
        for observer in self._target.observers:
            if observer.transaction_status == pq.TransactionStatus.IDLE:
                observer.execute("BEGIN")
        # Or the transaction would see the sessions of its beginning for ever (PostgreSQL, `stats_fetch_consistency`).
        self._target.observers[-1].execute("SELECT pg_stat_clear_snapshot()")

    def end_fast_checks(self) -> None:
        """End that transaction: someone wants what it has locked, or what was seen in it is to be looked at again."""
        for observer in self._target.observers:
            if observer.transaction_status != pq.TransactionStatus.IDLE:
                observer.execute("ROLLBACK")

    def drop_leftovers(self) -> bool:
        left = self._cleaner.leftovers()
        for _ in range(_ROUNDS):
            if not left:
                return True
            for statement in left:
                self._session.execute(statement)  # what fails is named again by the next look
            left = self._cleaner.leftovers()
            if left:
                self.end_fast_checks()
        return not left

    def close(self) -> None:
        self.end_fast_checks()
        # They would keep the database from being dropped.
        prepared = self._session.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        for (gid,) in prepared.rows.cells if prepared.rows else []:
            self._session.execute("ROLLBACK PREPARED '{}'".format((gid or "").replace("'", "''")))
        self._session.close()
