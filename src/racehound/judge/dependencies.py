"""Which objects a statement depends on, and what other sessions changed of them meanwhile.

Every name that an object makes begins with the object's own name, so the objects of a statement can be read from its text. An
object depends on the object that it refers to, and on what that one refers to: a session that drops or alters one of these
reaches the object, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Protocol

from racehound.data.history import Event, Statement
from racehound.data.object_names import BASE, names_in

_READ = re.compile(r"\s*(?:SELECT|TABLE|VALUES|SHOW|EXPLAIN|FETCH|SUBSCRIBE|DECLARE|CLOSE|VALIDATE)\b", re.IGNORECASE)
_SESSION = re.compile(r"\s*(?:BEGIN|SET|RESET|DISCARD|LISTEN)\b", re.IGNORECASE)
_DROP = re.compile(r"\s*DROP\b", re.IGNORECASE)
_END = re.compile(r"\s*(?:COMMIT|ROLLBACK|END|ABORT)\b", re.IGNORECASE)


def is_read(sql: str) -> bool:
    """Whether a statement only reads (as far as its first word tells)."""
    return bool(_READ.match(sql))


def ends_transaction(sql: str) -> bool:
    """Whether a statement is COMMIT, ROLLBACK or the like."""
    return bool(_END.match(sql))


def is_drop(sql: str) -> bool:
    """Whether a statement drops something."""
    return bool(_DROP.match(sql))


def is_write(sql: str) -> bool:
    """Whether a statement may change a catalog or contents: no read, no setting, no end of a transaction."""
    return not (is_read(sql) or _SESSION.match(sql) or ends_transaction(sql))


class HasReferences(Protocol):
    """Knows of each of its objects which object that one refers to."""

    @property
    def refers_to(self) -> dict[str, str]: ...


@dataclasses.dataclass(frozen=True)
class WriteInterval:
    """A statement that writes, and the end of its transaction (its own end, outside a transaction)."""

    statement: Statement
    end_ns: int


class DependencyGraph:
    """The objects of a program, or of a scene, and which object each refers to."""

    def __init__(self, of: HasReferences) -> None:
        self._refers_to = of.refers_to

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that they depend on."""
        found: set[str] = set()
        for name in names:
            current: str | None = name
            while current is not None and current not in found:
                found.add(current)
                current = self._refers_to.get(current)
        return frozenset(found)

    def dependents(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that depend on them."""
        named = frozenset(names)
        return named | {name for name in self._refers_to if self.ancestors([name]) & named}

    def connected(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects, their ancestors and their dependents: all that dropping or altering the named ones may reach."""
        named = frozenset(names)
        return self.ancestors(named) | self.dependents(named)


def write_intervals(events: Iterable[Event]) -> list[WriteInterval]:
    """The writes of a history. One whose transaction was still open at the end of the history never ends."""
    result: list[WriteInterval] = []
    open_at: dict[str, list[Statement]] = {}
    in_transaction: set[str] = set()
    for event in events:
        if not isinstance(event, Statement):
            continue
        if event.sql == "BEGIN":
            in_transaction.add(event.session)
        elif ends_transaction(event.sql):
            in_transaction.discard(event.session)
            result += [WriteInterval(statement, event.end_ns) for statement in open_at.pop(event.session, [])]
        elif is_write(event.sql):
            if event.session in in_transaction:
                open_at.setdefault(event.session, []).append(event)
            else:
                result.append(WriteInterval(event, event.end_ns))
    result += [WriteInterval(statement, 2**63 - 1) for rest in open_at.values() for statement in rest]
    return result


def concurrent_writes(
    statement: Statement, known: Iterable[WriteInterval], graph: DependencyGraph, since_ns: int
) -> list[Statement]:
    """The writes of other sessions that overlap the time from `since_ns` to the statement's end, and could reach the statement.

    A write reaches a statement if it is about an object that is connected with one that the statement names. This is so wide
    because a statement may meet objects that it does not name: DROP OWNED BY may fail at a policy that another session drops.
    If some of these writes name the same objects as the statement, only those are returned.
    """
    names = names_in(statement.sql) | names_in(statement.message) | {statement.object}
    connected = graph.connected(names)
    found = [
        interval.statement
        for interval in known
        if interval.statement.session != statement.session
        and interval.statement.start_ns <= statement.end_ns
        and interval.end_ns >= since_ns
        and graph.ancestors(names_in(interval.statement.sql) | {interval.statement.object}) & connected
    ]
    closest = [other for other in found if names_in(other.sql) & names]
    return closest or found


def concerning(statements: Iterable[Statement], graph: DependencyGraph, names: frozenset[str]) -> tuple[Statement, ...]:
    """What succeeded, in any session, on the named objects and their ancestors, by start; on all objects where none is named.

    Reads are left out. BEGIN and COMMIT are kept where the same try of a step holds one of the other statements.
    """
    wanted = graph.ancestors(names)
    done = [s for s in statements if s.status == "ok" and not is_read(s.sql)]
    chosen = [s for s in done if not names or s.object in wanted or names_in(s.sql) & (wanted - {BASE})]
    attempts = {(s.session, s.step, s.attempt) for s in chosen if not _is_boundary(s)}
    kept = [s for s in done if (s in chosen or _is_boundary(s)) and (s.session, s.step, s.attempt) in attempts]
    return tuple(sorted(kept, key=lambda s: s.start_ns))


def _is_boundary(statement: Statement) -> bool:
    return statement.sql == "BEGIN" or ends_transaction(statement.sql)
