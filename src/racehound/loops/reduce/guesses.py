"""Guesses: scenes that may show a finding, made from the transcript of a repetition that showed it, the likeliest first.

Most races need just two transactions that overlap. So each two transactions that ran at about the same time make a few scenes:
the first begins, the second runs, the first ends. What was committed before is the setup. In such a scene the race always takes
place: measured, the rate rises from 0.1–10 % to 100 % (docs/how-it-works.md). The last scenes hold the whole transcript: as it
was recorded, and with transactions that stay open until the next one of their session begins.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from racehound.data.finding import Finding
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.data.scene import SETUP, Line, Scene
from racehound.databases.effects import EffectOf
from racehound.judge.dependencies import DependencyGraph, is_drop
from racehound.loops.reduce.transcript import DIRECTOR, Recorded, Transaction, transactions
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Sql

PAIRS_LIMIT = 80
_FIRST, _SECOND = 1, 2
_IDENTITY = re.compile(r"(?:SET|RESET) (?:SESSION AUTHORIZATION|ROLE)\b", re.IGNORECASE)
AllowsTransaction = Callable[[str], bool]
"""Whether every statement of a fragment may run inside a transaction."""


def culprit_of(finding: Finding) -> Statement | None:
    """The statement with the error that the finding is about; None where the finding is about something else."""
    failed = [s for s in finding.statements if s.status != "ok" and f"{s.sqlstate} {s.message}" in finding.title]
    return failed[-1] if failed else None


@dataclasses.dataclass(frozen=True)
class Guesser:
    """Guesses for one repetition. `statements` is its transcript; `scene` has what all scenes have in common, and no lines."""

    statements: Sequence[Recorded]
    finding: Finding
    scene: Scene
    allows_transaction: AllowsTransaction
    effect: EffectOf

    def guesses(self) -> Iterator[Scene]:
        """Scenes, the likeliest first."""
        known = transactions(self.statements)
        for first, second in self._pairs(known):
            before = _committed_before(known, (first, second))
            for lines in self._interleaved(first, second):
                yield self.scene.with_lines([*before, *lines])
        yield from self._whole()

    # Pairs

    def _pairs(self, known: Sequence[Transaction]) -> list[tuple[Transaction, Transaction]]:
        """Pairs of transactions, each once. Those about related objects come first, then those near each other in time."""
        culprit = culprit_of(self.finding)
        evidence = {(s.session, s.start_ns) for s in self.finding.statements}
        changing = [each for each in known if any(self.effect(s.sql).sort != "read" for s in each.inner)]
        raced = [each for each in changing if each.session != DIRECTOR]
        suspected = [each for each in known if culprit and _holds(each, {(culprit.session, culprit.start_ns)})]
        pairs = [
            (first, second)
            for first in suspected or raced
            for second in raced
            if first.session != second.session and (suspected or first.start_ns <= second.start_ns)
        ]

        def distance(pair: tuple[Transaction, Transaction]) -> tuple[int, int, int]:
            return self._unrelatedness(*pair), _distance_ns(*pair), -sum(_holds(each, evidence) for each in pair)

        return sorted(pairs, key=distance)[:PAIRS_LIMIT]

    def _unrelatedness(self, one: Transaction, other: Transaction) -> int:
        """0 where one of them drops an object that the other depends on, 1 where it does something else to it, else 2."""
        graph = DependencyGraph(self.scene)
        names = [names_in(" ".join(recorded.sql for recorded in each.inner)) for each in (one, other)]
        if not any(named & graph.ancestors(others) for named, others in (names, reversed(names))):
            return 2
        return 0 if any(is_drop(recorded.sql) for each in (one, other) for recorded in each.inner) else 1

    def _interleaved(self, one: Transaction, other: Transaction) -> Iterator[list[Line]]:
        for first, second in ((one, other), (other, one)):
            held, closed = self._opened(first, _FIRST), self._unchanged(second, _SECOND)
            if held:
                yield [*held, *closed, _line(first, _FIRST, first.end)]
            other_open = self._opened(second, _SECOND)
            if held and other_open:
                yield [*held, *other_open, _line(first, _FIRST, first.end), _line(second, _SECOND, second.end)]
        for first, second in ((one, other), (other, one)):
            parts = self._opened(first, _FIRST) or [_recorded_line(recorded, _FIRST) for recorded in first.statements]
            end = [_line(first, _FIRST, first.end)] if parts[0].sql == "BEGIN" else []
            for at in range(1, len(parts)):
                yield [*parts[:at], *self._unchanged(second, _SECOND), *parts[at:], *end]
                other_open = self._opened(second, _SECOND)
                if other_open:
                    yield [*parts[:at], *other_open, *parts[at:], _line(second, _SECOND, second.end), *end]

    def _opened(self, transaction: Transaction, session: int) -> list[Line]:
        """The statements after BEGIN, without the end; nothing where they may not run in a transaction."""
        if not self._may_be_explicit(transaction):
            return []
        return [_line(transaction, session, "BEGIN"), *(_recorded_line(recorded, session) for recorded in transaction.inner)]

    def _may_be_explicit(self, transaction: Transaction) -> bool:
        return all(self.allows_transaction(print_command(Sql(recorded.sql))) for recorded in transaction.inner)

    def _unchanged(self, transaction: Transaction, session: int) -> list[Line]:
        return [_recorded_line(recorded, session) for recorded in transaction.statements]

    # The whole

    def _whole(self) -> Iterator[Scene]:
        yield self.as_recorded()
        alone = [_recorded_line(recorded, SETUP) for recorded in self._before_race()]
        for stretched in (False, True):
            yield self.scene.with_lines([*alone, *self._widened(self._race(), self._numbers(), stretched=stretched)])

    def as_recorded(self) -> Scene:
        """All statements in the order in which they began."""
        numbers = self._numbers()
        alone = [_recorded_line(recorded, SETUP) for recorded in self._before_race()]
        together = [_recorded_line(recorded, numbers[recorded.session] or len(numbers)) for recorded in self._race()]
        return self.scene.with_lines([*alone, *together])

    def _numbers(self) -> dict[str, int]:
        """The number of each session in the scene of the whole transcript."""
        numbers = {DIRECTOR: SETUP}
        for recorded in self.statements:
            numbers.setdefault(recorded.session, len(numbers))
        return numbers

    def _before_race(self) -> list[Recorded]:
        start_ns = min((recorded.statement.start_ns for recorded in self.statements if recorded.session != DIRECTOR), default=0)
        return [recorded for recorded in self.statements if recorded.statement.end_ns <= start_ns]

    def _race(self) -> list[Recorded]:
        before = {id(recorded) for recorded in self._before_race()}
        return [recorded for recorded in self.statements if id(recorded) not in before]

    def _widened(self, raced: Sequence[Recorded], numbers: dict[str, int], *, stretched: bool) -> list[Line]:
        """Every transaction with BEGIN and end, where that is allowed. stretched: it stays open until its session goes on."""
        timed: list[tuple[int, int, Line]] = []
        for transaction in transactions(raced):
            number = numbers[transaction.session] or len(numbers)
            if not self._may_be_explicit(transaction):
                timed += [(s.statement.start_ns, 1, _recorded_line(s, number)) for s in transaction.statements]
                continue
            timed.append((transaction.start_ns, 1, _line(transaction, number, "BEGIN")))
            timed += [(recorded.statement.start_ns, 2, _recorded_line(recorded, number)) for recorded in transaction.inner]
            end_ns = _next_start_ns(transaction, raced) if stretched else transaction.end_ns
            timed.append((end_ns, 0, _line(transaction, number, transaction.end)))
        return [line for _, _, line in sorted(timed, key=lambda entry: entry[:2])]


def _next_start_ns(transaction: Transaction, statements: Sequence[Recorded]) -> int:
    """When the session sends its next statement; never, if it sends none."""
    own = (s.statement.start_ns for s in statements if s.session == transaction.session)
    return min((start_ns for start_ns in own if start_ns >= transaction.end_ns), default=2**63)


def _distance_ns(one: Transaction, other: Transaction) -> int:
    """The time between the two; 0 where they overlap."""
    return max(0, one.start_ns - other.end_ns, other.start_ns - one.end_ns)


def _holds(transaction: Transaction, statements: set[tuple[str, int]]) -> bool:
    return any((recorded.session, recorded.statement.start_ns) in statements for recorded in transaction.statements)


def _committed_before(known: Sequence[Transaction], pair: tuple[Transaction, Transaction]) -> list[Line]:
    """What had been committed when the second of the pair began, as a setup."""
    start_ns = max(each.start_ns for each in pair)
    before = [each for each in known if each.committed and each.end_ns <= start_ns and each not in pair]
    done = [recorded for each in before for recorded in each.inner if recorded.statement.status == "ok"]
    # One session runs the setup of several: their changes of role are left out.
    return [_recorded_line(recorded, SETUP) for recorded in done if not _IDENTITY.match(recorded.sql)]


def _recorded_line(recorded: Recorded, session: int) -> Line:
    return Line(session, recorded.sql, recorded.statement.object, recorded.statement.phase)


def _line(transaction: Transaction, session: int, sql: str) -> Line:
    statement = transaction.statements[0].statement
    return Line(session, sql, statement.object, statement.phase)
