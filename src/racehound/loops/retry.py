"""What is to be run again of a repetition, with all that belongs to it, and how statements are sent when they are run again."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterable, Mapping, Sequence

from racehound.data.finding import normalise, same_error
from racehound.data.history import Statement
from racehound.databases.dialect import Dialect
from racehound.databases.target import Target
from racehound.judge.oracle import ObservedHistory
from racehound.loops.reduce.transcript import Recorded, Transaction, transactions, transcript
from racehound.session import Outcome, ServerError, Session
from racehound.testdrive.variables import UnknownVariableError, substitute

GRACE_S = 5.0
"""How long a cancelled statement may take to end before its session is terminated."""


@dataclasses.dataclass(frozen=True)
class Retry:
    """A failed statement that is to be run again, and what has to be run before it."""

    failed: tuple[Statement, ...]
    """The failed statements that it stands for: they have the same session, text and statements before them."""
    session: str
    settings: tuple[str, ...]
    """What had set the state of the session."""
    before: tuple[str, ...]
    """What its transaction had done before it."""
    sql: str
    """With the variables of the program, as all its texts."""
    in_transaction: bool
    """Whether it stood between BEGIN and the end of a transaction."""

    @property
    def error(self) -> tuple[str, str]:
        """The SQLSTATE and the message, without names and numbers, of the first of them."""
        return self.failed[0].sqlstate, normalise(self.failed[0].message)

    def fails_the_same_way(self, outcome: Outcome) -> bool:
        """Whether an outcome is the error of the first of them, apart from names and numbers in the message."""
        return outcome.error is not None and same_error(outcome.error, self.failed[0])

    def split(self, error: ServerError | None) -> tuple[Retry | None, Retry | None]:
        """The failed statements that had this error, and those that had another one."""
        same = tuple(statement for statement in self.failed if error is not None and same_error(error, statement))
        others = tuple(statement for statement in self.failed if statement not in same)
        alike, different = (dataclasses.replace(self, failed=part) if part else None for part in (same, others))
        return alike, different


def retries(history: ObservedHistory, known: Iterable[int] = ()) -> list[Retry]:
    """What is to be run again after a repetition, in the order in which it failed.

    Racehound's own checks that others overtook are run again, too: what they looked at may be broken for good.

    known: identities of statements to leave out.
    """
    left_out, checks = set(known), set(map(id, history.classification.overtaken_checks))
    failed = [
        statement
        for statement, error_class in history.classification.failed
        if (error_class in ("internal", "unexplained") or id(statement) in checks)
        and statement.repetition == history.number
        and id(statement) not in left_out
    ]
    if not failed:
        return []
    # The teardown is run by the director, whose statements a transcript leaves out, unless it is said until when it goes.
    recorded = transcript(history.program, history.events, until_ns=max(statement.end_ns for statement in failed))
    units = {id(each.statement): unit for unit in transactions(recorded) for each in unit.statements}
    texts = {id(each.statement): each for each in recorded}
    found: dict[tuple[object, ...], Retry] = {}
    for statement in failed:
        retry = _retry(texts[id(statement)], units[id(statement)], recorded, history.dialect)
        key = retry.session, retry.settings, retry.before, retry.sql
        same = found.get(key)
        found[key] = retry if same is None else dataclasses.replace(same, failed=(*same.failed, statement))
    return list(found.values())


def _retry(failed: Recorded, unit: Transaction, recorded: Sequence[Recorded], dialect: Dialect) -> Retry:
    statement = failed.statement
    before = [each.sql for each in unit.inner if each.statement.status == "ok" and each.statement.end_ns <= statement.start_ns]
    settings = [
        each.sql
        for each in recorded
        if each.session == failed.session
        and each.statement.status == "ok"
        and each.statement.repetition == statement.repetition
        and each.statement.end_ns <= unit.start_ns
        and dialect.changes_session(each.sql)
    ]
    in_transaction = unit.statements[0].begins and failed is not unit.statements[0]
    return Retry((statement,), failed.session, tuple(settings), tuple(before), failed.sql, in_transaction)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where statements are run: how their texts are sent there, and for how long each may run."""

    target: Target
    variables: Mapping[str, str]
    limit_s: float
    renamed: tuple[str, str] = ("", "")
    """The working database that recorded texts name, and the database to be named instead."""

    def text(self, sql: str) -> str:
        """A text of a program as it is sent. One with a variable that nobody knows is sent as it is: it holds none."""
        old, new = self.renamed
        named = re.sub(rf"\b{re.escape(old)}\b", new, sql) if old else sql
        try:
            return substitute(named, self.variables, {})
        except UnknownVariableError:
            return named

    def run(self, session: Session, sql: str) -> Outcome:
        """Run one statement. One that takes longer than the limit is cancelled; if it ignores that, its session is terminated."""
        timers = [
            threading.Timer(self.limit_s, session.cancel),
            threading.Timer(self.limit_s + GRACE_S, self.target.terminate, (session.pid,)),
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            return session.execute(self.text(sql))
        finally:
            for timer in timers:
                timer.cancel()
