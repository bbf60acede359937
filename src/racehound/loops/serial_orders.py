"""Serial orders: the statements of a repetition one after the other, to see whether an error needs a race.

A lasting error is damage that a race has done only if no serial order of the same statements shows it. These orders are run, each
in a new working database: the transactions by their ends, by their starts, and the sessions one after the other, first with the
session of the failed statement first, then with it last. Each begins with the setup. What failed in the repetition is left out,
and so is what was rolled back. The failed statement is run at its place, and again at the end of the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from racehound.data.history import SerialOutcome
from racehound.databases.target import Target
from racehound.judge.oracle import ObservedHistory
from racehound.loops.reduce.transcript import DIRECTOR, Transaction, transactions, transcript
from racehound.loops.retry import Place, Retry
from racehound.session import Outcome, Session


def serial_outcome(target: Target, history: ObservedHistory, retry: Retry, limit_s: float) -> SerialOutcome:
    """What becomes of a failed statement in serial orders. Each makes a new working database. TargetError.

    `fails the same way` if it does so in any of them, else `succeeds` if it does so in any of them. limit_s: seconds that a
    statement may take.
    """
    old = target.database
    succeeded = False
    for order in _orders(history, retry):
        target.rebuild()
        sessions = _Sessions(target)
        try:
            place = Place(target, target.variables(), limit_s, (old, target.database))
            for outcome in _run(order, retry, place, sessions):
                if retry.fails_the_same_way(outcome):
                    return "fails the same way"
                succeeded = succeeded or outcome.ok
        finally:
            sessions.close()
    return "succeeds" if succeeded else "undecided"


def _orders(history: ObservedHistory, retry: Retry) -> list[tuple[Transaction, ...]]:
    """The orders, each without what failed or was rolled back, except for the transaction of the failed statement."""
    failed = retry.failed[0]
    until_ns = max(failed.end_ns, _rest_ns(history))
    done = transactions(transcript(history.program, history.events, until_ns=until_ns))
    own = next(unit for unit in done if any(each.statement is failed for each in unit.statements))
    kept = [unit for unit in done if unit is own or unit.committed]
    setup = tuple(unit for unit in kept if unit.session == DIRECTOR and unit is not own and _is_setup(unit))
    raced = [unit for unit in kept if unit not in setup]
    others = sorted({unit.session for unit in raced} - {own.session})
    by_session = {name: [unit for unit in raced if unit.session == name] for name in (*others, own.session)}
    sequences = [
        sorted(raced, key=lambda unit: unit.end_ns),
        sorted(raced, key=lambda unit: unit.start_ns),
        [unit for name in (own.session, *others) for unit in by_session[name]],
        [unit for name in (*others, own.session) for unit in by_session[name]],
    ]
    return list(dict.fromkeys((*setup, *sequence) for sequence in sequences))


def _is_setup(unit: Transaction) -> bool:
    return unit.statements[0].statement.phase in ("prepare", "create")


def _rest_ns(history: ObservedHistory) -> int:
    """The end of the last statement before the teardown."""
    raced = [s.end_ns for s in history.statements if not (s.session == DIRECTOR and s.phase == "destroy")]
    return max(raced, default=0)


def _run(order: Sequence[Transaction], retry: Retry, place: Place, sessions: _Sessions) -> Iterator[Outcome]:
    """Run an order; yield the outcomes of the failed statement."""
    failed = retry.failed[0]
    for unit in order:
        session = sessions.of(unit.session)
        own = any(each.statement is failed for each in unit.statements)
        for each in unit.statements:
            if own and each.statement is failed:
                yield place.run(session, each.sql)
                break
            if each.statement.status == "ok":
                place.run(session, each.sql)
        if own and unit.statements[0].begins:
            session.execute("ROLLBACK")
    last = sessions.of(retry.session)
    begin = ("BEGIN",) if retry.in_transaction else ()
    for text in (*begin, *retry.before):
        place.run(last, text)
    yield place.run(last, retry.sql)


class _Sessions:
    """The sessions of one order, by name, in a new working database."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._open: dict[str, Session] = {}

    def of(self, name: str) -> Session:
        if name not in self._open:
            self._open[name] = self._target.open(name)
        return self._open[name]

    def close(self) -> None:
        for session in self._open.values():
            session.close()
