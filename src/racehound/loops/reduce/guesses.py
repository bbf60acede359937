"""Guesses: scenes that may show a finding, made from the transcript of a repetition that did. Cheap ones, and likely ones, first.

A race needs two transactions that overlap, and rarely more. So every two that ran at about the same time are put in turn: one is
begun, the other comes in between, the first one ends. What had been done for good before is the setup. This widens the window
of the race from microseconds to for ever: measured, from 0.1–10 % to 100 % (docs/how-it-works.md). After the pairs comes all that
was said, in the order in which it was said, and with every transaction drawn out until its session's next one begins.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from racehound.data.finding import Finding
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.data.scene import SETUP, Line, Scene
from racehound.judge.dependencies import DependencyGraph, is_drop, is_read
from racehound.loops.reduce.transcript import DIRECTOR, Spoken, Unit, units
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Sql

PAIRS_LIMIT = 80
_FIRST, _SECOND = 1, 2
_IDENTITY = re.compile(r"(?:SET|RESET) (?:SESSION AUTHORIZATION|ROLE)\b", re.IGNORECASE)
AllowsTransaction = Callable[[str], bool]
"""Whether every statement of a fragment may run inside a transaction."""


def culprit_of(finding: Finding) -> Statement | None:
    """The statement that met the error which the finding is about; None where it is about something else."""
    failed = [s for s in finding.statements if s.status != "ok" and f"{s.sqlstate} {s.message}" in finding.title]
    return failed[-1] if failed else None


@dataclasses.dataclass(frozen=True)
class Guesser:
    """Guesses for one repetition: `said` is its transcript, `scene` all that scenes have in common, without lines."""

    said: Sequence[Spoken]
    finding: Finding
    scene: Scene
    allows_transaction: AllowsTransaction

    def guesses(self) -> Iterator[Scene]:
        """Scenes, best first."""
        everything = units(self.said)
        for first, second in self._pairs(everything):
            before = _lasting(everything, (first, second))
            for lines in self._interleaved(first, second):
                yield self.scene.with_lines([*before, *lines])
        yield from self._whole()

    # Pairs

    def _pairs(self, everything: Sequence[Unit]) -> list[tuple[Unit, Unit]]:
        """Pairs of units, each once: those about the same first, then those nearest in time and to the evidence."""
        culprit = culprit_of(self.finding)
        evidence = {(s.session, s.start_ns) for s in self.finding.statements}
        raced = [unit for unit in everything if unit.session != DIRECTOR and any(not is_read(s.sql) for s in unit.inner)]
        guilty = [unit for unit in everything if culprit and _holds(unit, {(culprit.session, culprit.start_ns)})]
        pairs = [
            (first, second)
            for first in guilty or raced
            for second in raced
            if first.session != second.session and (guilty or first.start_ns <= second.start_ns)
        ]

        def unlikeliness(pair: tuple[Unit, Unit]) -> tuple[int, int, int]:
            return self._strangeness(*pair), _distance_ns(*pair), -sum(_holds(unit, evidence) for unit in pair)

        return sorted(pairs, key=unlikeliness)[:PAIRS_LIMIT]

    def _strangeness(self, one: Unit, other: Unit) -> int:
        """0 where one drops what the other is about or stands on, 1 where it does something else to that, else 2."""
        web, names = (
            DependencyGraph(self.scene),
            [names_in(" ".join(spoken.sql for spoken in unit.inner)) for unit in (one, other)],
        )
        if not any(named & web.ancestors(others) for named, others in (names, reversed(names))):
            return 2
        return 0 if any(is_drop(spoken.sql) for unit in (one, other) for spoken in unit.inner) else 1

    def _interleaved(self, one: Unit, other: Unit) -> Iterator[list[Line]]:
        for first, second in ((one, other), (other, one)):
            held, closed = self._transaction(first, _FIRST), self._as_said(second, _SECOND)
            if held:
                yield [*held, *closed, _line(first, _FIRST, first.end)]
            drawn_out = self._transaction(second, _SECOND)
            if held and drawn_out:
                yield [*held, *drawn_out, _line(first, _FIRST, first.end), _line(second, _SECOND, second.end)]
        for first, second in ((one, other), (other, one)):
            parts = self._transaction(first, _FIRST) or [_spoken(spoken, _FIRST) for spoken in first.said]
            end = [_line(first, _FIRST, first.end)] if parts[0].sql == "BEGIN" else []
            for at in range(1, len(parts)):
                yield [*parts[:at], *self._as_said(second, _SECOND), *parts[at:], *end]
                drawn_out = self._transaction(second, _SECOND)
                if drawn_out:
                    yield [*parts[:at], *drawn_out, *parts[at:], _line(second, _SECOND, second.end), *end]

    def _transaction(self, unit: Unit, session: int) -> list[Line]:
        """The unit in a transaction that stays open; nothing where that may not be."""
        if not self._may_be_held(unit):
            return []
        return [_line(unit, session, "BEGIN"), *(_spoken(spoken, session) for spoken in unit.inner)]

    def _may_be_held(self, unit: Unit) -> bool:
        return all(self.allows_transaction(print_command(Sql(spoken.sql))) for spoken in unit.inner)

    def _as_said(self, unit: Unit, session: int) -> list[Line]:
        return [_spoken(spoken, session) for spoken in unit.said]

    # The whole

    def _whole(self) -> Iterator[Scene]:
        numbers = {DIRECTOR: SETUP}
        for spoken in self.said:
            numbers.setdefault(spoken.session, len(numbers))
        setup, raced = self._before_race(), self._race()
        alone = [_spoken(spoken, SETUP) for spoken in setup]
        yield self.scene.with_lines([*alone, *(_spoken(spoken, numbers[spoken.session] or len(numbers)) for spoken in raced)])
        for stretched in (False, True):
            yield self.scene.with_lines([*alone, *self._widened(raced, numbers, stretched=stretched)])

    def _before_race(self) -> list[Spoken]:
        start_ns = min((spoken.statement.start_ns for spoken in self.said if spoken.session != DIRECTOR), default=0)
        return [spoken for spoken in self.said if spoken.statement.end_ns <= start_ns]

    def _race(self) -> list[Spoken]:
        before = {id(spoken) for spoken in self._before_race()}
        return [spoken for spoken in self.said if id(spoken) not in before]

    def _widened(self, raced: Sequence[Spoken], numbers: dict[str, int], *, stretched: bool) -> list[Line]:
        """Every unit in a transaction; stretched, until the session's next one begins."""
        timed: list[tuple[int, int, Line]] = []
        for unit in units(raced):
            number = numbers[unit.session] or len(numbers)
            if not self._may_be_held(unit):
                timed += [(s.statement.start_ns, 1, _spoken(s, number)) for s in unit.said]
                continue
            timed.append((unit.start_ns, 1, _line(unit, number, "BEGIN")))
            timed += [(spoken.statement.start_ns, 2, _spoken(spoken, number)) for spoken in unit.inner]
            end_ns = _next_start_ns(unit, raced) if stretched else unit.end_ns
            timed.append((end_ns, 0, _line(unit, number, unit.end)))
        return [line for _, _, line in sorted(timed, key=lambda entry: entry[:2])]


