"""The class of each failed statement: *expected*, *unexplained*, *internal* or *lost*.

An error is expected if it is of the kind that races bring about and another session, or an earlier failure of the same session,
could have caused it. It is internal if the server says with it that something went wrong inside. A statement is lost if its
connection ended before the server answered. Every other error is unexplained.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from racehound.data.history import ErrorClass, Statement
from racehound.data.object_names import names_in
from racehound.data.program import Program
from racehound.databases.dialect import Dialect
from racehound.judge.dependencies import (
    DependencyGraph,
    WriteInterval,
    begins_transaction,
    concurrent_writes,
    ends_transaction,
    is_drop,
    write_intervals,
)
from racehound.judge.injected_faults import InjectedFaults

KnownErrors: TypeAlias = frozenset[tuple[str, int, str]]
"""Errors that need no race to explain them, by session, step and SQLSTATE: a serial order of the same steps brings them about,
or the step itself asks for them."""


_ALONE = "main"
"""The session that does setup, verification and teardown, while all others rest."""


class Classification:
    """The classes of one repetition."""

    def __init__(
        self,
        program: Program,
        statements: Sequence[Statement],
        dialect: Dialect,
        faults: InjectedFaults,
        known_errors: KnownErrors,
    ) -> None:
        self._program = program
        self._graph = DependencyGraph(program)
        self._statements = statements
        self._dialect = dialect
        self._faults = faults
        self._known_errors = known_errors
        self.failed: list[tuple[Statement, ErrorClass]] = [(s, self._class_of(s)) for s in statements if s.status != "ok"]
        """Every failed statement with its class, in the order in which they were recorded."""

    @functools.cached_property
    def overtaken_checks(self) -> list[Statement]:
        """Racehound's own checks that met an internal error because another session changed, at that moment, what they look at.

        Only racehound asks such questions in the middle of a race (amcheck loses its index, say), so they tell of no weakness
        that a user meets, and their class is *expected*. An error that tells of damage is none of these, nor is one of a check
        that runs when all have come to rest.
        """
        return [statement for statement, _ in self.failed if self._is_overtaken_check(statement)]

    @functools.cached_property
    def counts(self) -> Counter[ErrorClass]:
        """How many failed statements are in each class."""
        return Counter(error_class for _, error_class in self.failed)

    def of_class(self, wanted: ErrorClass) -> list[Statement]:
        """The failed statements of one class."""
        return [statement for statement, error_class in self.failed if error_class == wanted]

    def concurrent_writes(self, statement: Statement) -> list[WriteInterval]:
        """What other sessions changed, while the statement ran, of the objects that the statement depends on."""
        since_ns = statement.start_ns if self._runs_alone(statement) else self._view_ns(statement)
        return concurrent_writes(statement, self._intervals, self._graph, since_ns)

    def _runs_alone(self, statement: Statement) -> bool:
        """Whether no session did anything while the statement ran, as in setup, verification and teardown.

        Its session last ran a statement before all that the others did, so the time of that one says nothing.
        """
        return statement.session == _ALONE and not any(
            s.session != _ALONE and s.start_ns <= statement.end_ns and s.end_ns >= statement.start_ns for s in self._statements
        )

    def earlier_writes(self, statement: Statement) -> list[WriteInterval]:
        """The same for what they changed at any time before."""
        return concurrent_writes(statement, self._intervals, self._graph, 0)

    @functools.cached_property
    def _intervals(self) -> list[WriteInterval]:
        return write_intervals(self._statements, self._dialect.effect)

    @functools.cached_property
    def _interrupted(self) -> frozenset[str]:
        """Objects of which a perturbation interrupted a statement. Whether they exist is not known."""
        if not self._faults:
            return frozenset()
        return frozenset(s.object for s in self._statements if s.status != "ok" and self._faults.cover(s))

    def _view_ns(self, statement: Statement) -> int:
        """From when the session's view of the catalogs may be: the start of its transaction, or of its statement before."""
        earlier = [s for s in self._statements if s.session == statement.session and s.end_ns <= statement.start_ns]
        if not earlier:
            return statement.start_ns
        boundary = next((s for s in reversed(earlier) if begins_transaction(s.sql) or ends_transaction(s.sql)), None)
        began = boundary if boundary and begins_transaction(boundary.sql) else earlier[-1]
        return began.start_ns

    def _class_of(self, statement: Statement) -> ErrorClass:
        if statement.status == "lost":
            return "lost"
        if self._faults.cover(statement):
            return "expected"
        if self._dialect.is_internal(statement):
            return "expected" if self._is_overtaken_check(statement) else "internal"
        if (statement.session, statement.step, statement.sqlstate) in self._known_errors:
            return "expected"
        if self._dialect.is_race_outcome(statement) and self._is_explained(statement):
            return "expected"
        return "unexplained"

    def _is_overtaken_check(self, statement: Statement) -> bool:
        """See `overtaken_checks`."""
        racing = any(session.name == statement.session for session in self._program.sessions)
        if not (statement.phase == "verify" and racing and self._dialect.is_internal(statement)):
            return False
        if self._dialect.shows_corruption(statement, False):
            return False
        return bool(concurrent_writes(statement, self._intervals, self._graph, statement.start_ns))

    def _is_explained(self, statement: Statement) -> bool:
        """Whether something that began before the error's end could have caused it: a write of another session, or an earlier
        failure of the same session."""
        own = () if statement.phase in ("prepare", "create") else (statement.object,)
        if self._dialect.is_missing(statement) and not self._existed(names_in(statement.message).union(own), statement.start_ns):
            return True
        touched = self._graph.ancestors(names_in(statement.sql) | names_in(statement.message) | {statement.object})
        return any(
            interval.statement.start_ns <= statement.end_ns and self._may_explain(interval, statement, touched)
            for interval in self._intervals
        )

    def _existed(self, names: frozenset[str], before_ns: int) -> bool:
        """Whether all of these objects had been created by then, down to the last statement of creating them."""
        created = {interval.statement.object for interval in self._intervals if self._has_created(interval, before_ns)}
        unfinished = {s.object for s in self._statements if s.phase == "create" and s.end_ns > before_ns}
        return names <= created - unfinished - self._interrupted

    def _has_created(self, interval: WriteInterval, before_ns: int) -> bool:
        """Whether it is a statement that creates, that succeeded, and whose transaction was committed by then."""
        done = interval.statement
        if done.phase != "create" or done.status != "ok" or interval.end_ns > before_ns:
            return False
        ends = (s for s in self._statements if s.session == done.session and s.end_ns == interval.end_ns)
        return all(s is done or (s.status == "ok" and s.tag == "COMMIT") for s in ends)

    def _may_explain(self, interval: WriteInterval, statement: Statement, touched: frozenset[str]) -> bool:
        """Whether a write could have caused the error of a statement that depends on the objects in `touched`."""
        other = interval.statement
        if other.session == statement.session:
            return other is not statement and self._own_write_explains(other, statement)
        reach = self._dialect.may_cause(statement, other.sql)
        if reach == "anywhere":
            return interval.end_ns >= self._view_ns(statement)
        if reach == "related":
            return bool(self._graph.ancestors(names_in(other.sql) | {other.object}) & touched)
        about = names_in(statement.message) or names_in(statement.sql) | {statement.object}
        return reach != "none" and bool(names_in(other.sql) & (about if reach == "exact" else self._graph.ancestors(about)))

    def _own_write_explains(self, other: Statement, statement: Statement) -> bool:
        """Whether an earlier write of the same session could have caused the error.

        In a chain one session creates an object again, and what was built over it is gone. Or it alters an object that others
        are built over.
        """
        if other.object == statement.object:
            return other.status != "ok"
        if is_drop(other.sql) and self._dialect.is_missing(statement) and names_in(other.sql) & names_in(statement.message):
            return True
        above = statement.object in self._graph.ancestors([other.object])
        below = other.object in self._graph.ancestors([statement.object])
        return above or (below and is_drop(other.sql))
