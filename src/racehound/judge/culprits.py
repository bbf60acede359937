"""Culprits: which statements of other sessions can have brought an error about, the likeliest first.

A statement can have done so if others could see what it wrote before the error came, if it does what such an error comes from
(`Dialect.suspicion`), and if it is about an object that the failed statement reaches. What remains is ordered by these three, by
what the statement does (one that drops comes first), and by whether it ran at the same time or only shortly before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from racehound.data.finding import Culprit, best_culprits, normalise
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.databases.effects import tokens
from racehound.judge.dependencies import DependencyGraph, WriteInterval, is_drop
from racehound.judge.oracle import ObservedHistory
from racehound.judge.shapes import shape, shape_with_calls

_OWNED = re.compile(r"\s*(?:DROP|REASSIGN)\s+OWNED\b", re.IGNORECASE)
"""Statements that reach all objects which a role owns, or has a privilege on."""
_ALTER = re.compile(r"\s*(?:ALTER|REASSIGN)\b", re.IGNORECASE)
_SUSPICION = {"strong": 0, "some": 1, "weak": 2}
_A_DEGREE = 25
"""A degree of suspicion weighs more than all else."""
_UNRELATED = 3
"""The distance of objects that only have something below them in common."""


def culprits_of(
    history: ObservedHistory, failed: Statement, writes: Sequence[WriteInterval], *, certain_texts: bool = False
) -> tuple[Culprit, ...]:
    """The culprits for a failed statement among the writes of other sessions, the likeliest first.

    certain_texts: only those that do just what such an error comes from. `Culprit.apart` counts how often the same two ran at the
    same time in this repetition without the error.
    """
    doubts: dict[str, int] = {}
    for write, doubt in suspects(history, failed, writes):
        if certain_texts and doubt >= _A_DEGREE:
            break
        name = _shape(history, write.statement)
        doubts[name] = min(doubt, doubts.get(name, doubt))
    apart = _apart(history, failed, doubts) if doubts else Counter[str]()
    failing = _shape(history, failed)
    found = [Culprit(failing, other, count=1, apart=apart[other], doubt=doubt) for other, doubt in doubts.items()]
    return best_culprits(found, limit=None)


def suspects(history: ObservedHistory, failed: Statement, writes: Iterable[WriteInterval]) -> list[tuple[WriteInterval, int]]:
    """The writes that can have brought the error about, each with what speaks against it (0: nothing), the least first."""
    graph, dialect = DependencyGraph(history.program), history.dialect
    told = _told(history, failed)
    found = []
    for write in writes:
        suspicion = dialect.suspicion(failed, write.statement.sql)
        distance = _distance(told, failed, write.statement, graph)
        if suspicion != "none" and (distance < _UNRELATED or _OWNED.match(failed.sql)):
            overlaps = write.end_ns >= failed.start_ns
            doubt = _A_DEGREE * _SUSPICION[suspicion] + 6 * distance + 2 * _mildness(write.statement.sql) + (not overlaps)
            found.append((write, doubt))
    seen = [(write, doubt) for write, doubt in found if write.committed and write.visible_ns <= failed.end_ns]
    return sorted(seen or found, key=lambda each: (each[1], -each[0].statement.start_ns))


def numbered_objects(history: ObservedHistory, failed: Statement) -> tuple[str, ...]:
    """A line for each object that an error names by its number and that is still there at rest."""
    numbers = history.dialect.numbers_in(failed.message)
    return tuple(
        f"{number} is {history.objects[number]}, and still there at rest" for number in numbers if number in history.objects
    )


def _told(history: ObservedHistory, failed: Statement) -> frozenset[str]:
    """The objects that an error names, also those that it names by number."""
    return names_in(" ".join((failed.message, failed.detail, *numbered_objects(history, failed))))


def _mildness(sql: str) -> int:
    """0 for a statement that drops something, 1 for one that alters something, 2 for others."""
    return 0 if is_drop(sql) else 1 if _ALTER.match(sql) else 2


def _distance(told: frozenset[str], failed: Statement, other: Statement, graph: DependencyGraph) -> int:
    """0: both are about the same object; 1: the other one is about what that is built over; 2: about what is built over it."""
    if not (names_in(failed.sql) | names_in(other.sql)):
        # Scripts of users have names of their own: which objects depend on which is not known.
        return 0 if _words(failed.sql) & _words(other.sql) else 2
    own = told or names_in(failed.sql) or frozenset({failed.object})
    about = names_in(other.sql) or frozenset({other.object})
    if _OWNED.match(other.sql):
        return 0 if about & own else 1 if graph.connected(about) & own else _UNRELATED
    if about & own:
        return 0
    if about & graph.ancestors(own | {failed.object}):
        return 1
    return 2 if about & graph.dependents(own) else _UNRELATED


def _words(sql: str) -> frozenset[str]:
    """What is neither a keyword in capital letters nor a literal."""
    found = (token.strip('"') for token in tokens(sql) if token[0].isalpha() or token[0] in '_"')
    return frozenset(word.lower() for word in found if not word.isupper())


def _apart(history: ObservedHistory, failed: Statement, others: Iterable[str]) -> Counter[str]:
    """How often statements of these shapes ran at the same time as one like the failed one, which did not get the error."""
    error, sort, wanted = (failed.sqlstate, normalise(failed.message)), shape(failed.sql), frozenset(others)
    counts: Counter[str] = Counter()
    for statement in history.statements:
        if shape(statement.sql) == sort and (statement.sqlstate, normalise(statement.message)) != error:
            writes = history.classification.concurrent_writes(statement)
            together = {_shape(history, each.statement) for each in writes if each.end_ns >= statement.start_ns}
            counts.update(wanted & together)
    return counts


def _shape(history: ObservedHistory, statement: Statement) -> str:
    return shape_with_calls(statement.sql, history.dialect.effect(statement.sql))
