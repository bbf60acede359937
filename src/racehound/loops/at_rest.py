"""Retry at rest: a statement that failed with an internal or an unexplained error is run again when everybody rests.

If it fails the same way again, the error is no passing one: something is broken and stays so. Whether that needs a race at all is
asked by `loops.serial_orders`.

- Nothing may remain of a retry, so that it changes no other judgement. Therefore it comes after all oracles at rest, and before
  anything is dropped. The statement is run in a transaction that is rolled back, in the session that it failed in, where that is
  still connected: only this session has the caches that it had. What its transaction had done before it is done before it again,
  and so are the statements that had changed the state of the session, such as SET and PREPARE. An error that lasts there is asked
  for in a new session, too: one that only the old session gets is no damage of what is stored.
- What cannot stand in a transaction is run on a clone of the working database.
- What all databases of the server share is in no clone. It is run last, in the working database. If it succeeds, the teardown is
  left out, and the next repetition gets a new working database.

What is not rolled back: values that sequences have handed out, and what the statement does outside of the server's transactions.
The dialect names statements that must not be run again (`no_retry`).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from typing import Protocol

from racehound.data.history import Recorder, Retried, Statement, statement_numbers
from racehound.databases.dialect import Dialect
from racehound.databases.target import Clone, Target
from racehound.errors import TargetError
from racehound.judge.dependencies import ends_transaction
from racehound.judge.oracle import ObservedHistory
from racehound.loops.retry import Place, Retry, retries
from racehound.session import Outcome, ServerError, Session
from racehound.testdrive.redaction import HIDDEN, redact, scrub_outcome
from racehound.testdrive.statements import split_statements

_QUERY = re.compile(r"\s*(?:SELECT|VALUES|TABLE|SHOW)\b", re.IGNORECASE)
"""Statements that every database takes in a transaction, if it has transactions at all."""
_CANCELLED = "57014"


class RestingHost(Protocol):
    """What a retry needs of the host of the sessions (`loops.repetition.SessionHost`)."""

    @property
    def target(self) -> Target: ...

    @property
    def recorder(self) -> Recorder: ...

    @property
    def statement_limit_s(self) -> float: ...

    def resting_session(self, name: str) -> Session:
        """The session of that name, whose statements are not recorded; a new one if its connection was lost. TargetError."""

    def disconnect(self) -> None:
        """Close all sessions."""

    def reconnect(self) -> None:
        """Called after `disconnect`: sessions can be used again, and are new ones. TargetError."""


class AtRest:
    """Runs statements of one repetition again, and records what became of them."""

    def __init__(self, host: RestingHost, repetition: int) -> None:
        self._host = host
        self._target = host.target
        self._dialect: Dialect = host.target.dialect
        self._repetition = repetition
        self._numbers: dict[int, int] = {}
        self._gone = ""
        """Why nothing can be run again any more; empty as long as it can."""
        self.changed = False
        """Whether a retry has changed the working database: then nothing else may be judged in it."""
        self.lasting: list[tuple[Retry, Retried]] = []
        """Internal errors that last."""
        self.known: set[int] = set()
        """Identities of the statements that were judged."""

    def run(self, history: ObservedHistory, unjudged: str = "") -> None:
        """Run again what failed and was not run again yet. `unjudged`: why the state at rest could not be judged."""
        found = retries(history, self.known)
        if not found:
            return
        self._numbers = statement_numbers(self._repetition, history.events)
        self.known |= {id(statement) for retry in found for statement in retry.failed}
        self._gone = self._gone or unjudged
        by_way: dict[str, list[Retry]] = {"transaction": [], "clone": [], "last": []}
        for retry in found:
            way, reason = self._way(retry, history)
            if reason:
                self._record(retry, "passing" if way else "not retried", reason=reason)
            else:
                by_way[way].append(retry)
        for retry in by_way["transaction"]:
            self._in_transaction(retry)
        if by_way["clone"]:
            self._on_clones(by_way["clone"])
        for retry in by_way["last"]:
            self._last(retry)

    def _way(self, retry: Retry, history: ObservedHistory) -> tuple[str, str]:
        """How it is run again; and, where it need not be or must not be, why. The way is then empty if it must not be."""
        texts = (*retry.settings, *retry.before, retry.sql)
        if any(HIDDEN in text for text in texts):
            return "", "a password in its text is not kept"
        if reason := next(filter(None, map(self._dialect.no_retry, texts)), ""):
            return "", reason
        if self._dialect.is_shared(retry.sql) and not retry.in_transaction:
            last = retry.failed[-1]
            later = (s for s in history.statements if s.session == retry.session and s.start_ns >= last.end_ns)
            if any(s.sql == last.sql and s.status == "ok" for s in later):
                return "last", "the same session ran it again later, and it succeeded"
            return "last", ""
        return ("transaction" if self._may_be_rolled_back(retry) else "clone"), ""

    def _may_be_rolled_back(self, retry: Retry) -> bool:
        parts = [part for part, _ in split_statements(retry.sql)]
        if any(part.split(None, 1)[0].upper() in ("BEGIN", "START") or ends_transaction(part) for part in parts):
            return False
        allowed = self._dialect.allows_transaction(f"> {retry.sql}\n")
        return retry.in_transaction or allowed or bool(_QUERY.match(retry.sql))

    # The three ways

    def _in_transaction(self, retry: Retry) -> None:
        start_ns = time.monotonic_ns()
        try:
            session = self._usable_session(retry)
            outcome = self._after_its_transaction(session, retry)
        except TargetError as error:
            self._record(retry, "not retried", reason=str(error))
            return
        if outcome.status != "lost":
            session.execute("ROLLBACK")
            session.reset()
        lasting, _ = retry.split(outcome.error)
        only_here = lasting is not None and self._dialect.is_internal(lasting.failed[0]) and not self._fails_anew(lasting)
        self._judge(retry, outcome, "in a transaction", start_ns, only_its_session=only_here)

    def _fails_anew(self, retry: Retry) -> bool:
        """Whether the statement fails in the same way in a new session; False, too, where that cannot be known."""
        try:
            with contextlib.closing(self._target.open(retry.session)) as session:
                self._set_up(session, retry)
                return retry.fails_the_same_way(self._after_its_transaction(session, retry))
        except TargetError:
            return False

    def _after_its_transaction(self, session: Session, retry: Retry) -> Outcome:
        """The outcome of the statement in a transaction that is still open.

        What had been done before it is left out where it fails now: another try of the same step may have done it since.
        """
        here, before = self._here(), list(retry.before)
        while True:
            _must_begin(session)
            for at, sql in enumerate(before):
                outcome = here.run(session, sql)
                if outcome.status == "lost":
                    return outcome
                if not outcome.ok:
                    session.execute("ROLLBACK")
                    del before[at]
                    break
            else:
                return here.run(session, retry.sql)

    def _here(self) -> Place:
        return Place(self._target, self._target.variables(), self._host.statement_limit_s)

    def _on_clones(self, found: Sequence[Retry]) -> None:
        """Each on a clone of its own. No session may be connected to the working database while it is copied."""
        if reason := self._gone or self._target.no_clone:
            for retry in found:
                self._record(retry, "not retried", reason=reason)
            return
        self._host.disconnect()
        for retry in found:
            start_ns = time.monotonic_ns()
            try:
                with self._target.clone() as clone:
                    session = clone.open(retry.session)
                    try:
                        outcome = self._alone(session, retry, clone)
                    finally:
                        session.close()
            except TargetError as error:
                self._record(retry, "not retried", reason=str(error))
            else:
                self._judge(retry, outcome, "on a clone", start_ns)
        self._host.reconnect()

    def _alone(self, session: Session, retry: Retry, clone: Clone) -> Outcome:
        """The outcome of a statement on a clone, with all that belongs to it."""
        there = Place(self._target, clone.variables, self._host.statement_limit_s, (self._target.database, clone.database))
        begin = ("BEGIN",) if retry.in_transaction else ()
        for text in (*retry.settings, *begin, *retry.before):
            if there.run(session, text).status == "lost":
                raise TargetError("the connection was lost before it could be run again")
        return there.run(session, retry.sql)

    def _last(self, retry: Retry) -> None:
        """In the working database, after everything else. If it succeeds, nothing else can be judged there."""
        if self.changed:
            self._record(retry, "not retried", reason="another statement that was run again had changed what the server shares")
            return
        start_ns = time.monotonic_ns()
        try:
            session = self._usable_session(retry)
            outcome = self._here().run(session, retry.sql)
        except TargetError as error:
            self._record(retry, "not retried", reason=str(error))
            return
        self.changed = outcome.ok
        self._judge(retry, outcome, "last", start_ns)
        if outcome.status != "lost":
            session.reset()

    def _usable_session(self, retry: Retry) -> Session:
        """The session that the statement failed in, with the settings that it had then."""
        if self._gone:
            raise TargetError(self._gone)
        session = self._host.resting_session(retry.session)
        session.reset()
        self._set_up(session, retry)
        return session

    def _set_up(self, session: Session, retry: Retry) -> None:
        here = self._here()
        for sql in retry.settings:
            here.run(session, sql)

    # What became of it

    def _judge(self, retry: Retry, outcome: Outcome, way: str, start_ns: int, *, only_its_session: bool = False) -> None:
        outcome = scrub_outcome(outcome, retry.sql)
        if outcome.status == "lost":
            self._lost(retry, outcome, start_ns)
            return
        lasting, passing = retry.split(outcome.error)
        if lasting is not None:
            self._record(lasting, "lasting", error=outcome.error, way=way, start_ns=start_ns, only_its_session=only_its_session)
        if passing is None:
            return
        if outcome.error is not None and outcome.error.sqlstate == _CANCELLED:
            limit = f"it took longer than {self._host.statement_limit_s:g} s"
            self._record(passing, "not retried", reason=limit, error=outcome.error, way=way, start_ns=start_ns)
        else:
            self._record(passing, "passing", error=outcome.error, way=way, start_ns=start_ns)

    def _lost(self, retry: Retry, outcome: Outcome, start_ns: int) -> None:
        """The server ended the session over it: that is for the oracle of crashes to judge, so it is recorded as a statement."""
        failed, told = retry.failed[0], outcome.error
        self._host.recorder.append(
            Statement(
                self._repetition, failed.session, failed.object, "verify", failed.step, failed.attempt, failed.sql,
                start_ns, time.monotonic_ns(), "lost", sqlstate=told.sqlstate if told else "",
                message=told.message if told else "", pid=failed.pid,
            )
        )  # fmt: skip
        self._record(retry, "not retried", reason="the connection was lost when it was run again")
        self.changed = True
        if not self._target.alive():
            self._gone = "the server is gone"

    def _record(
        self,
        retry: Retry,
        verdict: str,
        *,
        reason: str = "",
        error: ServerError | None = None,
        way: str = "",
        start_ns: int = 0,
        only_its_session: bool = False,
    ) -> None:
        event = Retried(
            repetition=self._repetition,
            statements=tuple(self._numbers[id(statement)] for statement in retry.failed),
            verdict=verdict,  # type: ignore[arg-type]
            way=way,  # type: ignore[arg-type]
            reason=reason,
            sqlstate=error.sqlstate if error else "",
            message=redact(error.message) if error else "",
            only_its_session=only_its_session,
            start_ns=start_ns,
            end_ns=time.monotonic_ns() if start_ns else 0,
        )
        self._host.recorder.append(event)
        if verdict == "lasting" and self._dialect.is_internal(retry.failed[0]):
            self.lasting.append((retry, event))


def _must_begin(session: Session) -> None:
    outcome = session.execute("BEGIN")
    if not outcome.ok:
        raise TargetError(f"no transaction could be begun: {outcome.error.message if outcome.error else 'no answer'}")