def _next_start_ns(unit: Unit, said: Sequence[Spoken]) -> int:
    """When the unit's session goes on; never, if it does not."""
    later = (s.statement.start_ns for s in said if s.session == unit.session and s.statement.start_ns >= unit.end_ns)
    return min(later, default=2**63)


def _distance_ns(one: Unit, other: Unit) -> int:
    """Between the two; 0 where they overlap."""
    return max(0, one.start_ns - other.end_ns, other.start_ns - one.end_ns)


def _holds(unit: Unit, statements: set[tuple[str, int]]) -> bool:
    return any((spoken.session, spoken.statement.start_ns) in statements for spoken in unit.said)


def _lasting(everything: Sequence[Unit], pair: tuple[Unit, Unit]) -> list[Line]:
    """What had been done for good when the second of the pair began, as a setup."""
    start_ns = max(unit.start_ns for unit in pair)
    before = [unit for unit in everything if unit.lasted and unit.end_ns <= start_ns and unit not in pair]
    done = [spoken for unit in before for spoken in unit.inner if spoken.statement.status == "ok"]
    # One session does what several did: who each of them was at the moment means nothing there.
    return [_spoken(spoken, SETUP) for spoken in done if not _IDENTITY.match(spoken.sql)]


def _spoken(spoken: Spoken, session: int) -> Line:
    return Line(session, spoken.sql, spoken.statement.object, spoken.statement.phase)


def _line(unit: Unit, session: int, sql: str) -> Line:
    statement = unit.said[0].statement
    return Line(session, sql, statement.object, statement.phase)
