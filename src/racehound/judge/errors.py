"""Errors, sorted into the four drawers: *expected*, *unexplained*, *internal*, *lost*.

Expected is an error of the sort that races bring, where some other session (or an earlier failure of the same one) could have
caused it. An internal error while nobody changed the object is a headline; while somebody did, a known weakness, kept apart
with the pair of statements that showed it (upstream tolerates many of those, see docs/reading-findings.md).
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Literal

from racehound.data.finding import Finding, normalise
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.databases.dialect import Dialect
from racehound.judge.dependencies import Change, DependencyGraph, changes, disturbers, ends_transaction, is_drop, is_read
from racehound.judge.oracle import Observed

INDEX_CORRUPTED = "XX002"
DATA_CORRUPTED = "XX001"
"""Also met while a table is being truncated, hence a finding only where nobody disturbs."""

ErrorClass = Literal["expected", "unexplained", "internal", "lost"]


class Judgement:
    """The drawers of one repetition."""

    def __init__(self, observed: Observed) -> None:
        self._dialect: Dialect = observed.target.dialect
        self._web = DependencyGraph(observed.program)
        self._statements = observed.statements
        self._excused = observed.excused
        self._excuses = observed.excuses
        self.drawers: Counter[ErrorClass] = Counter()
        self.internal: list[Statement] = []
        self.unexplained: list[Statement] = []
        for statement in self._statements:
            if statement.status != "ok":
                self._sort(statement)

    @functools.cached_property
    def _changes(self) -> list[Change]:
        return changes(self._statements)

    @functools.cached_property
    def _interrupted(self) -> frozenset[str]:
        """Objects in whose life a perturbation interrupted a statement: nobody knows whether they are there."""
        if not self._excuses:
            return frozenset()
        return frozenset(s.object for s in self._statements if s.status != "ok" and self._excuses.cover(s))

    def disturbers(self, statement: Statement) -> list[Statement]:
        return disturbers(statement, self._changes, self._web, self._since(statement))

    def _since(self, statement: Statement) -> int:
        """What a session believes may be as old as its transaction, or as its last statement: it read the catalogs then."""
        earlier = [s for s in self._statements if s.session == statement.session and s.end_ns <= statement.start_ns]
        if not earlier:
            return statement.start_ns
        boundary = next((s for s in reversed(earlier) if s.sql == "BEGIN" or ends_transaction(s.sql)), None)
        began = boundary if boundary and boundary.sql == "BEGIN" else earlier[-1]
        return began.start_ns

    def _sort(self, statement: Statement) -> None:
        drawer = self._drawer(statement)
        self.drawers[drawer] += 1
        if drawer == "internal":
            self.internal.append(statement)
        elif drawer == "unexplained":
            self.unexplained.append(statement)

    def _drawer(self, statement: Statement) -> ErrorClass:
        if statement.status == "lost":
            return "lost"
        if self._excuses.cover(statement):
            return "expected"
        if self._dialect.is_internal(statement):
            return "internal"
        if (statement.session, statement.step, statement.sqlstate) in self._excused:
            return "expected"
        if self._dialect.is_race_outcome(statement) and self._explained(statement):
            return "expected"
        return "unexplained"

    def _explained(self, statement: Statement) -> bool:
        """Whether anything before the error's end could have caused it: another session's change, or an own step that failed."""
        own = () if statement.phase in ("prepare", "create") else (statement.object,)
        if self._dialect.is_missing(statement) and not self._was_made(names_in(statement.message).union(own), statement.start_ns):
            return True
        touched = self._web.ancestors(names_in(statement.sql) | names_in(statement.message) | {statement.object})
        return any(_before(change, statement) and self._concerns(change, statement, touched) for change in self._changes)

    def _was_made(self, names: frozenset[str], before_ns: int) -> bool:
        """Whether all of these objects had been created for good by then, to the last statement that it takes."""
        made = {change.statement.object for change in self._changes if self._lasted(change, before_ns)}
        unfinished = {s.object for s in self._statements if s.phase == "create" and s.end_ns > before_ns}
        return names <= made - unfinished - self._interrupted

    def _lasted(self, change: Change, before_ns: int) -> bool:
        done = change.statement
        if done.phase != "create" or done.status != "ok" or change.end_ns > before_ns:
            return False
        ends = (s for s in self._statements if s.session == done.session and s.end_ns == change.end_ns)
        return all(s is done or (s.status == "ok" and s.tag == "COMMIT") for s in ends)

    def _concerns(self, change: Change, statement: Statement, touched: frozenset[str]) -> bool:
        other = change.statement
        if other.session == statement.session:
            return other is not statement and self._own_doing(other, statement)
        reach = self._dialect.may_cause(statement, other.sql)
        if reach == "anywhere":
            return change.end_ns >= self._since(statement)
        if reach == "related":
            return bool(self._web.ancestors(names_in(other.sql) | {other.object}) & touched)
        about = names_in(statement.message) or names_in(statement.sql) | {statement.object}
        return reach != "none" and bool(names_in(other.sql) & (about if reach == "exact" else self._web.ancestors(about)))

    def _own_doing(self, other: Statement, statement: Statement) -> bool:
        """In a chain one session makes an inner link anew, and what stands on it is gone; or alters one that others stand on."""
        if other.object == statement.object:
            return other.status != "ok"
        if is_drop(other.sql) and self._dialect.is_missing(statement) and names_in(other.sql) & names_in(statement.message):
            return True
        above = statement.object in self._web.ancestors([other.object])
        below = other.object in self._web.ancestors([statement.object])
        return above or (below and is_drop(other.sql))


def _before(change: Change, statement: Statement) -> bool:
    return change.statement.start_ns <= statement.end_ns


@functools.lru_cache(maxsize=1)
def judgement_of(observed: Observed) -> Judgement:
    """The drawers of a repetition, sorted once for all who ask."""
    return Judgement(observed)


def judge_errors(observed: Observed) -> list[Finding]:
    """Findings for the internal and the unexplained errors of a repetition."""
    judgement = judgement_of(observed)
    found = [_internal(observed, statement, judgement.disturbers(statement)) for statement in judgement.internal]
    return found + [_unexplained(observed, statement) for statement in judgement.unexplained]


def _internal(observed: Observed, statement: Statement, others: list[Statement]) -> Finding:
    signature = f"{statement.sqlstate} {normalise(statement.message)} [{_function(statement)}]"
    title = f"{statement.sqlstate} {statement.message}"
    if statement.sqlstate == INDEX_CORRUPTED or (statement.sqlstate == DATA_CORRUPTED and not others):
        return observed.finding(
            "errors",
            "corruption",
            signature,
            title,
            detail=(f"statement: {statement.sql}",),
            statements=_context(observed, statement, observed.statements),
        )
    if not others:
        return observed.finding(
            "errors", "internal error", f"{signature} undisturbed", f"{title}, while nobody changed {statement.object}",
            detail=(f"statement: {statement.sql}",), statements=_context(observed, statement, _neighbours(observed, statement)),
        )  # fmt: skip
    pairs = {f"{shape(statement.sql)} | {shape(other.sql)}": 1 for other in others}
    return observed.finding(
        "errors", "known weakness", signature, title,
        detail=(f"statement: {statement.sql}",), statements=_context(observed, statement, others), pairs=pairs,
    )  # fmt: skip


def _unexplained(observed: Observed, statement: Statement) -> Finding:
    return observed.finding(
        "errors", "unexplained error",
        f"{statement.sqlstate} {normalise(statement.message)} from {shape(statement.sql)}",
        f"{statement.sqlstate} {statement.message}, and nothing that others did explains it",
        detail=(f"statement: {statement.sql}",), statements=_context(observed, statement, _neighbours(observed, statement)),
    )  # fmt: skip


def _neighbours(observed: Observed, culprit: Statement) -> list[Statement]:
    """What succeeded before on the objects around the culprit's, on every session."""
    around = DependencyGraph(observed.program).connected(names_in(culprit.sql) | {culprit.object})
    return [
        s
        for s in observed.statements
        if s.status == "ok" and s.end_ns <= culprit.end_ns and (names_in(s.sql) | {s.object}) & around and not is_read(s.sql)
    ]


def _context(observed: Observed, culprit: Statement, others: list[Statement]) -> tuple[Statement, ...]:
    """What a person needs to see: what the culprit's and the disturbers' sessions did so far, successfully."""
    sessions = {culprit.session, *(other.session for other in others)}
    before = [
        s for s in observed.statements if s.end_ns <= culprit.end_ns and s.status == "ok" and s.session in {*sessions, "main"}
    ]
    chosen = {id(s): s for s in (*before, *others, culprit)}
    return tuple(sorted(chosen.values(), key=lambda s: s.start_ns))


_CONNECTIVES = {"IF", "NOT", "EXISTS", "ONLY"}


def shape(sql: str) -> str:
    """The kind of a statement: its leading keywords, e.g. `ALTER TABLE … ADD COLUMN` without names."""
    words = [word for word in re.sub(r"'[^']*'|\$\{[^}]*\}", " ", sql).split() if word.isupper() and word.isalpha()]
    return " ".join(word for word in words if word not in _CONNECTIVES)[:60] or " ".join(sql.split()[:2])


def _function(statement: Statement) -> str:
    return statement.source.rpartition(" ")[2] or "source unknown"
